/** The cases of the conformance list that want a tsgi of their own configuration. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Gateway, startGateways } from './gateway.ts'
import { ROWS } from './rows.ts'

const APP = join(import.meta.dirname, 'fixtures', 'app.ts')
const rows = ROWS.slice(0, 1)

async function start(...args: string[]): Promise<Gateway> {
  const [gateway] = (await startGateways(rows, APP, args)).gateways.values()
  if (gateway === undefined) throw new Error('no gateway')
  return gateway
}

const shown = async (gateway: Gateway, params: Record<string, string> = {}) =>
  JSON.parse((await gateway.ask({ path: '/', params })).text)

test('T23 several workers are multiprocess, one request at a time is not concurrent', async () => {
  const several = await start('--workers', '2')
  expect((await shown(several)).values).toMatchObject({ multiprocess: true, concurrent: true, multithread: false })
  const single = await start('--max-concurrency', '1')
  expect((await shown(single)).values).toMatchObject({ multiprocess: false, concurrent: false })
})

test('T98 with --max-concurrency 1 requests do not overlap, and none is lost', async () => {
  const gateway = await start('--max-concurrency', '1')
  const asked = Array.from({ length: 50 }, () => gateway.open({ path: '/turn' }))
  const answers = await Promise.all(asked.map(({ conversation }) => conversation.answer()))
  for (const { status, text } of answers) {
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({ mostRunning: 1 })
  }
})

test('T98 with --max-concurrency 1 a connection of many requests is served in turn', async () => {
  const [gateway] = (
    await startGateways(
      ROWS.filter(({ protocol }) => protocol === 'fastcgi'),
      APP,
      ['--max-concurrency', '1'],
    )
  ).gateways.values()
  if (gateway === undefined) throw new Error('no gateway')
  const asked = Array.from({ length: 50 }, () => gateway.open({ path: '/turn' }))
  for (const { conversation } of asked)
    expect(JSON.parse((await conversation.answer()).text)).toEqual({ mostRunning: 1 })
})

test('the deployer’s variables are there, weaker than what the front server sends', async () => {
  const gateway = await start(
    '--environ',
    'DEPLOYED=yes',
    '--environ',
    'REMOTE_ADDR=deployed',
    '--environ',
    'HTTP_X_A=deployed',
  )
  const { variables } = await shown(gateway)
  expect(variables).toMatchObject({ DEPLOYED: 'yes', REMOTE_ADDR: '192.0.2.1', HTTP_X_A: 'deployed' })
  const sent = await gateway.ask({
    path: '/',
    headers: [
      ['X-A', 'sent'],
      ['X-A', 'twice'],
    ],
  })
  expect(JSON.parse(sent.text).variables).toMatchObject({ HTTP_X_A: 'sent, twice' })
})

test('a client that keeps its side open after its request is served with --half-close ignore', async () => {
  const gateway = await start('--half-close', 'ignore')
  const gate = 'half-closed'
  const { conversation } = gateway.open({ path: `/gated?gate=${gate}` })
  conversation.endSending()
  await conversation.until('the first chunk', () => conversation.bodyText === 'one ')
  await gateway.ask(`/gate/open?gate=${gate}`)
  expect(await conversation.answer()).toMatchObject({ text: 'one two', problem: undefined })
})
