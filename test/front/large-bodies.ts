/** Bodies larger than anybody should hold in memory, and what they cost the worker. */

import { type HttpResponse, httpRequest } from '../support/http-client.ts'
import type { Front } from '../support/nginx.ts'
import { rssBytes } from '../support/proc.ts'

export const MB = 1_000_000

/** What a body may cost the worker, whatever its size. */
export const ALLOWED_GROWTH_BYTES = 32 * 1024 * 1024

/** 1 MB at a time, so that this process holds no more than that. */
export function* pieces(bytes: number): Generator<Uint8Array> {
  const piece = Buffer.alloc(MB, 'tsgi')
  for (let sent = 0; sent < bytes; sent += MB) yield piece
}

/** @returns the application's count and sum of what came */
export const upload = (front: Front, bytes: number): Promise<HttpResponse> =>
  httpRequest(front, {
    method: 'POST',
    path: '/sum',
    headers: [['Content-Length', String(bytes)]],
    body: pieces(bytes),
  })

/** The most resident memory that the worker had while `action` ran. */
export async function mostRssBytes(worker: number, action: () => Promise<unknown>): Promise<number> {
  let most = rssBytes(worker)
  const sampling = setInterval(() => {
    most = Math.max(most, rssBytes(worker))
  }, 10)
  try {
    await action()
  } finally {
    clearInterval(sampling)
  }
  return most
}
