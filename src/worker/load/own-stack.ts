/** The part of a stack that is the author's: what called the file, and how it was found and compiled, is ours and Node's. */

import { causes, TsgiError } from '../../errors.ts'
import { isFrame, withoutFrames } from '../../stack-text.ts'

const LOADERS = /\(?node:|[/\\]tsx[/\\]dist[/\\]|[/\\]esbuild[/\\]lib[/\\]/

/** What every file passes through while it is loaded. Other files of tsgi stay: what fails there may be a mistake of ours. */
const STEPS = [
  'worker/load/application',
  'worker/load/typescript',
  'worker/load/own-stack',
  'worker/boot',
  'worker/main',
  'cli/config-child',
  'errors',
].map((file) => new URL(`../../${file}.`, import.meta.url).href)

export function ownFrames(stack: string): string {
  return withoutFrames(stack, (frame) => LOADERS.test(frame) || STEPS.some((file) => frame.includes(file)))
}

/** Where the application failed; nothing where the message says all. What tsgi found to be wrong is in the message. */
export function stackOf(error: Error): string {
  if (error instanceof TsgiError && error.kind === 'usage') return ''
  return causes(error)
    .filter((each) => !(each instanceof TsgiError))
    .map(({ stack, message }) => ownFrames(stack ?? message))
    .filter((stack) => !isSaid(stack, error.message))
    .join('\ncaused by: ')
}

/** No frame, and no line that is not in the message. Of several lines the first is a heading (esbuild). */
function isSaid(stack: string, message: string): boolean {
  const [first = '', ...others] = stack.split('\n')
  const lines = others.length > 0 ? others : [first.replace(/^[\w ]+(?: \[\w+\])?: /, '')]
  return lines.every((line) => !isFrame(line) && message.includes(line))
}
