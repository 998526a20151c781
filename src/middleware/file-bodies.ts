import type { Environ, FileWrapper } from '../application.ts'

/**
 * Remembers what `tsgi.file_wrapper` makes for this environ, a copy of the caller's: such a body must reach the gateway as the very
 * object, or it is no file to it any more.
 * @returns whether a body is one of them
 */
export function trackFileBodies(environ: Environ): (body: object) => boolean {
  const wrapper = environ['tsgi.file_wrapper']
  if (wrapper === undefined) return () => false
  const made = new WeakSet<object>()
  const remember: FileWrapper = (...args) => {
    const body = wrapper(...args)
    made.add(body)
    return body
  }
  environ['tsgi.file_wrapper'] = remember
  return (body) => made.has(body)
}
