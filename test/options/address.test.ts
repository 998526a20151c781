import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Address, formatAddress, parseAddress } from '../../src/options/address.ts'

describe('an address', () => {
  test.each<[string, Address]>([
    ['/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
    ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
    ['unix:app.sock', { kind: 'unix', path: 'app.sock' }],
    ['./app.sock', { kind: 'unix', path: './app.sock' }],
    ['127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['localhost:80', { kind: 'tcp', host: 'localhost', port: 80 }],
    ['[::1]:9000', { kind: 'tcp', host: '::1', port: 9000 }],
    [':9000', { kind: 'tcp', host: '', port: 9000 }],
    ['*:9000', { kind: 'tcp', host: '', port: 9000 }],
    ['127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
    ['fd:3', { kind: 'fd', fd: 3 }],
  ])('%s is read', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
  })

  test.each([
    ['9000', '127.0.0.1:9000, or :9000 for all interfaces'],
    ['::1:9000', '[::1]:9000'],
    ['fe80::a', '[fe80::a]:9000'],
    ['app.sock', './app.sock'],
    ['127.0.0.1', 'is no address'],
    ['127.0.0.1:65536', 'above 65535'],
    ['127.0.0.256:80', 'no IPv4 address'],
    ['[::g]:80', 'no IPv6 address'],
    ['a b:80', 'no host name'],
    ['http://127.0.0.1:80', 'is a URL'],
    ['/run/app/', 'is a folder'],
    ['unix:', 'needs a path'],
    ['fd:', 'fd:3'],
    ['fd:1', 'standard output'],
    [`/${'x'.repeat(107)}`, 'more than 107 bytes'],
    ['', 'is no address'],
  ])('%j is refused, and the message shows the way', (text, hint) => {
    expect(parseAddress(text)).toContain(hint)
  })

  test('what is formatted reads as the same address', () => {
    const unix = fc.record({ kind: fc.constant('unix' as const), path: fc.stringMatching(/^\/[a-z0-9/]{0,50}[a-z]$/) })
    const host = fc.oneof(fc.constant(''), fc.ipV4(), fc.constantFrom('::1', 'fe80::1', 'localhost'))
    const tcp = fc.record({ kind: fc.constant('tcp' as const), host, port: fc.integer({ min: 0, max: 65_535 }) })
    const fd = fc.record({ kind: fc.constant('fd' as const), fd: fc.integer({ min: 3, max: 99_999 }) })
    fc.assert(
      fc.property(fc.oneof(unix, tcp, fd), (address) => {
        expect(parseAddress(formatAddress(address))).toEqual(address)
      }),
      { seed: 1, numRuns: 500 },
    )
  })

  test('any text is either an address or a sentence about it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseAddress(text)
        if (typeof parsed === 'string') expect(parsed).not.toBe('')
        else expect(parseAddress(formatAddress(parsed))).toEqual(parsed)
      }),
      { seed: 2, numRuns: 2000 },
    )
  })
})
