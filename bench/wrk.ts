/** wrk(1), the load generator: one thread, so that it leaves what it can of a small machine to the others. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Load {
  readonly requests: number
  readonly requestsPerSecond: number
  /** 99 of 100 answers came within this time. */
  readonly p99Ms: number
}

/** @throws where an answer was no success, or did not come */
export async function wrk(url: string, connections: number, seconds: number): Promise<Load> {
  const { stdout } = await promisify(execFile)('wrk', wrkArguments(url, connections, seconds))
  return readLoad(stdout)
}

export function wrkArguments(url: string, connections: number, seconds: number): string[] {
  const args = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`]
  return [...args, '--latency', '--timeout', '10s', url]
}

/** @throws where an answer was no success, or did not come */
export function readLoad(stdout: string): Load {
  const wrong = /^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$/m.exec(stdout)
  if (wrong !== null) throw new Error(`wrk: ${wrong[1]}`)
  return {
    requests: number(stdout, /^\s*(\d+) requests in /m),
    requestsPerSecond: number(stdout, /^Requests\/sec:\s*([\d.]+)/m),
    p99Ms: milliseconds(stdout, /^\s*99%\s*([\d.]+)(us|ms|s|m)\s*$/m),
  }
}

function number(output: string, pattern: RegExp): number {
  const match = pattern.exec(output)
  if (match === null) throw new Error(`wrk printed no ${pattern}:\n${output}`)
  return Number(match[1])
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

const milliseconds = (output: string, pattern: RegExp): number =>
  number(output, pattern) * (UNIT_MS[pattern.exec(output)?.[2] ?? ''] ?? Number.NaN)
