/** Asks an application for paths, in a process of its own: without a socket, and with every rule of the interface checked. */

import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MessageChannel } from '../channel.ts'
import { TsgiError } from '../errors.ts'
import { workerEnvironment, workerIdentity } from '../master/privileges.ts'
import { nodeArguments } from '../master/worker-process.ts'
import { MESSAGES_FD } from '../messages.ts'
import type { Options } from '../options/table.ts'
import { ownModule } from '../own-module.ts'
import { type CheckAnswer, type CheckedRequest, type CheckOrder, parseCheckAnswer } from './check-messages.ts'
import { withCleanEnd } from './clean-end.ts'

/** @throws TsgiError TSGI_RUN when there is no answer to be had: the process ended */
export async function checkRequests(
  application: string,
  paths: readonly string[],
  options: Options,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly CheckedRequest[]> {
  const identity = workerIdentity(options)
  const child = spawn(process.execPath, nodeArguments(fileURLToPath(ownModule('cli/check-child')), identity), {
    // What the application prints is no output of ours.
    stdio: ['ignore', 2, 2, 'pipe'],
    env: workerEnvironment(environment, identity, options),
    ...(options.chdir === undefined ? {} : { cwd: options.chdir }),
  })
  const pipe = child.stdio[MESSAGES_FD]
  if (!(pipe instanceof Duplex)) throw new TsgiError('TSGI_RUN', 'no pipe to the process that asks the application')
  let answer: CheckAnswer | undefined
  const channel = new MessageChannel<CheckAnswer, CheckOrder>(pipe, parseCheckAnswer, {
    message: (message) => {
      answer = message
      child.kill('SIGKILL') // whatever the application has left running
    },
    close: () => undefined,
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code ?? 'unknown'}`))
  })
  channel.send({ application, options, paths })
  const end = await withCleanEnd(
    () => ended,
    () => void child.kill('SIGKILL'),
  )
  if (answer === undefined) throw new TsgiError('TSGI_RUN', `the application ended the process that asked it (${end})`)
  if (answer.kind === 'failed') throw new TsgiError('TSGI_RUN', answer.message)
  return answer.requests
}
