/** Whether an application boots: in a worker like any other, on a socket that nobody knows. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ERRORS, errorCode, TsgiError } from '../errors.ts'
import { workerEnvironment, workerIdentity } from '../master/privileges.ts'
import { Sockets } from '../master/sockets.ts'
import { startWorker, type WorkerProcess, workerMain } from '../master/worker-process.ts'
import type { WorkerMessage } from '../messages.ts'
import type { Options } from '../options/table.ts'
import { withCleanEnd } from './clean-end.ts'

export type Checked =
  | { readonly ok: true; readonly interface: string; readonly bootMs: number }
  | { readonly ok: false; readonly exitCode: number; readonly message: string; readonly stack: string }

/** What a check must not touch: the addresses and the files of the tsgi that may be running. */
const ASIDE = {
  fastcgi: [],
  scgi: [],
  http: [],
  socket: [],
  socketOwner: undefined,
  socketGroup: undefined,
  accessLog: 'off',
  accessLogFile: undefined,
  logFile: undefined,
} satisfies Partial<Options>

/** @throws TsgiError TSGI_USAGE for a --user that cannot be */
export async function checkApplication(
  application: string,
  given: Options,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Checked> {
  const identity = workerIdentity(given)
  const folder = temporaryFolder()
  const options: Options = { ...given, ...ASIDE, uwsgi: [`unix:${join(folder, 'check.sock')}`] }
  const sockets = new Sockets(identity, [])
  let worker: WorkerProcess | undefined
  const boot = async (): Promise<Checked> => {
    const listeners = await sockets.bind(options)
    return new Promise((resolve) => {
      let answer: Checked | undefined
      const hear = (message: WorkerMessage): void => {
        if (message.kind === 'want-sockets') {
          for (const [index, { handle }] of listeners.entries()) worker?.hand(handle, { listener: index, last: false })
        }
        if (message.kind !== 'ready' && message.kind !== 'failed') return
        answer = message.kind === 'ready' ? { ok: true, ...message } : { ok: false, ...message }
        worker?.send({ kind: 'quit', why: 'the check is done' })
      }
      const late = setTimeout(() => {
        answer ??= failure(`it is not ready after ${options.bootTimeoutMs / 1000} seconds (--boot-timeout)`)
        worker?.kill('SIGKILL')
      }, options.bootTimeoutMs || undefined)
      if (options.bootTimeoutMs === 0) clearTimeout(late)
      worker = startWorker(
        {
          main: workerMain(),
          boot: { slot: 1, generation: 1, application, options, listeners: listeners.map(({ info }) => info) },
          environment: workerEnvironment(environment, identity, options),
          cwd: options.chdir,
          identity,
          stdout: STDERR_FD,
        },
        {
          message: hear,
          handedOver: (_connection, handle) => handle.close(),
          misspoke: (error) => {
            answer ??= failure(`it wrote to the descriptor of tsgi's messages: ${error.message}`)
            worker?.kill('SIGKILL')
          },
          exit: ({ code, signal, error }) => {
            clearTimeout(late)
            resolve(
              answer ?? failure(error ?? `it ended its process with ${signal ?? `exit code ${code ?? 'unknown'}`}`),
            )
          },
        },
      )
    })
  }
  return withCleanEnd(boot, () => {
    worker?.kill('SIGKILL')
    sockets.keepOnly([])
    rmSync(folder, { recursive: true, force: true })
  })
}

/** @throws TsgiError TSGI_RUN */
function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'tsgi-check-'))
  } catch (error) {
    throw new TsgiError(
      'TSGI_RUN',
      `no folder can be made in ${tmpdir()} (${errorCode(error)}), where the check has its socket: let TMPDIR name one that this user may write to`,
      { cause: error },
    )
  }
}

/** What the application prints is no output of ours. */
const STDERR_FD = 2

function failure(message: string): Checked {
  return { ok: false, exitCode: ERRORS.TSGI_LOAD.exitCode, message, stack: '' }
}
