import v8 from 'node:v8'
import vm from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

/** Leaves in memory what is reachable, and gives the rest back: finalizers run between the collections. */
export async function settle() {
  for (let pass = 0; pass < 3; pass++) {
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await new Promise((resolve) => setImmediate(resolve))
  }
}
