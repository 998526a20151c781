import { readFileSync } from 'node:fs'
import { ownHome } from './own-module.ts'

/**
 * That of tsgi, as its package.json has it.
 * @param home the folder of its modules
 */
export function packageVersion(home = ownHome()): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', home), 'utf8'))
  const version: unknown =
    typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined
  return typeof version === 'string' ? version : 'of unknown version'
}
