import { STATUS_CODES } from 'node:http'
import type { Status } from '../application.ts'

/** With the registered reason, where `reason` is empty. That the number is one of a status is checked by startResponse. */
export function statusLine(code: number, reason = ''): Status {
  return `${code} ${reason === '' ? (STATUS_CODES[code] ?? 'Unknown') : reason}`
}
