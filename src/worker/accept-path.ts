/** Which of the two ways to accept a worker takes (`handle-transport.ts` is the fast one). */

import { TsgiError } from '../errors.ts'
import type { Log } from '../log/logger.ts'
import { probeFastAccept } from './raw-handle.ts'

/** `TSGI_ACCEPT`, for tests: `fast` fails where the probe does, `documented` skips it. */
const PATHS = ['auto', 'fast', 'documented'] as const

/** @throws TsgiError TSGI_USAGE | TSGI_RUN */
export async function wantsFastAccept(log: Log): Promise<boolean> {
  const wanted = process.env['TSGI_ACCEPT'] ?? 'auto'
  if (!PATHS.some((path) => path === wanted)) {
    throw new TsgiError('TSGI_USAGE', `TSGI_ACCEPT is ${JSON.stringify(wanted)}; it can be ${PATHS.join(', ')}`)
  }
  if (wanted === 'documented') return false
  const works = await probeFastAccept()
  if (!works && wanted === 'fast') {
    throw new TsgiError('TSGI_RUN', `the fast accept path does not work on Node ${process.version}`)
  }
  if (!works) log.info({ node: process.version }, 'the fast accept path does not work here: the documented one is used')
  return works
}
