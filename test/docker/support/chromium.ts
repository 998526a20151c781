/** Headless Chromium, spoken to in its own protocol: what a visitor sees and does. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { commandPath } from '../../support/peers.ts'
import { until } from '../../support/until.ts'

export interface Browser {
  /** Resolves when the page has loaded. */
  readonly open: (url: string) => Promise<void>
  /** The value of an expression in the page. */
  readonly evaluate: (expression: string) => Promise<unknown>
  readonly screenshot: (path: string) => Promise<void>
  readonly close: () => Promise<void>
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--window-size=1000,700',
  '--remote-debugging-port=0',
]

const START_DEADLINE_MS = 60_000

export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'tsgi-chromium-'))
  const child = spawn(commandPath('chromium'), [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: 'ignore',
  })
  const stop = async () => {
    await end(child)
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const tab = await until('Chromium answers', () => findTab(profile), START_DEADLINE_MS)
    const session = await openSession(tab)
    await session.send('Page.enable')
    return {
      open: async (url) => {
        const loaded = session.event('Page.loadEventFired')
        await session.send('Page.navigate', { url })
        await loaded
      },
      evaluate: async (expression) => {
        const answer = await session.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
        return member(member(answer, 'result'), 'value')
      },
      screenshot: async (path) => {
        const answer = await session.send('Page.captureScreenshot', { format: 'png' })
        writeFileSync(path, Buffer.from(String(member(answer, 'data')), 'base64'))
      },
      close: async () => {
        session.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await exited
  clearTimeout(late)
}

/** The debugger's address of the first tab, once Chromium has written where it listens. */
async function findTab(profile: string): Promise<string | undefined> {
  try {
    const [port] = readFileSync(join(profile, 'DevToolsActivePort'), 'utf8').split('\n')
    const tabs: unknown = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()
    const address = Array.isArray(tabs) ? tabs.map((tab) => member(tab, 'webSocketDebuggerUrl'))[0] : undefined
    return typeof address === 'string' ? address : undefined
  } catch {
    // Not yet.
    return undefined
  }
}

interface Session {
  readonly send: (method: string, params?: object) => Promise<unknown>
  readonly event: (method: string) => Promise<void>
  readonly close: () => void
}

async function openSession(address: string): Promise<Session> {
  const socket = new WebSocket(address)
  await once(socket, 'open')
  const answers = new Map<unknown, (message: unknown) => void>()
  const events = new Map<unknown, () => void>()
  let lastId = 0
  socket.on('message', (data: Buffer) => {
    const message: unknown = JSON.parse(data.toString())
    answers.get(member(message, 'id'))?.(message)
    events.get(member(message, 'method'))?.()
  })
  return {
    send: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++lastId
        answers.set(id, (message) => {
          answers.delete(id)
          const error = member(message, 'error')
          if (error === undefined) resolve(member(message, 'result'))
          else reject(new Error(`${method}: ${JSON.stringify(error)}`))
        })
        socket.send(JSON.stringify({ id, method, params }))
      }),
    event: (method) =>
      new Promise((resolve) => {
        events.set(method, () => {
          events.delete(method)
          resolve()
        })
      }),
    close: () => socket.close(),
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
