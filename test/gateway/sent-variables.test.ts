/** What adapters read of the variables as they were sent is what an application finds in the environ that is made of them. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildEnviron, type ExchangeKeys } from '../../src/gateway/environ.ts'
import { EnvironVariables } from '../../src/gateway/environ-source.ts'
import { RequestInput } from '../../src/gateway/input.ts'
import { mayHaveBody, type RequestVariables } from '../../src/gateway/request-source.ts'
import { readVariables, SentVariables, type VariableSettings } from '../../src/gateway/sent-variables.ts'
import { MAX_REMEMBERED, SLOTS } from '../../src/gateway/variable-names.ts'

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

  test('ten thousand names that nobody remembers are read in a time that grows with their number only', () => {
    const timeOf = (count: number): number => {
      const list = Array.from({ length: count }, (_, index) => [`HTTP_STRANGE_${count}_${index}`, '']).flat()
      const startedMs = performance.now()
      read(list)
      return performance.now() - startedMs
    }
    timeOf(1000)
    const small = Math.min(timeOf(1001), timeOf(1002), timeOf(1003))
    const large = Math.min(timeOf(10_001), timeOf(10_002), timeOf(10_003))
    // Ten times as many; a search of all that came before would take a hundred times as long.
    expect(large).toBeLessThan(Math.max(small, 0.2) * 50)
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
]
const variable = fc.tuple(
  fc.constantFrom(...NAMES),
  fc.constantFrom('', '/', '/a/b', 'on', 'https', '5', 'a', 'chunked', 'a\nb', 'a\0b', '/m/x?y=1'),
)
const settings = fc.record({
  variables: fc.array(variable, { maxLength: 2 }),
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

test('they agree with the environ, whatever is sent and in whichever order', () => {
  let read = 0
  fc.assert(
    fc.property(fc.array(variable, { maxLength: 12 }), settings, (sent, { variables, mounts }) => {
      const settings = { variables, mounts, multiprocess: false, concurrent: true }
      const asSent = readVariables(['REQUEST_METHOD', 'POST', ...sent.flat()], settings)
      if (!(asSent instanceof SentVariables)) {
        expect(asSent.kind).toBe('protocol')
        return
      }
      read++
      const environ = buildEnviron(asSent, settings, KEYS)
      expect(factsOf(asSent)).toEqual(factsOf(new EnvironVariables(environ)))
      expect(environ['tsgi.input']).toBe(KEYS.input)
    }),
    { numRuns: 5000 },
  )
  expect(read).toBeGreaterThan(1000)
})

function factsOf(variables: RequestVariables): unknown {
  const { method, target, protocol, scheme, contentLength, transferEncoding, host, connection, upgrade, expect } =
    variables
  return {
    ...{ method, target, protocol, scheme, contentLength, transferEncoding, host, connection, upgrade, expect },
    mayHaveBody: mayHaveBody(variables),
    headers: headersOf(variables).toSorted(),
    got: NAMES.filter((name) => !name.startsWith('tsgi.')).map((name) => [name, variables.get(name)]),
  }
}
