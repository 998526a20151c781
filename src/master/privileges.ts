/** Who the workers are. The master may be root, to bind and to open logs; no line of the application runs as root then. */

import { TsgiError } from '../errors.ts'
import type { Options } from '../options/table.ts'
import { splitOnce } from '../split-once.ts'
import { findGroup, findUser, groupsOf } from './accounts.ts'

export interface Identity {
  readonly uid: number
  readonly gid: number
  /** All of them, `gid` included. */
  readonly groups: readonly number[]
  readonly name: string | undefined
  readonly home: string | undefined
}

/**
 * Who --user and --group say the workers are; undefined: who the master is.
 * @throws TsgiError TSGI_USAGE for an unknown name, or where only root could do it.
 */
export function workerIdentity(options: {
  readonly user: string | undefined
  readonly group: string | undefined
}): Identity | undefined {
  if (options.user === undefined && options.group === undefined) return undefined
  const own = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  const user = findUser(options.user ?? String(own.uid))
  const gid = options.group === undefined ? user.gid : findGroup(options.group)
  if (gid === undefined) {
    throw new TsgiError(
      'TSGI_USAGE',
      `user ${options.user} has no entry in /etc/passwd that names its group; add --group`,
    )
  }
  if (own.uid !== 0) {
    if (user.uid === own.uid && gid === own.gid) return undefined
    throw new TsgiError(
      'TSGI_USAGE',
      `only root can run workers as another user or group (--user, --group); this is user ${own.uid}`,
    )
  }
  return { uid: user.uid, gid, groups: groupsOf(user.name, gid), name: user.name, home: user.home }
}

/** What a worker is started with: `--env` has the last word. */
export function workerEnvironment(
  environment: NodeJS.ProcessEnv,
  identity: Identity | undefined,
  options: Pick<Options, 'env'>,
): NodeJS.ProcessEnv {
  const variables = options.env.map((pair) => splitOnce(pair, '='))
  return { ...environment, ...identityVariables(identity), ...Object.fromEntries(variables) }
}

/** What a login would set; `undefined` leaves the master's. */
function identityVariables(identity: Identity | undefined): Readonly<Record<string, string>> {
  if (identity?.name === undefined) return {}
  const home = identity.home === undefined ? {} : { HOME: identity.home }
  return { USER: identity.name, LOGNAME: identity.name, ...home }
}

/** The arguments of become.ts. */
export function becomeArguments(identity: Identity): readonly string[] {
  return [String(identity.uid), String(identity.gid), identity.groups.join(',')]
}
