import type { InputStream } from '../application.ts'

/** The lines of a request body, their LF included: what iterating over the input itself does not give. */
export async function* lines(input: InputStream): AsyncGenerator<Uint8Array> {
  for (;;) {
    const line = await input.readline()
    if (line.length === 0) return
    yield line
  }
}
