/** The public API of tsgi: re-exports only. */

export type * from './application.ts'
export { ERRORS, type ErrorCode, type ErrorKind, TsgiError } from './errors.ts'
export { defineConfig } from './options/define-config.ts'
export type { Config } from './options/table.ts'
