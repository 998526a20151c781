/** What programs ask, as a Node listener: `/api/version`, `/api/upload` and, for trying out what waiting does, `/api/slow?ms=`. */

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

const MAX_WAIT_MS = 60_000

export async function api(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  // Below its mount or, where it is served alone, below nothing.
  const path = url.pathname.replace(/^\/api(?=\/)/, '')
  if (path === '/version')
    return answer(response, 200, { version: process.env['SITE_VERSION'] ?? '', pid: process.pid })
  if (path === '/upload' && request.method === 'POST') return answer(response, 200, await digest(request))
  if (path === '/slow') {
    await delay(Math.min(MAX_WAIT_MS, Number(url.searchParams.get('ms') ?? 1000)))
    return answer(response, 200, { pid: process.pid })
  }
  return answer(response, 404, { error: 'there is no such thing' })
}

async function digest(request: IncomingMessage): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

function answer(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(value))
}
