/** The options that name addresses, once: where requests come in, and where the master itself is asked. */

import { type Address, parseAddress } from './address.ts'
import type { Options } from './table.ts'

/** The options that requests come in by, and what is spoken there; `any`: the first byte of a connection tells. */
export const LISTENER_PROTOCOLS = {
  uwsgi: 'uwsgi',
  fastcgi: 'fastcgi',
  scgi: 'scgi',
  http: 'http',
  socket: 'any',
} as const

export type ListenerKey = keyof typeof LISTENER_PROTOCOLS

export const LISTENER_KEYS: readonly ListenerKey[] = ['uwsgi', 'fastcgi', 'scgi', 'http', 'socket']

/** What the master serves itself. */
export const SERVICE_KEYS = ['control', 'stats', 'metrics'] as const

type AddressOptions = Pick<Options, ListenerKey | (typeof SERVICE_KEYS)[number]>

/** Every address that is given, of listeners and of services; what is no address is left out. */
export function givenAddresses(options: AddressOptions): readonly Address[] {
  const texts = [...LISTENER_KEYS.flatMap((key) => options[key]), ...SERVICE_KEYS.map((key) => options[key])]
  return texts.flatMap((text) => {
    const address = text === undefined ? '' : parseAddress(text)
    return typeof address === 'string' ? [] : [address]
  })
}
