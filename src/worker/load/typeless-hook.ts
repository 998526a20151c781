/**
 * A module hook (node:module, `register`), for files in TypeScript of a package that does not say whether it is ESM or
 * CommonJS: with import or export in them they are ESM, as Node itself decides since 22.7. tsx takes all of them for
 * CommonJS, where there is no top-level await.
 */

import { readFileSync } from 'node:fs'
import type { ResolveHook } from 'node:module'
import { fileURLToPath } from 'node:url'

const ESM_SYNTAX = /^\s*(?:import\b(?!\s*\()|export\b(?!\s*=))/m
/** `import x = require()`, `export =`: these say CommonJS. */
const CJS_SYNTAX = /^\s*(?:import\s+\w+\s*=|export\s*=)/m

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context)
  // Before Node has looked into it the format is not said, or commonjs, or commonjs-typescript.
  if (resolved.format === 'module' || !/^file:[^?#]*\.tsx?(?:[?#]|$)/.test(resolved.url)) return resolved
  const source = readFileSync(fileURLToPath(resolved.url), 'utf8')
  return ESM_SYNTAX.test(source) && !CJS_SYNTAX.test(source) ? { ...resolved, format: 'module' } : resolved
}
