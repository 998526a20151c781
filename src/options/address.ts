/** Where a socket is: what an operator writes (`/run/app.sock`, `:9000`, `fd:3`) and the closed union that it becomes. */

import { isIPv6 } from 'node:net'

export type Address =
  /** `path` as written; `parse.ts` makes it absolute. */
  | { readonly kind: 'unix'; readonly path: string }
  /** `host` is `''` for all interfaces: `::` as dual stack, `0.0.0.0` where there is no IPv6. IPv6 without brackets. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A listening socket that was open when this process started. */
  | { readonly kind: 'fd'; readonly fd: number }

/** What a message shows as the right way to write one. */
export const ADDRESS_FORMS = '/run/app.sock, unix:/run/app.sock, 127.0.0.1:9000, [::1]:9000, :9000 or fd:3'

/** sizeof(sockaddr_un.sun_path) less the final NUL: unix(7) says 108, macOS and the BSDs 104. */
const MAX_UNIX_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/** @returns the address, or a text saying what is wrong with it */
export function parseAddress(text: string): Address | string {
  if (text.startsWith('unix:')) return unixAddress(text.slice('unix:'.length))
  if (text.startsWith('fd:')) return fdAddress(text.slice('fd:'.length))
  if (text.includes('://')) return `${quote(text)} is a URL; an address is written ${ADDRESS_FORMS}`
  if (text.includes('/')) return unixAddress(text)
  return tcpAddress(text)
}

/** The form of logs and of `Options`: `unix:/run/app.sock`, `127.0.0.1:9000`, `[::1]:9000`, `:9000`, `fd:3`. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case 'unix':
      return `unix:${address.path}`
    case 'fd':
      return `fd:${address.fd}`
    case 'tcp':
      return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`
  }
}

function unixAddress(path: string): Address | string {
  if (path === '') return 'a Unix socket needs a path, as in unix:/run/app.sock'
  if (path.includes('\0')) return 'the path of a Unix socket cannot contain NUL'
  if (path.endsWith('/')) return `${quote(path)} is a folder; a Unix socket needs a file name, as in ${path}app.sock`
  if (pathTooLong(path)) {
    return `${quote(path)} has more than ${MAX_UNIX_PATH_BYTES} bytes, the most that a Unix socket's path can have`
  }
  return { kind: 'unix', path }
}

export function pathTooLong(path: string): boolean {
  return Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES
}

function fdAddress(digits: string): Address | string {
  if (!/^\d{1,6}$/.test(digits)) return `fd: takes the number of an open descriptor, as in fd:3, not ${quote(digits)}`
  const fd = Number(digits)
  if (fd < 3) return `fd:${fd} is standard ${['input', 'output', 'error'][fd]}; inherited sockets begin at fd:3`
  return { kind: 'fd', fd }
}

const MAX_PORT = 65_535
const aboveMaxPort = (port: number): string => `port ${port} is above ${MAX_PORT}`

function tcpAddress(text: string): Address | string {
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:]*)):(?<port>\d{1,5})$/.exec(text)
  if (match?.groups === undefined) return misreadTcp(text)
  const port = Number(match.groups['port'])
  if (port > MAX_PORT) return aboveMaxPort(port)
  const v6 = match.groups['v6']
  if (v6 !== undefined) return isIPv6(v6) ? { kind: 'tcp', host: v6, port } : `${quote(v6)} is no IPv6 address`
  const name = match.groups['name'] ?? ''
  if (name === '' || name === '*') return { kind: 'tcp', host: '', port }
  if (/^[\d.]+$/.test(name) && !isIPv4Strict(name)) return `${quote(name)} is no IPv4 address`
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) return `${quote(name)} is no host name`
  return { kind: 'tcp', host: name, port }
}

function isIPv4Strict(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

function misreadTcp(text: string): string {
  if (/^\d{1,5}$/.test(text)) {
    if (Number(text) > MAX_PORT) return aboveMaxPort(Number(text))
    return `${quote(text)} has no host; write 127.0.0.1:${text}, or :${text} for all interfaces`
  }
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? []
  // `::1:9000` is an IPv6 address as a whole, too; who writes it means the port.
  if (isIPv6(host)) return `an IPv6 address needs brackets, as in [${host}]:${port}`
  if (isIPv6(text)) return `an IPv6 address needs brackets and a port, as in [${text}]:9000`
  if (text.endsWith('.sock')) return `${quote(text)} looks like a path; write ./${text} or unix:${text}`
  return `${quote(text)} is no address; one is written ${ADDRESS_FORMS}`
}

function quote(text: string): string {
  return JSON.stringify(text)
}
