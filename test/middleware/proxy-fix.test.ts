import { describe, expect, test } from 'vitest'
import type { Application } from '../../src/application.ts'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { type ProxyFixOptions, proxyFix } from '../../src/middleware/proxy-fix.ts'

const report: Application = (environ, startResponse) => {
  startResponse('200 OK', [])
  return [
    Buffer.from(
      JSON.stringify({ ...environ, scheme: environ['tsgi.url_scheme'], orig: environ['tsgi.proxy_fix.orig'] }),
    ),
  ]
}

async function fixed(
  options: ProxyFixOptions,
  headers: readonly (readonly [string, string])[],
  params: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await requestInMemory(proxyFix(report, options), {
    headers,
    params: { HTTP_HOST: 'inside:8080', REMOTE_ADDR: '10.0.0.1', REMOTE_PORT: '4711', ...params },
  })
  return response.status === 200 ? JSON.parse(response.text) : { status: response.status }
}

const FOR = (list: string) => ['X-Forwarded-For', list] as const

describe('proxyFix believes', () => {
  test.each<[string, ProxyFixOptions, string, string]>([
    ['the last address for one hop', { hops: 1, trust: ['for'] }, '6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['the one before for two', { hops: 2, trust: ['for'] }, '6.6.6.6, 192.0.2.1, 10.0.0.2', '192.0.2.1'],
    ['nobody for none', { hops: 0, trust: ['for'] }, '192.0.2.1', '10.0.0.1'],
    ['nobody where fewer proxies than promised have written', { hops: 3, trust: ['for'] }, '192.0.2.1', '10.0.0.1'],
    ['nobody where the header is not trusted', { hops: 1, trust: ['proto'] }, '192.0.2.1', '10.0.0.1'],
    [
      'the first address that is no proxy',
      { proxies: ['10.0.0.0/8'], trust: ['for'] },
      '6.6.6.6, 192.0.2.1, 10.0.0.3, 10.0.0.2',
      '192.0.2.1',
    ],
    ['nobody behind a peer that is no proxy', { proxies: ['172.16.0.0/12'], trust: ['for'] }, '192.0.2.1', '10.0.0.1'],
    [
      'the leftmost where all are proxies',
      { proxies: ['10.0.0.0/8'], trust: ['for'] },
      '10.0.0.9, 10.0.0.2',
      '10.0.0.9',
    ],
    [
      'the proxy, whatever the client had written',
      { hops: 1, trust: ['for'] },
      'unknown, <x>, , 192.0.2.1',
      '192.0.2.1',
    ],
    [
      'the proxies, whatever the client had written',
      { proxies: ['10.0.0.0/8'], trust: ['for'] },
      'unknown, 192.0.2.1, 10.0.0.2',
      '192.0.2.1',
    ],
    ['nothing where the address is not told', { hops: 1, trust: ['for'] }, 'unknown', '10.0.0.1'],
    ['IPv6 with a port', { hops: 1, trust: ['for'] }, '[2001:db8::1]:443', '2001:db8::1'],
    ['IPv6 without', { hops: 1, trust: ['for'] }, '2001:db8::1', '2001:db8::1'],
  ])('%s', async (_name, options, list, expected) => {
    expect((await fixed(options, [FOR(list)]))['REMOTE_ADDR']).toBe(expected)
  })

  test('scheme, host, port and prefix', async () => {
    const headers = [
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'shop.example'],
      ['X-Forwarded-Port', '8443'],
      ['X-Forwarded-Prefix', '/shop/'],
    ] as const
    const environ = await fixed({ hops: 1, trust: ['proto', 'host', 'port', 'prefix'] }, headers)
    expect(environ).toMatchObject({
      scheme: 'https',
      HTTPS: 'on',
      HTTP_HOST: 'shop.example:8443',
      SERVER_NAME: 'shop.example',
      SERVER_PORT: '8443',
      SCRIPT_NAME: '/shop',
      orig: { HTTP_HOST: 'inside:8080', SCRIPT_NAME: '', 'tsgi.url_scheme': 'http' },
    })
  })

  test.each([
    ['shop.example', '443'],
    ['[2001:db8::1]', '443'],
    ['', '443'],
    ['shop.example:8443', '8443'],
    ['[2001:db8::1]:8443', '8443'],
  ])('a protocol alone, with Host %j, means port %s', async (host, port) => {
    const params = { HTTP_HOST: host }
    const environ = await fixed({ hops: 1, trust: ['proto'] }, [['X-Forwarded-Proto', 'https']], params)
    expect(environ).toMatchObject({ scheme: 'https', SERVER_PORT: port, HTTP_HOST: host })
  })

  test('Forwarded (RFC 7239)', async () => {
    const value = 'for=6.6.6.6, for="[2001:db8::7]:99";proto=https;host="shop.example"'
    const environ = await fixed({ hops: 1, trust: ['forwarded'] }, [['Forwarded', value]])
    expect(environ).toMatchObject({
      REMOTE_ADDR: '2001:db8::7',
      REMOTE_PORT: '99',
      scheme: 'https',
      HTTP_HOST: 'shop.example',
    })
  })

  test('a proxy on a Unix socket, for which nginx names no address', async () => {
    for (const REMOTE_ADDR of ['unix:', '']) {
      const environ = await fixed({ proxies: ['10.0.0.0/8'], trust: ['for'] }, [FOR('192.0.2.1')], { REMOTE_ADDR })
      expect(environ).toMatchObject({ REMOTE_ADDR: '192.0.2.1' })
    }
  })

  test('the hop of a proxy, whatever address a client had written before it', async () => {
    const environ = await fixed({ hops: 1, trust: ['forwarded'] }, [
      ['Forwarded', 'for=<x>, for=192.0.2.1;proto=https'],
    ])
    expect(environ).toMatchObject({ REMOTE_ADDR: '192.0.2.1', scheme: 'https' })
  })

  test.each(['_hidden', 'unknown', 'Unknown', '"UNKNOWN"'])('Forwarded: for=%s tells no address', async (node) => {
    const value = `for=${node};proto=https`
    const environ = await fixed({ hops: 1, trust: ['forwarded'] }, [['Forwarded', value]])
    expect(environ).toMatchObject({ REMOTE_ADDR: '10.0.0.1', scheme: 'https' })
  })
})

