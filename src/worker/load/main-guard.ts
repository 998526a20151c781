/** Files that ask whether they are the main module, and serve only then. Here they never are: they are loaded, as by an import. */

import { readFileSync } from 'node:fs'

/** @returns how such a file asks, as it says there */
export function mainGuardOf(path: string): string | undefined {
  return /\brequire\.main\b|\bimport\.meta\.main\b|\bprocess\.argv\[1\]/.exec(readFileSync(path, 'utf8'))?.[0]
}
