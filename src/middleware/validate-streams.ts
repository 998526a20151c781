/** What an application may do with the two streams, and what it must get from them (PEP 3333, "Input and Error Streams"). */

import type { ErrorStream, InputStream } from '../application.ts'
import { describe } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'
import type { Violations } from './violations.ts'

/** @param isOver the response has ended: the body must not be read any more */
export function checkedInput(input: InputStream, violations: Violations, isOver: () => boolean): InputStream {
  const before = (method: string, args: readonly unknown[]) => {
    if (isOver()) violations.report(`tsgi.input.${method} was called after the response had ended`)
    if (args.length > 1) violations.report(`tsgi.input.${method} takes one argument at most, not ${args.length}`)
    const [size] = args
    if (size !== undefined && !(typeof size === 'number' && Number.isInteger(size) && size >= 0)) {
      violations.report(`tsgi.input.${method} takes a whole number of bytes from 0, not ${describe(size)}`)
    }
  }
  const bytes = (method: string, value: Uint8Array): Uint8Array => {
    if (!isBytes(value)) violations.report(`tsgi.input.${method} gave ${describe(value)}, not a Uint8Array`)
    return value
  }
  return {
    async read(...args: [size?: number]) {
      before('read', args)
      return bytes('read', await input.read(...args))
    },
    async readline(...args: [size?: number]) {
      before('readline', args)
      return bytes('readline', await input.readline(...args))
    },
    async readlines(...args: [hint?: number]) {
      before('readlines', args)
      return (await input.readlines(...args)).map((line) => bytes('readlines', line))
    },
    async *[Symbol.asyncIterator]() {
      before('[Symbol.asyncIterator]', [])
      for await (const chunk of input) yield bytes('[Symbol.asyncIterator]', chunk)
    },
  }
}

export function checkedErrors(errors: ErrorStream, violations: Violations): ErrorStream {
  const isText = (method: string, value: unknown) => {
    if (typeof value !== 'string') violations.report(`tsgi.errors.${method} takes strings, not ${describe(value)}`)
  }
  return {
    write(...args: [string: string]) {
      if (args.length !== 1) violations.report(`tsgi.errors.write takes one argument, not ${args.length}`)
      isText('write', args[0])
      errors.write(...args)
    },
    writelines(lines) {
      const all = [...lines]
      for (const line of all) isText('writelines', line)
      errors.writelines(all)
    },
    flush: () => errors.flush(),
  }
}
