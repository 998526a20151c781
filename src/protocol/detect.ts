/** Which protocol a connection speaks, told by its first bytes. */

import { V1_SIGNATURE, V2_SIGNATURE } from './proxy-header.ts'

export type Detected = 'uwsgi' | 'fastcgi' | 'scgi' | 'http' | 'tls' | 'proxy-v1' | 'proxy-v2' | 'unknown'

const LOWER_D = 0x64
const UPPER_P = 0x50

/**
 * The protocol of a connection that begins with `bytes`; undefined: more bytes are needed. One byte decides but for P (a
 * method, or PROXY), d (a uwsgi ping, or nonsense) and CR.
 */
export function detect(bytes: Uint8Array): Detected | undefined {
  const [first, second] = bytes
  switch (first) {
    case undefined:
      return undefined
    case 0x00:
      return 'uwsgi'
    case 0x01:
      return 'fastcgi'
    case 0x16:
      return 'tls'
    case 0x0d:
      return startsAs(bytes, V2_SIGNATURE, 'proxy-v2', behindEmptyLines(bytes))
    case UPPER_P:
      return startsAs(bytes, V1_SIGNATURE, 'proxy-v1', 'http')
    case LOWER_D:
      // modifier1 100 of uwsgi, the ping: its size follows, and is 0.
      if (second === undefined) return undefined
      return second === 0 ? 'uwsgi' : isLetter(second) ? 'http' : 'unknown'
  }
  if (first >= 0x30 && first <= 0x39) return 'scgi'
  return isLetter(first) ? 'http' : 'unknown'
}

/** Those of PROX are of a PROXY header, those of PROP are of a method. */
const DISTINCT_BYTES = 4

/** As `detect`, where no more bytes are waited for: what could still become a PROXY header is taken for one. */
export function detectBegun(bytes: Uint8Array): Detected | undefined {
  const detected = detect(bytes)
  if (detected !== undefined || bytes.length < DISTINCT_BYTES) return detected
  return bytes[0] === UPPER_P ? 'proxy-v1' : 'proxy-v2'
}

const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a

/** RFC 9112 section 2.2: empty lines before a request are ignored. Some clients end the body of the one before with one. */
function behindEmptyLines(bytes: Uint8Array): Detected {
  const first = bytes.find((byte) => byte !== 0x0d && byte !== 0x0a)
  return first === undefined || isLetter(first) ? 'http' : 'unknown'
}

function startsAs(bytes: Uint8Array, signature: Uint8Array, same: Detected, other: Detected): Detected | undefined {
  const known = Math.min(bytes.length, signature.length)
  for (let index = 0; index < known; index += 1) {
    if (bytes[index] !== signature[index]) return other
  }
  return known === signature.length ? same : undefined
}
