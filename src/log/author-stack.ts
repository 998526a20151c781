/** The stack of an error as whoever wrote the application reads it: without the frames of tsgi, unless the fault may be there. */

import { TsgiError } from '../errors.ts'
import { isFrame, withoutFrames } from '../stack-text.ts'

/** `file:///srv/app/node_modules/tsgi/dist/` */
const HOME = new URL('..', import.meta.url).href

/** Where a value that is no Error is put into one. */
const WRAPPING = new URL('../errors.', import.meta.url).href

/** @param stack of the error and, after "caused by: ", of its causes */
export function authorStack(stack: string, error: unknown): string {
  const [first = '', ...causes] = stack.split(/\n(?=caused by: )/)
  // What tsgi finds wrong with an application is thrown in tsgi, and no fault of its own.
  const own = error instanceof TsgiError ? withoutOurs(first) : unlessOurs(first)
  return [own, ...causes.map(unlessOurs)].join('\n')
}

function unlessOurs(section: string): string {
  const thrownAt = section.split('\n').find(isFrame) ?? ''
  return thrownAt.includes(HOME) && !thrownAt.includes(WRAPPING) ? section : withoutOurs(section)
}

/** Nor with what is left of the way into the application: frames of Node at the end. */
function withoutOurs(section: string): string {
  const lines = withoutFrames(section, (frame) => frame.includes(HOME)).split('\n')
  const end = lines.findLastIndex((line) => !isFrame(line) || !/\(?node:/.test(line))
  return lines.slice(0, end + 1).join('\n')
}
