/** The folder that the user is in, as the user calls it. */

import { statSync } from 'node:fs'

/**
 * `/srv/current` rather than the release that it points to now: after the link was changed, a reload finds the new one.
 * @param shell the variable PWD, believed only while it leads to the same folder (POSIX, "pwd -L")
 */
export function logicalFolder(physical: string, shell: string | undefined): string {
  if (shell === undefined || !shell.startsWith('/')) return physical
  try {
    const [a, b] = [statSync(physical), statSync(shell)]
    return a.dev === b.dev && a.ino === b.ino ? shell : physical
  } catch {
    // PWD names what is no longer there: a variable left over.
    return physical
  }
}
