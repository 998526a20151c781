/** What the names of variables mean to the gateway, told from a name once and not for every request. */

/**
 * - `plain`: kept as it is
 * - `path`: what the client wrote may be in it: checked for NUL
 * - `type`, `length`: CONTENT_TYPE and CONTENT_LENGTH, absent where they are empty
 * - `header`: `HTTP_*`, checked and merged
 * - `host`: HTTP_HOST, never merged
 * - `dropped`: checked as headers are, and never passed on: HTTP_CONTENT_LENGTH and HTTP_CONTENT_TYPE, for the bare forms count
 *   and the copies may disagree with them; HTTP_PROXY, the hole of httpoxy
 * - `ignored`: `tsgi.*`, for a string must not replace the stream
 */
export type Role = 'plain' | 'path' | 'type' | 'length' | 'header' | 'host' | 'dropped' | 'ignored'

const ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['REQUEST_URI', 'path'],
  ['PATH_INFO', 'path'],
  ['SCRIPT_NAME', 'path'],
  ['QUERY_STRING', 'path'],
  ['SERVER_NAME', 'path'],
  ['CONTENT_TYPE', 'type'],
  ['CONTENT_LENGTH', 'length'],
  ['HTTP_HOST', 'host'],
  ['HTTP_CONTENT_LENGTH', 'dropped'],
  ['HTTP_CONTENT_TYPE', 'dropped'],
  ['HTTP_PROXY', 'dropped'],
])

export function roleOf(name: string): Role {
  const role = ROLES.get(name)
  if (role !== undefined) return role
  if (name.startsWith('HTTP_')) return 'header'
  return name.startsWith('tsgi.') ? 'ignored' : 'plain'
}

const MAX_POSITIONS = 128

/**
 * Front servers send the same names in the same order, and the decoders hand out the same string for the same name: one
 * comparison of two pointers tells the role (measured, Node 20: two `startsWith` a variable were a third of building an environ).
 */
export class RoleMemory {
  readonly #names: string[] = []
  readonly #roles: Role[] = []

  /** @param position of the variable in its request, from 0 */
  read(position: number, name: string): Role {
    const known = this.#names[position] === name ? this.#roles[position] : undefined
    if (known !== undefined) return known
    const role = roleOf(name)
    if (position < MAX_POSITIONS && position <= this.#names.length) {
      this.#names[position] = name
      this.#roles[position] = role
    }
    return role
  }
}
