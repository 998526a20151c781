/** Users and groups by name, as /etc/passwd and /etc/group say (passwd(5), group(5)). A number needs no entry there. */

import { readFileSync } from 'node:fs'
import { TsgiError } from '../errors.ts'

export interface User {
  readonly uid: number
  /** Undefined for a bare number without an entry. */
  readonly name: string | undefined
  readonly gid: number | undefined
  readonly home: string | undefined
}

/** @throws TsgiError TSGI_USAGE when there is no such user. */
export function findUser(nameOrId: string, passwd = readTable('/etc/passwd')): User {
  // name:password:uid:gid:comment:home:shell
  for (const [name, , uid, gid, , home] of rows(passwd)) {
    if (name === nameOrId || uid === nameOrId) return { uid: Number(uid), name, gid: Number(gid), home }
  }
  if (isId(nameOrId)) return { uid: Number(nameOrId), name: undefined, gid: undefined, home: undefined }
  throw new TsgiError('TSGI_USAGE', `there is no user ${nameOrId} in /etc/passwd; create it, or give its number`)
}

/** @throws TsgiError TSGI_USAGE when there is no such group. */
export function findGroup(nameOrId: string, group = readTable('/etc/group')): number {
  // name:password:gid:members
  for (const [name, , gid] of rows(group)) if (name === nameOrId || gid === nameOrId) return Number(gid)
  if (isId(nameOrId)) return Number(nameOrId)
  throw new TsgiError('TSGI_USAGE', `there is no group ${nameOrId} in /etc/group; create it, or give its number`)
}

/** The supplementary groups that a login as this user would have, `gid` first. */
export function groupsOf(
  userName: string | undefined,
  gid: number,
  group = readTable('/etc/group'),
): readonly number[] {
  const groups = new Set([gid])
  for (const [, , id, members] of rows(group)) {
    if (userName !== undefined && (members ?? '').split(',').includes(userName)) groups.add(Number(id))
  }
  return [...groups]
}

function rows(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text)
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A container without the file: only numbers work there.
    return ''
  }
}
