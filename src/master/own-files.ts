/**
 * tsgi's own files may be replaced while the master runs (npm install), or be left behind with the release that they are part of.
 * Workers are started from what is there by then, and master and workers understand each other only where they are of one version.
 */

import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { asError, TsgiError } from '../errors.ts'
import { moveOwnHome, ownHome, ownModule } from '../own-module.ts'
import { packageVersion } from '../package-version.ts'

/** Of what runs here: read as this module is. */
const VERSION = packageVersion()

export class OwnFiles {
  readonly #program: string | undefined

  /**
   * @param program what was started, `/srv/current/node_modules/.bin/tsgi`: once the link leads to another release, the tsgi in that
   *     one is meant, as the first may be deleted then. Nothing is followed where this is not how our command line is called.
   */
  constructor(program: string | undefined) {
    const isOurs = program !== undefined && resolved(program) === fileURLToPath(ownModule('cli/main'))
    this.#program = isOurs ? program : undefined
  }

  /**
   * What is started after this is of the files that are there by now, where those are of our version.
   * @returns what is wrong with the version that is installed by now; undefined: it is ours
   * @throws TsgiError TSGI_RUN where none is
   */
  otherVersion(): string | undefined {
    const home = this.#newestHome()
    const installed = installedVersion(home)
    if (installed !== VERSION)
      return `tsgi ${installed} is installed by now, and the master that runs is ${VERSION}: restart it`
    moveOwnHome(home)
    return undefined
  }

  /** @throws TsgiError TSGI_RUN where a worker that is started now would be of another version, or cannot be started */
  requireOwnVersion(): void {
    const problem = this.otherVersion()
    if (problem !== undefined) throw new TsgiError('TSGI_RUN', problem)
  }

  #newestHome(): URL {
    const main = this.#program === undefined ? undefined : resolved(this.#program)
    if (main === undefined) return ownHome()
    const home = new URL('..', pathToFileURL(main))
    return existsSync(new URL('../package.json', home)) ? home : ownHome()
  }
}

function resolved(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    // A link that leads nowhere, between two releases.
    return undefined
  }
}

function installedVersion(home: URL): string {
  try {
    return packageVersion(home)
  } catch (thrown) {
    const { message } = asError(thrown)
    throw new TsgiError('TSGI_RUN', `the files of tsgi ${VERSION}, which runs, are gone (${message}): restart it`, {
      cause: thrown,
    })
  }
}
