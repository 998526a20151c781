/** Values from requests in log lines: what a client sent can neither end a field nor a line, nor reach a terminal as a command. */

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
const SPECIAL = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g

/** Quotes, backslashes, control characters and everything beyond ASCII as `\xNN` (`\uNNNN` where it is no byte). */
export function escapeText(value: string): string {
  return PLAIN.test(value) ? value : value.replace(SPECIAL, (unit) => escapeUnit(unit.charCodeAt(0)))
}

/** The inside of a JSON string, in ASCII. */
export function escapeJson(value: string): string {
  return PLAIN.test(value) ? value : value.replace(SPECIAL, jsonUnit)
}

function escapeUnit(code: number): string {
  return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
}

function jsonUnit(unit: string): string {
  if (unit === '"' || unit === '\\') return `\\${unit}`
  return `\\u${hex(unit.charCodeAt(0), 4)}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