describe('proxyFix does not believe', () => {
  test('what it was not told to: those headers are gone', async () => {
    const headers = [
      FOR('6.6.6.6, 192.0.2.1'),
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'evil.example'],
      ['Forwarded', 'for=6.6.6.6'],
    ] as const
    const environ = await fixed({ hops: 1, trust: ['for'] }, headers)
    expect(environ).toMatchObject({ HTTP_X_FORWARDED_FOR: '192.0.2.1', scheme: 'http', HTTP_HOST: 'inside:8080' })
    for (const name of ['HTTP_X_FORWARDED_PROTO', 'HTTP_X_FORWARDED_HOST', 'HTTP_FORWARDED'])
      expect(environ).not.toHaveProperty(name)
  })

  test('anything from a peer that is no proxy', async () => {
    const environ = await fixed({ proxies: ['172.16.0.0/12'], trust: ['for', 'proto'] }, [
      FOR('1.2.3.4'),
      ['X-Forwarded-Proto', 'https'],
    ])
    expect(environ).toMatchObject({ REMOTE_ADDR: '10.0.0.1', scheme: 'http' })
    expect(environ).not.toHaveProperty('HTTP_X_FORWARDED_FOR')
  })

  test.each<[string, readonly (readonly [string, string])[]]>([
    ['no address', [FOR('not-an-address')]],
    ['another protocol', [['X-Forwarded-Proto', 'ftp']]],
    ['a host with a path', [['X-Forwarded-Host', 'a.example/x']]],
    ['a port out of range', [['X-Forwarded-Port', '70000']]],
    ['a prefix that leads up', [['X-Forwarded-Prefix', '/a/../b']]],
    ['a prefix that leads to another host', [['X-Forwarded-Prefix', '//evil.example']]],
    ['a Forwarded out of its grammar', [['Forwarded', 'for=1.2.3.4;for=5.6.7.8']]],
    ['two that disagree', [FOR('1.2.3.4'), ['Forwarded', 'for=5.6.7.8']]],
  ])('%s: 400', async (_name, headers) => {
    const trust = ['for', 'proto', 'host', 'port', 'prefix', 'forwarded'] as const
    expect(await fixed({ hops: 1, trust }, headers)).toEqual({ status: 400 })
  })

  test('options that trust nobody or everybody', () => {
    expect(() => proxyFix(report, { trust: ['for'] })).toThrow(/either how many hops/)
    expect(() => proxyFix(report, { hops: 1, proxies: ['10.0.0.0/8'], trust: [] })).toThrow(/either how many hops/)
    expect(() => proxyFix(report, { hops: -1, trust: [] })).toThrow(/hops is -1/)
    expect(() => proxyFix(report, { proxies: ['10.0.0.0/99'], trust: [] })).toThrow(/is no network/)
  })
})
