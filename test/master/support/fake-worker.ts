/**
 * A worker without any protocol: it speaks the channel, really listens, and answers each line it is sent. What it does while it
 * loads and drains, the "application" file says.
 */

import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { MessageChannel } from '../../../src/channel.ts'
import { parseMasterMessage, parseSocketMessage } from '../../../src/message-schemas.ts'
import type { MasterMessage, WorkerBoot, WorkerMessage } from '../../../src/messages.ts'
import { adopt, isRawHandle, isRawListener, type RawListener } from '../../../src/worker/raw-handle.ts'

export interface Behaviour {
  readonly version: string
  readonly load?: 'fail' | 'crash' | 'hang'
  /** Goes on serving, and never leaves. */
  readonly drain?: 'ignore'
  readonly tickMs?: number
}

const channelSocket = new Socket({ fd: 3 })
const channel = new MessageChannel<MasterMessage, WorkerMessage>(channelSocket, parseMasterMessage, {
  message: hear,
  close: () => process.exit(0),
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined)

let boot: WorkerBoot
let behaviour: Behaviour = { version: 'none' }
let draining = false
const listeners = new Set<RawListener>()
const connections = new Set<Socket>()
let requestsTotal = 0

function hear(message: MasterMessage): void {
  if (message.kind === 'boot') load(message.boot)
  else if (message.kind === 'quit') process.exit(0)
  else if (message.kind === 'drain' && behaviour.drain !== 'ignore') {
    draining = true
    for (const listener of listeners) listener.close()
    leaveIfDone()
  }
}

function load(mine: WorkerBoot): void {
  boot = mine
  // The file holds what a test wrote there.
  behaviour = JSON.parse(readFileSync(boot.application, 'utf8')) as Behaviour
  if (behaviour.load === 'crash') process.exit(7)
  if (behaviour.load === 'hang') return
  if (behaviour.load === 'fail') {
    const message = `broken code of version ${behaviour.version}`
    channel.send({ kind: 'failed', exitCode: 3, message, stack: `Error: ${message}\n    at deploy.ts:1:1` }, () =>
      process.exit(3),
    )
    return
  }
  channel.send({ kind: 'want-sockets' })
}

process.on('message', (message, handle: unknown) => {
  const about = parseSocketMessage(message)
  if (about !== undefined && 'arrived' in about) return
  if (!isRawListener(handle)) throw new Error('the master sent no listening handle')
  if (draining) {
    handle.close()
    return
  }
  listeners.add(handle)
  handle.onconnection = (status, client) => {
    if (status !== 0 || !isRawHandle(client)) return
    const socket = adopt(client, {})
    connections.add(socket)
    socket.on('data', (line) => answer(String(line).trim(), socket))
    socket.on('end', () => socket.end())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      connections.delete(socket)
      leaveIfDone()
    })
    socket.resume()
  }
  const error = handle.listen(128)
  if (error !== 0) throw new Error(`listen: ${error}`)
  if (listeners.size === boot.listeners.length) {
    channel.send({ kind: 'ready', bootMs: 1, interface: 'fake' })
    setInterval(tick, behaviour.tickMs ?? 100)
  }
})

function tick(): void {
  channel.send({
    kind: 'tick',
    tick: {
      connections: connections.size,
      requestsInFlight: 0,
      requestsTotal,
      oldestRequestMs: 0,
      rssBytes: process.memoryUsage.rss(),
      eventLoopUtilization: 0,
      counters: [],
    },
  })
}

function answer(command: string, socket: Socket): void {
  requestsTotal += 1
  if (command === 'hang') for (;;);
  if (command === 'retire') channel.send({ kind: 'retire', why: 'asked to' })
  if (command.startsWith('exit ')) process.exit(Number(command.slice('exit '.length)))
  const { slot, generation } = boot
  const who = {
    pid: process.pid,
    slot,
    generation,
    version: behaviour.version,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    groups: process.getgroups?.(),
    cwd: process.cwd(),
    variable: process.env['FAKE_VARIABLE'],
    home: process.env['HOME'],
    systemd: Object.keys(process.env).filter((name) => /^(?:NOTIFY_SOCKET|WATCHDOG_)/.test(name)),
  }
  socket.end(JSON.stringify(who), () => {
    // The master kills for it: not before the answer is out.
    if (command === 'garbage') channelSocket.write(Buffer.alloc(64, 0xff))
  })
}

function leaveIfDone(): void {
  if (!draining || connections.size > 0) return
  channel.send({ kind: 'bye' }, () => process.exit(0))
}
