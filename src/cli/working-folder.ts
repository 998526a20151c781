/** The folder that the user is in, as the user calls it. */

import { accessSync, constants, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { TsgiError } from '../errors.ts'

/**
 * Where a deployment has put another folder in the place of the one that the shell is in, that is the one which is meant.
 * @param shell the variable PWD
 * @throws TsgiError TSGI_USAGE where there is none any more
 */
export function workingFolder(shell: string | undefined): string {
  try {
    return logicalFolder(process.cwd(), shell)
  } catch (error) {
    if (shell === undefined || !mayEnter(shell)) {
      throw new TsgiError('TSGI_USAGE', 'the current folder does not exist any more: change to another', {
        cause: error,
      })
    }
    process.chdir(shell)
    return shell
  }
}

/** @returns `path` through the link `folder`, where it is below what that leads to: the link stays when a release goes */
export function logicalPath(path: string, physical: string, folder: string): string {
  const above = `${physical}${sep}`
  return path.startsWith(above) ? join(folder, path.slice(above.length)) : path
}

/** One may be in a folder that one could not enter: `sudo -u` keeps it. */
export function mayEnter(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK)
    return statSync(folder).isDirectory()
  } catch {
    // Gone, or closed to this user: the answer is no.
    return false
  }
}

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
