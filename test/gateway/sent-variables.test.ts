/** What adapters read of the variables as they were sent is what an application finds in the environ that is made of them. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildEnviron, type ExchangeKeys } from '../../src/gateway/environ.ts'
import { EnvironVariables } from '../../src/gateway/environ-source.ts'
import { RequestInput } from '../../src/gateway/input.ts'
import { mayHaveBody, type RequestVariables } from '../../src/gateway/request-source.ts'
import {
  deployedVariables,
  readVariables,
  SentVariables,
  type VariableSettings,
} from '../../src/gateway/sent-variables.ts'
import { MAX_REMEMBERED, SLOTS } from '../../src/gateway/variable-names.ts'
import { heldBytes } from '../support/held-bytes.ts'

const SETTINGS: VariableSettings = { variables: [], mounts: [] }

function read(list: readonly string[], settings: VariableSettings = SETTINGS): SentVariables {
  const variables = readVariables(['REQUEST_METHOD', 'GET', ...list], settings)
  if (variables instanceof SentVariables) return variables
  throw variables
}

const headersOf = (variables: RequestVariables): [string, string][] => {
  const headers: [string, string][] = []
  variables.eachHeader(({ title }, value) => headers.push([title, value]))
  return headers
}

describe('headers', () => {
  test('one that was sent twice is met once, in its first place, and one that was dropped never', () => {
    const list = [
      'HTTPS',
      'on',
      'HTTP_B',
      '1',
      'HTTP_A',
      '2',
      'HTTP_PROXY',
      'x',
      'CONTENT_TYPE',
      'text/plain',
      'HTTP_B',
      '3',
    ]
    for (const round of [1, 2]) {
      expect({ round, headers: headersOf(read(list)) }).toEqual({
        round,
        headers: [
          ['B', '1, 3'],
          ['A', '2'],
          ['Content-Type', 'text/plain'],
        ],
      })
    }
  })

  test('a name that is remembered holds nothing of the request that it came with', async () => {
    // Names as a decoder cuts them from a block: V8 makes them point into it.
    const before = await heldBytes()
    for (let index = 0; index < 100; index++) {
      const block = Buffer.alloc(100_000, 0x61).toString('latin1').concat(`HTTP_HOLDING_${index}`)
      read([block.substring(100_000), 'x', `HTTP_${block.substring(0, 90_000)}`, 'y'])
    }
    expect((await heldBytes()) - before).toBeLessThan(1_000_000)
  })

  test('with a memory of names that a client has filled, it is the same', () => {
    for (let index = 0; index <= MAX_REMEMBERED; index++) read([`HTTP_FILLING_${index}`, ''])
    // Also where the value of another one is what its variable is called.
    const list = ['HTTP_X_BEFORE', 'HTTP_X_NEW', 'HTTP_X_NEW', '1', 'HTTP_X_BETWEEN', '', 'HTTP_X_NEW', '2']
    expect(headersOf(read(list))).toEqual([
      ['X-Before', 'HTTP_X_NEW'],
      ['X-New', '1, 2'],
      ['X-Between', ''],
    ])
  })

  test('many names that nobody remembers are read in a time that grows with their number only', () => {
    const strangers = (count: number, from: number): string[] =>
      Array.from({ length: count }, (_, index) => [`HTTP_STRANGE_${from + index}`, '']).flat()
    const together = strangers(40_000, 0)
    const apart = Array.from({ length: 40 }, (_, part) => strangers(1000, 1000 * part))
    // Of this process alone: what else the machine does must not count.
    const timeOf = (lists: readonly string[][]): number => {
      const before = process.cpuUsage()
      for (const list of lists) read(list)
      return process.cpuUsage(before).user
    }
    timeOf(apart)
    // The same names in one request cost as much; where each is searched among all before it, forty times as much.
    expect(timeOf([together])).toBeLessThan(10 * timeOf(apart))
  })
})

const NAMES = [
  ...Object.keys(SLOTS).filter((name) => name !== 'REQUEST_METHOD'),
  'REMOTE_ADDR',
  'DOCUMENT_ROOT',
  'HTTP_COOKIE',
  'HTTP_X_A',
  'HTTP_PROXY',
  'HTTP_CONTENT_TYPE',
  'tsgi.input',
  'tsgi.url_scheme',
]
const SOUND = ['', '/', '/a/b', 'on', 'https', '5', 'a', 'chunked', '/m/x?y=1']
const name = fc.constantFrom(...NAMES)
const requests = fc.record({
  sent: fc.array(fc.tuple(name, fc.constantFrom(...SOUND, 'a\nb', 'a\0b')), { maxLength: 12 }),
  deployed: fc.array(
    fc.tuple(name, fc.constantFrom(...SOUND)).filter(([name, value]) => name !== 'HTTP_HOST' || !value.includes('/')),
    { maxLength: 3 },
  ),
  mounts: fc.constantFrom([], ['/m'], ['/a/b', '/a']),
})

const KEYS: ExchangeKeys = {
  input: new RequestInput(0),
  errors: { write: () => undefined, writelines: () => undefined, flush: () => undefined },
  after: () => undefined,
  signal: () => AbortSignal.abort(),
  upgrade: undefined,
  earlyHints: undefined,
  extensions: [],
}

test('they are what the rules say and what the environ has, whatever is sent and in whichever order', () => {
  let read = 0
  fc.assert(
    fc.property(requests, ({ sent, deployed, mounts }) => {
      const settings = { variables: deployedVariables(deployed), mounts, multiprocess: false, concurrent: true }
      const asSent = readVariables(['REQUEST_METHOD', 'POST', ...sent.flat()], settings)
      if (!(asSent instanceof SentVariables)) {
        expect(asSent.kind).toBe('protocol')
        return
      }
      read++
      const wanted = byTheRules(sent, deployed)
      expect(Object.fromEntries(FREE_NAMES.map((name) => [name, asSent.get(name)]))).toEqual(
        Object.fromEntries(FREE_NAMES.map((name) => [name, wanted.get(name)])),
      )
      expect(headersOf(asSent).map(([title]) => title)).toEqual(
        [...wanted.keys()]
          .map(titleOf)
          .filter((title) => title !== undefined && (title !== 'Transfer-Encoding' || !asSent.contentLength)),
      )
      const environ = buildEnviron(asSent, settings, KEYS)
      expect(factsOf(asSent)).toEqual(factsOf(new EnvironVariables(environ)))
      expect(environ['tsgi.input']).toBe(KEYS.input)
    }),
    { numRuns: 5000 },
  )
  expect(read).toBeGreaterThan(1000)
})

test('an environ that an application has spoilt is read all the same: the log still has to say which request failed', () => {
  const environ = buildEnviron(
    read(['REQUEST_URI', '/a', 'PATH_INFO', '/a']),
    { ...SETTINGS, multiprocess: false, concurrent: true },
    KEYS,
  )
  Object.assign(environ, { REQUEST_URI: new URL('http://a.example/'), HTTP_HOST: 1, SERVER_PROTOCOL: null })
  for (const name of ['REQUEST_METHOD', 'PATH_INFO', 'SCRIPT_NAME', 'QUERY_STRING'])
    Reflect.deleteProperty(environ, name)
  const { method, target, host, protocol } = new EnvironVariables(environ)
  expect({ method, target, host, protocol }).toEqual({ method: '', target: '/', host: undefined, protocol: '' })
})

test('what is deployed is no more than what an operator could mean', () => {
  expect(
    deployedVariables([
      ['HTTP_X', '1'],
      ['HTTP_PROXY', 'a\nb'],
      ['tsgi.input', 'x'],
      ['HTTP_X', '2'],
      ['MOTD', 'two\nlines'],
    ]),
  ).toEqual([
    ['HTTP_X', '2'],
    ['MOTD', 'two\nlines'],
  ])
  for (const name of ['HTTP_X', 'REQUEST_URI', 'CONTENT_TYPE']) {
    expect(() => deployedVariables([[name, 'a\nb']])).toThrow(`--environ ${name}: its value has a line break`)
  }
  expect(() => deployedVariables([['HTTP_HOST', 'a/b']])).toThrow('--environ HTTP_HOST: "a/b" is no host')
})

/** Of these nothing follows from others. */
const FREE_NAMES = NAMES.filter((name) => !/^(?:SCRIPT_NAME|PATH_INFO|SERVER_|QUERY_STRING|tsgi\.)/.test(name))

