/** Where in an application's files the syntax is wrong. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { isError } from '../../errors.ts'

const DEADLINE_MS = 10_000

/** What Node prints before the stack: the place, the line, and marks below it. */
const PLACE = /^file:\S+:\d+\n.*\n.*\n/m

/**
 * Of a syntax error in an ES module Node says the place only where nobody catches the error, so another process is let fail
 * of it. No line of the application runs there: all modules are compiled before the first, which ends the process.
 * @param url of the module whose import threw `error`
 * @returns `error`, its stack beginning with the place where that is known
 */
export async function located(error: unknown, url: string): Promise<unknown> {
  if (!isError(error) || !(error instanceof SyntaxError) || placeOf(error) !== undefined) return error
  const script = `import 'data:text/javascript,process.exit()'; import ${JSON.stringify(url)}`
  const printed = await failureOf(script)
  const place = printed.includes(error.message) ? PLACE.exec(printed)?.[0] : undefined
  if (place !== undefined) error.stack = `${place}${error.stack}`
  return error
}

function failureOf(script: string): Promise<string> {
  // What the operator preloads would run a second time.
  const env = { ...process.env, NODE_OPTIONS: '' }
  return new Promise((resolve) => {
    const options = { env, timeout: DEADLINE_MS, killSignal: 'SIGKILL' as const }
    execFile(process.execPath, ['--input-type=module', '--eval', script], options, (_failed, _stdout, stderr) => {
      resolve(stderr)
    })
  })
}

/** `/srv/app/routes.mjs:3`, where the stack begins with it. */
export function placeOf({ stack = '' }: SyntaxError): string | undefined {
  const [, url, line] = /^(file:\S+|\/.*):(\d+)\n/.exec(stack) ?? []
  if (url === undefined) return undefined
  return `${url.startsWith('file:') ? fileURLToPath(url) : url}:${line}`
}
