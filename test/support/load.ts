/** Constant load over many kept connections, for minutes: what each answer was, counted. */

import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import { stopAfterTests } from './started.ts'

export interface LoadOptions {
  readonly url: string
  /** Default GET. */
  readonly method?: string
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Requests in flight at any time. Default 8. */
  readonly connections?: number
  /** A new connection for each request. Default false. */
  readonly closeConnections?: boolean
  /**
   * Asks once more where a connection that had served before was closed without a byte of an answer, as browsers, curl and
   * others do for requests that may run twice (RFC 9112 section 9.3.1). Default false.
   */
  readonly retryOnClosedConnection?: boolean
  readonly timeoutMs?: number
  /** Given each whole body of an answer. */
  readonly onBody?: (text: string) => void
}

export interface Tally {
  readonly total: number
  /** By status: `{ 200: 1234 }`. A status counts once its whole body arrived. */
  readonly statuses: Readonly<Record<number, number>>
  /** By error code; an answer that broke off counts here. */
  readonly errors: Readonly<Record<string, number>>
  /** Closed connections that were no failure: see `retryOnClosedConnection`. */
  readonly retried: number
  /** The longest time between two answers, and the slowest answer. */
  readonly longestGapMs: number
  readonly slowestMs: number
}

export interface Load {
  readonly tally: () => Tally
  /** Lets what is in flight finish. */
  readonly stop: () => Promise<Tally>
}

interface Answer {
  readonly status?: number
  readonly error?: string
  /** A kept connection was closed while the request was on its way. */
  readonly stale?: boolean
}

export function constantLoad(options: LoadOptions): Load {
  const { url, method = 'GET', body, headers = {}, connections = 8, timeoutMs = 30_000 } = options
  // An agent with maxSockets keeps connections while requests wait for one, whatever keepAlive says.
  const agent =
    options.closeConnections === true
      ? new Agent({ keepAlive: false })
      : new Agent({ keepAlive: true, maxSockets: connections })
  const statuses: Record<number, number> = {}
  const errors: Record<string, number> = {}
  let total = 0
  let longestGapMs = 0
  let slowestMs = 0
  let answeredMs = performance.now()
  const used = new WeakSet<Socket>()
  let retried = 0
  let stopping = false

  const once = (): Promise<Answer> =>
    new Promise((resolve) => {
      const outgoing = request(url, { method, headers, agent, timeout: timeoutMs }, (response) => {
        let text = ''
        if (options.onBody === undefined) response.resume()
        else response.on('data', (chunk) => (text += String(chunk)))
        response.once('error', (error: NodeJS.ErrnoException) => resolve({ error: `broken: ${error.code}` }))
        response.once('end', () => {
          options.onBody?.(text)
          resolve({ status: response.statusCode ?? 0 })
        })
        response.once('close', () => resolve({ error: 'broken: closed' }))
      })
      // `outgoing.reusedSocket` is false for a request that waited until a connection was free.
      let reused = false
      outgoing.once('socket', (socket) => {
        reused = used.has(socket)
        used.add(socket)
      })
      outgoing.once('timeout', () => outgoing.destroy(Object.assign(new Error('timeout'), { code: 'TIMEOUT' })))
      outgoing.once('error', (error: NodeJS.ErrnoException) => {
        const stale = reused && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')
        resolve({ error: error.code ?? error.message, stale })
      })
      outgoing.end(body)
    })

  const loop = async (): Promise<void> => {
    while (!stopping) {
      const startedMs = performance.now()
      let answer = await once()
      // One that another request has just freed may be closed as well; one that is new is not.
      for (
        let left = connections;
        answer.stale === true && options.retryOnClosedConnection === true && left > 0;
        left--
      ) {
        retried += 1
        answer = await once()
      }
      const { status, error } = answer
      const nowMs = performance.now()
      total += 1
      slowestMs = Math.max(slowestMs, nowMs - startedMs)
      if (status !== undefined) {
        longestGapMs = Math.max(longestGapMs, nowMs - answeredMs)
        answeredMs = nowMs
        statuses[status] = (statuses[status] ?? 0) + 1
      }
      if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1
    }
  }
  const loops = Promise.all(Array.from({ length: connections }, loop))
  const tally = (): Tally => ({
    total,
    statuses: { ...statuses },
    errors: { ...errors },
    retried,
    longestGapMs,
    slowestMs,
  })
  const stop = async (): Promise<Tally> => {
    stopping = true
    await loops
    agent.destroy()
    return tally()
  }
  stopAfterTests(stop)
  return { tally, stop }
}
