/** Says when the file of a socket goes away under a running service: all else looks well then, and nobody can connect. */

import type { MasterLog } from './report.ts'

const WATCH_INTERVAL_MS = 2000

/**
 * @param findUnreachable addresses of Unix sockets whose file is not ours any more
 * @returns ends the watch
 */
export function watchSockets(findUnreachable: () => readonly string[], log: MasterLog): () => void {
  let known: readonly string[] = []
  const timer = setInterval(() => {
    const unreachable = findUnreachable()
    for (const address of unreachable.filter((each) => !known.includes(each))) {
      const message = `${address}: its file was removed or replaced, so that nobody can connect; a reload (SIGHUP) binds it anew`
      log.error({ address }, message)
    }
    known = unreachable
  }, WATCH_INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
