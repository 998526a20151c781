/** A real master as a process of its own, with fake workers, and what a test asks of both. */

import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Config } from '../../../src/options/define-config.ts'
import { childPids, isAlive } from '../../support/proc.ts'
import { type ServerProcess, startServer } from '../../support/server-process.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { until } from '../../support/until.ts'
import type { Behaviour } from './fake-worker.ts'

export interface Who {
  readonly pid: number
  readonly slot: number
  readonly generation: number
  readonly version: string
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly cwd: string
  readonly variable?: string
  readonly home?: string
  /** Variables of sd_notify(3). */
  readonly systemd: readonly string[]
}

export interface FakePool {
  readonly server: ServerProcess
  readonly socket: string
  readonly control: string
  readonly directory: string
  /** Replaces the application: what the next worker loads. */
  readonly deploy: (behaviour: Behaviour) => void
  /** Replaces the configuration; the socket and the control socket stay unless named. */
  readonly configure: (config: Config) => void
  /** One connection, one line, the worker's answer. Waits in the queue as long as it takes. */
  readonly ask: (command?: string, path?: string) => Promise<Who>
  readonly workerPids: () => number[]
}

interface PoolOptions {
  readonly config?: Config
  readonly behaviour?: Behaviour
  readonly env?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly waitUntilReady?: boolean
}

const program = join(import.meta.dirname, 'master-program.ts')

export async function startFakePool(options: PoolOptions = {}): Promise<FakePool> {
  const directory = options.directory ?? tempDir('tsgi-pool-')
  const socket = join(directory, 'app.sock')
  const control = join(directory, 'ctl.sock')
  const application = join(directory, 'application.json')
  const configPath = join(directory, 'config.json')
  const deploy = (behaviour: Behaviour): void => writeFileSync(application, JSON.stringify(behaviour))
  const configure = (config: Config): void =>
    writeFileSync(configPath, JSON.stringify({ uwsgi: [socket], control, workers: 2, logFormat: 'json', ...config }))
  deploy(options.behaviour ?? { version: 'one' })
  configure(options.config ?? {})
  const server = startServer({
    name: 'master',
    command: process.execPath,
    args: ['--import', import.meta.resolve('tsx'), program, application, configPath],
    env: { ...options.env },
    stopDeadlineMs: 5000,
  })
  if (options.waitUntilReady !== false) await server.waitForLog(/"msg":"ready/)
  return {
    server,
    socket,
    control,
    directory,
    deploy,
    configure,
    ask: (command = 'who', path = socket) => ask(path, command),
    // Beside the workers a child of tsx's own may be there.
    workerPids: () => childPids(server.pid).filter(isFakeWorker),
  }
}

export function ask(path: string, command: string): Promise<Who> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    socket.on('connect', () => socket.write(`${command}\n`))
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('error', reject)
    socket.on('close', () => {
      if (text === '') reject(new Error('closed without an answer'))
      // What the fake worker writes.
      else resolve(JSON.parse(text) as Who)
    })
  })
}

function isFakeWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('fake-worker')
  } catch {
    // Gone meanwhile.
    return false
  }
}

export const gone = (pids: readonly number[], deadlineMs = 5000): Promise<true> =>
  until(`processes ${pids.join(', ')} are gone`, () => pids.every((pid) => !isAlive(pid)), deadlineMs)
