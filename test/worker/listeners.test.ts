import { BlockList, connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { errorCode } from '../../src/errors.ts'
import { createLog } from '../../src/log/logger.ts'
import { type Listener, Sockets } from '../../src/master/sockets.ts'
import type { ListenerInfo } from '../../src/messages.ts'
import { Listeners } from '../../src/worker/listeners.ts'
import type { RawHandle } from '../../src/worker/raw-handle.ts'
import { tempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'

async function bind(): Promise<readonly Listener[]> {
  const directory = tempDir('tsgi-listeners-')
  const sockets = new Sockets(undefined, [])
  onTestFinished(() => sockets.keepOnly([]))
  const uwsgi = ['a.sock', 'b.sock'].map((name) => `unix:${join(directory, name)}`)
  const others = { fastcgi: [], scgi: [], http: [], socket: [] }
  return sockets.bind({ uwsgi, ...others, socketMode: 0o600, socketOwner: undefined, socketGroup: undefined })
}

function listenersOn(bound: readonly Listener[]): { listeners: Listeners; accepted: string[] } {
  const accepted: string[] = []
  const settings = {
    backlog: 8,
    fast: true,
    allowed: new BlockList(),
    tls: undefined,
    handshakeTimeoutMs: 0,
    proxyProtocol: false,
    log: createLog({ level: 'silent', format: 'json', name: 'test' }),
  }
  const listeners = new Listeners(
    bound.map(({ info }) => info),
    settings,
    {
      acceptHandle: (handle: RawHandle, { address }: ListenerInfo) => {
        accepted.push(address)
        handle.close()
        return false
      },
      acceptSocket: (socket) => void socket.destroy(),
      refuse: (socket) => void socket.destroy(),
      handshakeEnded: () => undefined,
      descriptorsScarce: () => undefined,
      cannotListen: (error) => {
        throw error
      },
    },
  )
  return { listeners, accepted }
}

/** What becomes of a connection: `connected`, or the code of its error. */
function outcomeAt({ info: { address } }: Listener): Promise<unknown> {
  const socket = connect(address.slice('unix:'.length))
  onTestFinished(() => void socket.destroy())
  return new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'))
    socket.once('error', (error) => resolve(errorCode(error)))
  })
}

test('nobody is accepted before all sockets are there: until then a worker ends as one that serves nobody', async () => {
  const bound = await bind()
  const { listeners, accepted } = listenersOn(bound)
  for (const [index, each] of bound.entries()) {
    expect(listeners.complete).toBe(false)
    expect(await outcomeAt(each)).toBe('ECONNREFUSED')
    listeners.add(index, each.handle)
  }
  expect(listeners.complete).toBe(true)
  for (const each of bound) expect(await outcomeAt(each)).toBe('connected')
  await until('both are accepted', () => accepted.length === 2)
  expect(accepted).toEqual(bound.map(({ info }) => info.address))
  listeners.release()
})

test('what has come of the sockets is closed with the others', async () => {
  const bound = await bind()
  const { listeners } = listenersOn(bound)
  const [first] = bound
  let closed = false
  listeners.add(0, {
    ...{ onconnection: null, listen: () => 0 },
    close: () => {
      closed = true
    },
  })
  listeners.release()
  expect(closed).toBe(true)
  expect(first && (await outcomeAt(first))).toBe('ECONNREFUSED')
})
