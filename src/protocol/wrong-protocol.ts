/** What to say, to the operator and to the peer, where a connection speaks another protocol than the one expected. */

import { TsgiError } from '../errors.ts'
import type { Protocol } from './codec.ts'
import type { Detected } from './detect.ts'
import { fastcgi } from './fastcgi.ts'
import { scgi } from './scgi.ts'
import { uwsgi } from './uwsgi.ts'

interface Speaker {
  /** What came, as the subject of a sentence. */
  readonly what: string
  /** What the front server is probably configured to do. */
  readonly cause: string
}

const causeOf = ({ directive }: Protocol): string => `nginx uses ${directive.nginx} here (Apache: ${directive.apache})`

const SPEAKERS: Readonly<Record<Detected, Speaker>> = {
  uwsgi: { what: 'uwsgi', cause: causeOf(uwsgi) },
  fastcgi: { what: 'FastCGI', cause: causeOf(fastcgi) },
  scgi: { what: 'SCGI', cause: causeOf(scgi) },
  http: { what: 'HTTP', cause: 'nginx uses proxy_pass here (Apache: http://), or a browser or curl was pointed at it' },
  tls: { what: 'TLS', cause: 'nginx uses suwsgi:// or proxy_pass https:// here, or a client speaks HTTPS to it' },
  'proxy-v1': { what: 'a PROXY protocol header', cause: 'nginx has proxy_protocol on (HAProxy: send-proxy)' },
  'proxy-v2': { what: 'a PROXY protocol header', cause: 'HAProxy has send-proxy-v2, or a load balancer adds it' },
  unknown: {
    what: 'bytes of no protocol known here',
    cause: 'nginx has uwsgi_modifier1 set, or this is no front server',
  },
}

/** What must be used instead, by the name of what a socket may speak. */
const DIRECTIVES: ReadonlyMap<string, string> = new Map([
  ...[uwsgi, fastcgi, scgi].map(({ name, directive }): [string, string] => [
    name,
    `${directive.nginx} (Apache: ${directive.apache})`,
  ]),
  ['http', 'proxy_pass (Apache: http://)'],
])

/**
 * One sentence for the log that names the mistake and its remedy.
 * @param expected names of the protocols that the socket speaks: `['uwsgi']`
 */
export function remedy(detected: Detected, expected: readonly string[]): string {
  const { what, cause } = SPEAKERS[detected]
  const use = expected.map((name) => DIRECTIVES.get(name) ?? name).join(' or ')
  const speaks = `this socket speaks ${expected.join(', ')}`
  if (detected === 'tls') return `${what} came: ${cause}; ${speaks} without TLS: use ${use} without it`
  if (detected === 'proxy-v1' || detected === 'proxy-v2')
    return `${what} came: ${cause}; ${speaks} without it: turn it off, or start tsgi with --proxy-protocol`
  return `${what} came: ${cause}; ${speaks}: use ${use}`
}

const TLS_DIRECTIVES: ReadonlyMap<string, string> = new Map([
  ['uwsgi', 'uwsgi_pass suwsgi://'],
  ['http', 'https://'],
])

/** The error to log where TLS was expected, whatever is spoken inside. @param expected what may be spoken inside */
export function withoutTls(detected: Exclude<Detected, 'tls'>, expected: readonly string[]): TsgiError {
  const { what, cause } = SPEAKERS[detected]
  const speaks = `this socket speaks ${expected.join(', ')} inside TLS (--tls-cert)`
  const use = expected.flatMap((name) => TLS_DIRECTIVES.get(name) ?? [])
  const remedy = [...use, 'a tsgi without --tls-cert'].join(' or ')
  return new TsgiError('TSGI_PROTOCOL_WRONG', `${what} came without TLS: ${cause}; ${speaks}: use ${remedy}`)
}

/** The error to log: code TSGI_PROTOCOL_WRONG. */
export function wrongProtocol(detected: Detected, expected: readonly string[]): TsgiError {
  return new TsgiError('TSGI_PROTOCOL_WRONG', remedy(detected, expected))
}

const TEXT = 'The front server and the application server are configured for different protocols.\n'
const HEADERS = [
  ['Content-Type', 'text/plain'],
  ['Content-Length', String(TEXT.length)],
] as const
const BODY = Buffer.from(TEXT, 'latin1')

/**
 * A complete answer in the protocol that the peer speaks, after which the connection is closed; undefined where none can be
 * given. To a front server it is a 502, for the mistake is on this side of the client; to who speaks HTTP a 400.
 * @param bytes what was received: the FastCGI request id is in it
 */
export function refusalBytes(detected: Detected, bytes: Uint8Array): Uint8Array | undefined {
  switch (detected) {
    case 'http':
      return httpAnswer('400 Bad Request')
    case 'uwsgi':
      return httpAnswer('502 Bad Gateway')
    case 'scgi':
      return scgi.encoder.start(0, '502 Bad Gateway', HEADERS, BODY, true, false)
    case 'fastcgi': {
      const [, , high = 0, low = 0] = bytes
      const requestId = (high << 8) | low
      // Id 0 is a management record: no request is there to answer.
      if (requestId === 0) return undefined
      return fastcgi.encoder.start(requestId, '502 Bad Gateway', HEADERS, BODY, true, false)
    }
    case 'tls':
      // Alert: fatal, protocol_version (RFC 8446 section 6). The client says so instead of waiting.
      return Uint8Array.of(0x15, 0x03, 0x03, 0, 2, 2, 70)
    default:
      return undefined
  }
}

function httpAnswer(status: string): Uint8Array {
  const headers = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\n\r\n${TEXT}`, 'latin1')
}
