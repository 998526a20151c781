/** Stacks of errors, as V8 writes them. */

const FRAME = /^ +at /

export const isFrame = (line: string): boolean => FRAME.test(line)

/** Without the frames that `isForeign` names; the lines of the message stay. */
export function withoutFrames(stack: string, isForeign: (frame: string) => boolean): string {
  return stack
    .split('\n')
    .filter((line) => !isFrame(line) || !isForeign(line))
    .join('\n')
}
