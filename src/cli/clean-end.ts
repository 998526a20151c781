/** A command that a signal ends leaves nothing behind: no child that hangs, no folder. */

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/**
 * Runs `work`, then `cleanUp`, which also runs before one of these signals ends the process.
 * @param cleanUp synchronous, as nothing else runs any more
 */
export async function withCleanEnd<T>(work: () => Promise<T>, cleanUp: () => void): Promise<T> {
  const end = (signal: NodeJS.Signals): void => {
    ignore()
    cleanUp()
    // Without its handler, so that whoever waits for this process learns how it ended.
    process.kill(process.pid, signal)
  }
  const ignore = (): void => {
    for (const signal of ENDING) process.removeListener(signal, end)
  }
  for (const signal of ENDING) process.on(signal, end)
  try {
    return await work()
  } finally {
    ignore()
    cleanUp()
  }
}
