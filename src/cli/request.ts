/** `tsgi request URL`: asks an application socket as a front server would; the exit code tells the class of the status. */

import { exchange } from '../client/exchange.ts'
import type { ResponseHead } from '../client/request.ts'
import { asError, errorCode, TsgiError } from '../errors.ts'
import { REQUEST_EXTRAS, type RequestArguments, readRequestArguments } from './request-arguments.ts'
import { summaryText } from './request-summary.ts'
import { refuseExtras, type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { isTerminal, print, printBytes, printError } from './terminal.ts'

const TAKEN: readonly string[] = ['config', 'chdir']

export const request: Subcommand = {
  name: 'request',
  operands: '[URL]',
  summary: 'Send a request to an application socket, as a front server would.',
  description:
    'curl for gateway sockets: sends one request over uwsgi, FastCGI, SCGI or HTTP and prints what comes back. URL is ' +
    'http://host/path, or /path alone. Where the socket is in tsgi.config.ts or TSGI_UWSGI it need not be named.',
  options: VISIBLE_OPTIONS.filter((option) => TAKEN.includes(option.key)),
  extras: REQUEST_EXTRAS,
  notes: () =>
    'Exit codes: 0 for a status of 2xx or 3xx, 4 for 4xx, 5 for 5xx, 1 for no answer\n' +
    'or one that broke off, 2 for a mistake in the command. With --repeat, that of\n' +
    'the worst answer.',
  examples: [
    { command: 'tsgi request --uwsgi /run/app/app.sock http://example.com/', explanation: 'Is it the application?' },
    {
      command:
        "tsgi request --fastcgi 127.0.0.1:9000 /orders -i -d '{}' \\\n          -H 'Content-Type: application/json'",
      explanation: 'A POST, and the head of its response.',
    },
    {
      command: 'tsgi request --uwsgi /run/app/app.sock /health --timeout 3 > /dev/null',
      explanation: 'A health check: the exit code tells.',
    },
  ],
  run: async (invocation) => {
    refuseExtras(invocation, 1, 'one URL at a time')
    const given = await readRequestArguments(invocation)
    return given.repeat === 1 ? (await ask(given, PRINTED)).exitCode : await askRepeatedly(given)
  },
}

/** What is done with a response while it arrives. */
interface Receiver {
  readonly head: (head: ResponseHead, given: RequestArguments) => void
  /** False: nobody reads on. */
  readonly body: (chunk: Uint8Array) => Promise<boolean>
}

const PRINTED: Receiver = {
  head: (head, given) => {
    if (!given.showHead) return
    const fields = head.headers.map(([name, value]) => `${name}: ${value}`)
    print([`HTTP/1.1 ${head.status} ${head.reason}`.trimEnd(), ...fields, ''].join('\n'))
  },
  body: printBytes,
}

const COUNTED: Receiver = { head: () => undefined, body: async () => true }

export interface Asked {
  /** Of the response; undefined: no head came. */
  readonly status: number | undefined
  readonly exitCode: number
  readonly ms: number
  readonly problem: string | undefined
}

async function askRepeatedly(given: RequestArguments): Promise<number> {
  const all: Asked[] = []
  for (let count = 0; count < given.repeat; count += 1) all.push(await ask(given, COUNTED))
  print(summaryText(all))
  // No answer is worse than any; a 5xx is worse than a 4xx.
  return [1, 5, 4].find((code) => all.some(({ exitCode }) => exitCode === code)) ?? 0
}

async function ask(given: RequestArguments, receiver: Receiver): Promise<Asked> {
  const { place, protocol, timeoutMs } = given
  const startedMs = performance.now()
  const timeout = new AbortController()
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => timeout.abort(new TimedOut(timeoutMs)), timeoutMs)
  let head: ResponseHead | undefined
  let lastByte: number | undefined
  let problem: string | undefined = 'the connection broke off'
  try {
    for await (const event of exchange({ place, protocol, request: given.request, signal: timeout.signal })) {
      if (event.kind === 'head') {
        head = event.head
        if (head.status === 0) throw new Error(`what answers there does not speak ${protocol}: no status line came`)
        receiver.head(head, given)
      } else if (event.kind === 'body') {
        lastByte = event.chunk.at(-1) ?? lastByte
        if (!(await receiver.body(event.chunk))) return finished(head, undefined, startedMs)
      } else if (event.kind === 'errors') printError(event.text.trimEnd())
      else
        problem = event.problem === undefined || head !== undefined ? event.problem : unanswered(event.problem, given)
    }
  } catch (error) {
    // The variables do not fit into a packet: for whoever wrote them.
    if (error instanceof TsgiError) throw error
    problem = failureText(asError(timeout.signal.aborted ? timeout.signal.reason : error), given, head !== undefined)
  } finally {
    clearTimeout(timer)
  }
  if (lastByte !== undefined && lastByte !== NEWLINE && isTerminal() && receiver === PRINTED) print('')
  if (problem !== undefined && receiver === PRINTED) printError(`tsgi: ${given.address}: ${problem}`)
  return finished(head, problem, startedMs)
}

const NEWLINE = 0x0a

class TimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`not complete within ${timeoutMs / 1000} s (--timeout)`)
  }
}

function finished(head: ResponseHead | undefined, problem: string | undefined, startedMs: number): Asked {
  const status = head === undefined || head.status === 0 ? undefined : head.status
  return { status, exitCode: exitCodeOf(status, problem), ms: performance.now() - startedMs, problem }
}

function exitCodeOf(status: number | undefined, problem: string | undefined): number {
  if (status === undefined || problem !== undefined) return 1
  if (status >= 500) return 5
  return status >= 400 ? 4 : 0
}

function unanswered(problem: string, { protocol }: RequestArguments): string {
  return `${problem}; does it speak ${protocol} there? The log of tsgi says more`
}

function failureText(error: Error, given: RequestArguments, hasHead: boolean): string {
  const code = errorCode(error) ?? ''
  const remedy = REMEDIES[code]
  if (error instanceof TimedOut || code === '') return error.message
  if (hasHead) return `the response broke off (${code})`
  return remedy === undefined ? unanswered(error.message, given) : `${remedy} (${code})`
}

/** By the error code of the system: what it means for a gateway socket. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket: is tsgi running, and is this the path that it was given?',
  ECONNREFUSED: 'nobody listens there: tsgi is not running, has no worker yet, or ended without removing its socket',
  EACCES: 'this user may not connect: see --socket-mode and --socket-group of tsgi serve',
  EAGAIN: 'the queue of waiting connections is full: the workers do not keep up (--workers, --backlog)',
  ENOTSOCK: 'this is no socket',
  ECONNRESET: 'the connection was reset before an answer: the log of tsgi says why',
  EPIPE: 'the connection was closed before the request was sent: the log of tsgi says why',
  HPE_INVALID_CONSTANT: 'what answers there does not speak HTTP',
}