function byTheRules(sent: readonly Pair[], deployed: readonly Pair[]): Map<string, string> {
  const values = new Map<string, string>()
  const isSent = (name: string): boolean => sent.some((pair) => pair[0] === name)
  for (const [name, value] of deployed.filter((pair) => !isSent(pair[0]))) values.set(name, value)
  for (const [name, value] of sent) {
    const before = name.startsWith('HTTP_') && name !== 'HTTP_HOST' ? values.get(name) : undefined
    const separator = name === 'HTTP_COOKIE' ? '; ' : ', '
    values.set(name, before ? before + separator + value : value)
  }
  for (const name of ['HTTP_PROXY', 'HTTP_CONTENT_TYPE', 'tsgi.input', 'tsgi.url_scheme']) values.delete(name)
  for (const name of ['CONTENT_TYPE', 'CONTENT_LENGTH']) if (values.get(name) === '') values.delete(name)
  return values
}

type Pair = readonly [name: string, value: string]

function titleOf(name: string): string | undefined {
  if (!name.startsWith('HTTP_') && !name.startsWith('CONTENT_')) return undefined
  const words = name
    .replace(/^HTTP_/, '')
    .toLowerCase()
    .split('_')
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('-')
}

function factsOf(variables: RequestVariables): unknown {
  const { method, target, protocol, scheme, contentLength, transferEncoding, host, connection, upgrade, expect } =
    variables
  return {
    ...{ method, target, protocol, scheme, contentLength, transferEncoding, host, connection, upgrade, expect },
    mayHaveBody: mayHaveBody(variables),
    headers: headersOf(variables).toSorted(),
    got: NAMES.filter((name) => name !== 'tsgi.input').map((name) => [name, variables.get(name)]),
  }
}
