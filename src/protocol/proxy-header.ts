/**
 * The PROXY protocol header, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who really connected, said by the load
 * balancer in front. It stands at the very beginning of a connection or nowhere: call this before anything else is read.
 */

import { asBuffer } from '../as-buffer.ts'
import { describe, TsgiError } from '../errors.ts'
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip-text.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

interface ProxyHeader {
  readonly version: 1 | 2
  /** Bytes of the header: the connection's own begin behind them. */
  readonly length: number
  /** Undefined where the header names nobody: UNKNOWN, LOCAL (the balancer's own health check), Unix sockets. */
  readonly source: Endpoint | undefined
  readonly destination: Endpoint | undefined
}

/** Section 2.1: the longest line of version 1, CRLF included. */
const MAX_V1_BYTES = 107
/** How a header begins, of either version (sections 2.1 and 2.2). */
export const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1')
export const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_HEADER_BYTES = 16
/** Addresses take 216 at most; extensions (TLVs) such as a client certificate's name come on top. */
const MAX_V2_LENGTH = 4096

const malformed = (what: string): TsgiError => new TsgiError('TSGI_PROTOCOL_MALFORMED', `PROXY protocol: ${what}`)

/**
 * The header that `bytes` begin with; undefined: more bytes are needed, never more than 4112.
 * @throws TsgiError TSGI_PROTOCOL_MALFORMED: there is none, or it is wrong
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  const view = asBuffer(bytes)
  if (view.length === 0) return undefined
  if (view[0] === V1_SIGNATURE[0]) return parseV1(view)
  return parseV2(view)
}

/** Whether as much of `signature` as has arrived is there. */
function beginsWith(bytes: Buffer, signature: Buffer): boolean {
  const known = Math.min(bytes.length, signature.length)
  return bytes.compare(signature, 0, known, 0, known) === 0
}

/** Section 2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n`. */
function parseV1(bytes: Buffer): ProxyHeader | undefined {
  if (!beginsWith(bytes, V1_SIGNATURE)) throw malformed('the connection does not begin with a header')
  const line = bytes.toString('latin1', 0, MAX_V1_BYTES)
  const end = line.indexOf('\r\n')
  if (end < 0) {
    if (bytes.length >= MAX_V1_BYTES) throw malformed(`no end of line in ${MAX_V1_BYTES} bytes`)
    return undefined
  }
  const length = end + 2
  const words = line.slice(0, end).split(' ')
  const [, family, sourceAddress = '', destinationAddress = '', sourcePort = '', destinationPort = ''] = words
  // What follows UNKNOWN must be ignored.
  if (family === 'UNKNOWN') return { version: 1, length, source: undefined, destination: undefined }
  if (family !== 'TCP4' && family !== 'TCP6') throw malformed(`unknown family ${describe(family)}`)
  if (words.length !== 6) throw malformed(`${words.length} words instead of 6`)
  const parseAddress = family === 'TCP4' ? parseIpv4 : parseIpv6
  const endpoint = (address: string, port: string): Endpoint => {
    if (parseAddress(address) === undefined) throw malformed(`${describe(address)} is no ${family} address`)
    return { address, port: parsePort(port) }
  }
  return {
    version: 1,
    length,
    source: endpoint(sourceAddress, sourcePort),
    destination: endpoint(destinationAddress, destinationPort),
  }
}

function parsePort(text: string): number {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text) || Number(text) > 65_535) throw malformed(`${describe(text)} is no port`)
  return Number(text)
}

/** Section 2.2: signature 12 | version and command u8 | family and transport u8 | length u16be | addresses | extensions. */
function parseV2(bytes: Buffer): ProxyHeader | undefined {
  if (!beginsWith(bytes, V2_SIGNATURE)) throw malformed('the connection does not begin with a header')
  if (bytes.length < V2_HEADER_BYTES) return undefined
  const versionAndCommand = bytes.readUInt8(12)
  const version = versionAndCommand >>> 4
  const command = versionAndCommand & 0xf
  if (version !== 2) throw malformed(`version ${version} in a version 2 header`)
  if (command > 1) throw malformed(`unknown command ${command}`)
  const rest = bytes.readUInt16BE(14)
  if (rest > MAX_V2_LENGTH) throw malformed(`${rest} bytes of addresses and extensions, allowed are ${MAX_V2_LENGTH}`)
  const length = V2_HEADER_BYTES + rest
  if (bytes.length < length) return undefined
  const family = bytes.readUInt8(13) >>> 4
  const addressBytes = family === 1 ? 4 : family === 2 ? 16 : undefined
  // LOCAL: the balancer speaks for itself. Families other than IP name no address that a CGI variable could carry.
  if (command === 0 || addressBytes === undefined)
    return { version: 2, length, source: undefined, destination: undefined }
  const needed = 2 * addressBytes + 4
  if (rest < needed) throw malformed(`${rest} bytes for addresses that take ${needed}`)
  const format = addressBytes === 4 ? formatIpv4 : formatIpv6
  const endpoint = (addressAt: number, portAt: number): Endpoint => ({
    address: format(bytes.subarray(addressAt, addressAt + addressBytes)),
    port: bytes.readUInt16BE(portAt),
  })
  const portsAt = V2_HEADER_BYTES + 2 * addressBytes
  return {
    version: 2,
    length,
    source: endpoint(V2_HEADER_BYTES, portsAt),
    destination: endpoint(V2_HEADER_BYTES + addressBytes, portsAt + 2),
  }
}
