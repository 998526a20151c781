import { isIPv4, isIPv6 } from 'node:net'
import { describe, expect, test } from 'vitest'
import { formatIpv6, parseIpv4, parseIpv6 } from '../../src/protocol/ip-text.ts'
import { parseProxyHeader } from '../../src/protocol/proxy-header.ts'
import { bytes } from '../support/bytes.ts'

const SIGNATURE = bytes('\r\n\r\n\0\r\nQUIT\n')

function version2(versionAndCommand: number, family: number, rest: number[]): Buffer {
  return Buffer.concat([
    SIGNATURE,
    Buffer.from([versionAndCommand, family, rest.length >> 8, rest.length & 0xff, ...rest]),
  ])
}

/** Whole: the header; one byte less, or any number less: more is needed; followed by bytes: they are not part of it. */
function parsed(header: Buffer) {
  for (let count = 0; count < header.length; count += 1) {
    expect(parseProxyHeader(header.subarray(0, count)), `${count} bytes`).toBeUndefined()
  }
  const result = parseProxyHeader(Buffer.concat([header, bytes('\0\0\0\0GET /\r\n')]))
  expect(result?.length).toBe(header.length)
  return result
}

describe('version 1', () => {
  test('TCP4 and TCP6 give both ends', () => {
    expect(parsed(bytes('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'))).toEqual({
      version: 1,
      length: 45,
      source: { address: '192.0.2.1', port: 56_324 },
      destination: { address: '198.51.100.2', port: 443 },
    })
    expect(parsed(bytes('PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n'))).toMatchObject({
      source: { address: '2001:db8::1', port: 0 },
      destination: { address: '::ffff:192.0.2.1', port: 65_535 },
    })
  })

  test('UNKNOWN names nobody, whatever follows it', () => {
    for (const line of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ff:: ff:: 1 2\r\n']) {
      expect(parsed(bytes(line))).toMatchObject({ version: 1, source: undefined, destination: undefined })
    }
  })

  test('a line of 107 bytes is read, one of 108 is not waited for', () => {
    const filler = 'x'.repeat(107 - 'PROXY UNKNOWN \r\n'.length)
    expect(parsed(bytes(`PROXY UNKNOWN ${filler}\r\n`))?.length).toBe(107)
    expect(() => parseProxyHeader(bytes(`PROXY UNKNOWN ${filler}x\r\n`))).toThrow('no end of line in 107 bytes')
    expect(() => parseProxyHeader(bytes(`PROXY UNKNOWN ${filler}xx`))).toThrow('no end of line in 107 bytes')
  })

  test.each([
    ['POST / HTTP/1.1\r\n', 'does not begin with a header'],
    ['PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 'unknown family ""'],
    ['PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n', 'unknown family "TCP5"'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n', '5 words instead of 6'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n', '7 words instead of 6'],
    ['PROXY TCP4 ::1 192.0.2.2 1 2\r\n', '"::1" is no TCP4 address'],
    ['PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n', '"192.0.2.01" is no TCP4 address'],
    ['PROXY TCP6 192.0.2.1 ::1 1 2\r\n', '"192.0.2.1" is no TCP6 address'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n', '"65536" is no port'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n', '"-2" is no port'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n', '"01" is no port'],
  ])('%j is refused', (line, message) => {
    expect(() => parseProxyHeader(bytes(line))).toThrow(
      expect.objectContaining({ code: 'TSGI_PROTOCOL_MALFORMED', message: expect.stringContaining(message) }),
    )
  })
})

describe('version 2', () => {
  test('IPv4, with extensions passed over', () => {
    const rest = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 1, 0xbb, 0x04, 0, 1, 0xff]
    expect(parsed(version2(0x21, 0x11, rest))).toEqual({
      version: 2,
      length: 32,
      source: { address: '192.0.2.1', port: 56_324 },
      destination: { address: '198.51.100.2', port: 443 },
    })
  })

  test('IPv6', () => {
    const one = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]
    expect(parsed(version2(0x21, 0x21, [...one, ...mapped, 0, 1, 0, 2]))).toMatchObject({
      source: { address: '2001:db8::1', port: 1 },
      destination: { address: '::ffff:192.0.2.1', port: 2 },
    })
  })

  test.each([
    ['LOCAL', version2(0x20, 0x00, [])],
    ['LOCAL with addresses', version2(0x20, 0x11, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])],
    ['a Unix socket', version2(0x21, 0x31, new Array<number>(216).fill(0))],
    ['an unspecified family', version2(0x21, 0x00, [1, 2, 3])],
  ])('%s names nobody', (_name, header) => {
    expect(parsed(header)).toMatchObject({ version: 2, source: undefined, destination: undefined })
  })

  test.each([
    ['another version', version2(0x31, 0x11, []), 'version 3 in a version 2 header'],
    ['another command', version2(0x22, 0x11, []), 'unknown command 2'],
    ['too few bytes of addresses', version2(0x21, 0x11, [1, 2, 3]), '3 bytes for addresses that take 12'],
    ['a huge header', Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])]), '65535 bytes of addresses'],
    ['a broken signature', bytes('\r\n\r\n\0\r\nQUIX'), 'does not begin with a header'],
    ['a gateway protocol', Buffer.alloc(4), 'does not begin with a header'],
  ])('%s is refused', (_name, input, message) => {
    expect(() => parseProxyHeader(input)).toThrow(
      expect.objectContaining({ code: 'TSGI_PROTOCOL_MALFORMED', message: expect.stringContaining(message) }),
    )
  })
})

test.each([
  '::',
  '::1',
  '1::',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7::',
  '::2:3:4:5:6:7:8',
  '1::8',
  '::ffff:1.2.3.4',
  '1:2:3:4:5:6:1.2.3.4',
  '',
  ':',
  ':::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  '12345::',
  'g::',
  '1.2.3.4::',
  '1:2:3:4:5:6:7:1.2.3.4',
  '::1.2.3',
  '::1.2.3.256',
  ' ::1',
  '::1 ',
  '1:',
  ':1',
  '[::1]',
  '1:2:3:4::5:6:7:8',
  '1.2.3.4',
  '0.0.0.0',
  '255.255.255.255',
  '256.1.1.1',
  '1.2.3',
  '1.2.3.4.5',
  '01.2.3.4',
  '1..3.4',
  'a.b.c.d',
])('%j is an address exactly where node says so', (text) => {
  expect(parseIpv4(text) !== undefined).toBe(isIPv4(text))
  expect(parseIpv6(text) !== undefined).toBe(isIPv6(text))
})

test.each([
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:DB8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
])('%s is written %s (RFC 5952)', (text, written) => {
  expect(formatIpv6(parseIpv6(text) ?? new Uint8Array(16))).toBe(written)
})
