/** Runs in a process of its own: loads the application as a worker would, asks it, and answers with what was found. */

import { Socket } from 'node:net'
import { MessageChannel } from '../channel.ts'
import { asError } from '../errors.ts'
import { handlerApplication } from '../gateway/environ-source.ts'
import { requestInMemory } from '../gateway/memory.ts'
import { createLog } from '../log/logger.ts'
import { MESSAGES_FD } from '../messages.ts'
import { validate } from '../middleware/validate.ts'
import type { Options } from '../options/table.ts'
import { bootApplication } from '../worker/boot.ts'
import { exchangeSettings } from '../worker/exchange-settings.ts'
import { fileSize } from '../worker/file-wrapper.ts'
import { type CheckAnswer, type CheckedRequest, type CheckOrder, parseCheckOrder } from './check-messages.ts'

/** For an application without --request-timeout. */
const ANSWER_TIMEOUT_MS = 30_000
/** How the validator marks what is only a doubt. */
const WARNING = / \(warning\)$/

async function answerTo({ application: spec, options: plain, paths }: CheckOrder): Promise<CheckAnswer> {
  // Parsed by the process that sent it, which runs the same build.
  const options = plain as unknown as Options
  const log = createLog({ level: options.logLevel, format: options.logFormat, file: undefined, name: 'tsgi check' })
  try {
    const loaded = await bootApplication(spec, options, log)
    const late: Error[] = []
    await loaded.startup?.((error) => late.push(error))
    const application = handlerApplication(loaded.handler)
    const requests: CheckedRequest[] = []
    for (const path of paths) requests.push(await ask(application, path, options))
    await loaded.shutdown?.()
    if (late[0] !== undefined) throw late[0]
    return { kind: 'done', requests }
  } catch (error) {
    return { kind: 'failed', message: asError(error).message }
  }
}

async function ask(
  application: Parameters<typeof validate>[0],
  path: string,
  options: Options,
): Promise<CheckedRequest> {
  const found: string[] = []
  const limitMs = options.requestTimeoutMs || ANSWER_TIMEOUT_MS
  const checked = validate(application, { onViolation: (violation) => found.push(violation) })
  const { environ, extensions, maxBodyBytes, closeTimeoutMs } = exchangeSettings(options)
  const startedMs = performance.now()
  const signal = AbortSignal.timeout(limitMs)
  const response = await requestInMemory(
    checked,
    { path, signal },
    { environ, extensions, maxBodyBytes, closeTimeoutMs, fileSize },
  )
  const problems = [...found.filter((text) => !WARNING.test(text))]
  for (const error of response.errors) problems.push(asError(error).stack ?? asError(error).message)
  if (signal.aborted) problems.push(`no whole response within ${limitMs} ms`)
  else if (!response.complete) problems.push('the response broke off')
  return {
    path,
    status: response.statusLine,
    bytes: response.body.length,
    durationMs: performance.now() - startedMs,
    problems,
    warnings: [
      ...found.filter((text) => WARNING.test(text)).map((text) => text.replace(WARNING, '')),
      ...response.warnings,
    ],
  }
}

const channel = new MessageChannel<CheckOrder, CheckAnswer>(new Socket({ fd: MESSAGES_FD }), parseCheckOrder, {
  message: (order) => {
    void answerTo(order).then((answer) => channel.send(answer))
  },
  close: () => process.exit(1),
})
