/**
 * tsgi's own files may be replaced while the master runs (npm install). Workers are started from what is there by then, and
 * master and workers understand each other only where they are of one version.
 */

import { asError, TsgiError } from '../errors.ts'
import { packageVersion } from '../package-version.ts'

/** Of what runs here: read as this module is. */
const VERSION = packageVersion()

/**
 * @returns what is wrong with the version that is installed by now; undefined: it is ours
 * @throws TsgiError TSGI_RUN where none is
 */
export function otherVersion(): string | undefined {
  const installed = installedVersion()
  if (installed === VERSION) return undefined
  return `tsgi ${installed} is installed by now, and the master that runs is ${VERSION}: restart it`
}

/** @throws TsgiError TSGI_RUN where a worker that is started now would be of another version, or cannot be started */
export function requireOwnVersion(): void {
  const problem = otherVersion()
  if (problem !== undefined) throw new TsgiError('TSGI_RUN', problem)
}

function installedVersion(): string {
  try {
    return packageVersion()
  } catch (thrown) {
    const { message } = asError(thrown)
    throw new TsgiError('TSGI_RUN', `the files of tsgi ${VERSION}, which runs, are gone (${message}): restart it`, {
      cause: thrown,
    })
  }
}
