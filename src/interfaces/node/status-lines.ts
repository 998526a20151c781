/** The status of a Node response, without the text of a status line that would be taken apart again. */

import http from 'node:http'
import type { Status } from '../../application.ts'

interface StatusLine {
  readonly reason: string
  readonly status: Status
  /** What stands for the head in `_header`: not empty, and sent by nobody. */
  readonly header: string
}

const usual = new Map<number, StatusLine>()
for (const [code, reason = ''] of Object.entries(http.STATUS_CODES)) {
  usual.set(Number(code), lineOf(Number(code), reason))
}

function lineOf(code: number, reason: string): StatusLine {
  const status: Status = `${code} ${reason}`
  return { reason, status, header: `HTTP/1.1 ${status}\r\n\r\n` }
}

/** Undefined where the response has a reason of its own, or nobody knows one for its status. */
export function usualLine({ statusCode, statusMessage }: http.ServerResponse): StatusLine | undefined {
  const line = usual.get(statusCode)
  return line === undefined || (statusMessage && statusMessage !== line.reason) ? undefined : line
}

/** Once `writeHead` has completed status and reason. */
export function statusLine(response: http.ServerResponse): StatusLine {
  return usualLine(response) ?? lineOf(response.statusCode, response.statusMessage)
}
