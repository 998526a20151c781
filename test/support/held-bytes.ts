import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

/** What this process holds, after collections. Buffers are freed behind the collector's back: it is asked again until it finds nothing more. */
export async function heldBytes(): Promise<number> {
  if (typeof collectGarbage !== 'function') throw new Error('no gc')
  for (let round = 0; round < 4; round += 1) {
    collectGarbage()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
