import { expect, test } from 'vitest'
import { requestInMemory } from '../../src/gateway/memory.ts'
import { sentVariables } from '../../src/gateway/sent.ts'
import { eachHeader } from '../../src/interfaces/request-headers.ts'

type Headers = readonly (readonly [name: string, value: string])[]

/** The headers as an interface sees them: through the list of what was sent, and, without it, through the environ. */
async function seen(headers: Headers): Promise<Headers> {
  const bySent: [string, string][] = []
  const byEnviron: [string, string][] = []
  await requestInMemory(
    (environ, startResponse) => {
      eachHeader(environ, ({ title }, value) => byEnviron.push([title, value]))
      const sent = sentVariables(environ)
      expect(sent).toBeDefined()
      eachHeader(environ, ({ title }, value) => bySent.push([title, value]), sent)
      startResponse('204 No Content', [])
      return []
    },
    { headers },
  )
  expect(bySent.toSorted()).toEqual(byEnviron.toSorted())
  return bySent.filter(([name]) => name.startsWith('X-'))
}

test.each(['while names are remembered', 'with a memory that a client has filled'])(
  '%s, a header is seen',
  async (when) => {
    if (when.includes('filled')) {
      for (let index = 0; index < 1100; index++) await seen([[`X-Filling-${index}`, '']])
    }
    const name = `X-${when.length}`
    const variable = `HTTP_X_${when.length}`
    // Also where the value of another one is what its variable is called.
    expect(
      await seen([
        ['X-Before', variable],
        [name, 'there'],
      ]),
    ).toEqual([
      ['X-Before', variable],
      [name, 'there'],
    ])
    // Once, where it was sent twice.
    expect(
      await seen([
        [name, '1'],
        ['X-Between', variable],
        [name, '2'],
      ]),
    ).toEqual([
      [name, '1, 2'],
      ['X-Between', variable],
    ])
  },
)
