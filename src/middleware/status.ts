import { STATUS_CODES } from 'node:http'
import type { Status } from '../application.ts'

/** `status(404)` is `'404 Not Found'`. Without a reason of the caller's own it is the registered one. */
export function status(code: number, reason: string = STATUS_CODES[code] ?? 'Unknown'): Status {
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    throw new RangeError(`a status is a whole number from 200 to 599, not ${code}`)
  }
  return `${code} ${reason}`
}
