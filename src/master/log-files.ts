/**
 * Log files under --user: they belong to the workers, who write them too. Whoever may write in the folder of a log can put a
 * link to any file in its place (nginx had to learn it: CVE-2016-1247). So the master opens a log with the rights of the
 * workers' user, and as root does one thing only: it creates files, in folders that are out of that user's reach.
 */

import { closeSync, constants, fchownSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { asError, errorCode, TsgiError } from '../errors.ts'
import { cannotOpen } from '../log/faults.ts'
import type { OpenAs } from '../log/logger.ts'
import type { Options } from '../options/table.ts'
import type { Identity } from './privileges.ts'

const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
/** Only what was not there, not even as a link. */
const NEW = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW
const MODE = 0o640
const STICKY = 0o1000

/** path_resolution(7): the kernel follows no more either. */
const MAX_LINKS = 40

interface LogFiles {
  /**
   * Creates those that are not there, for the workers to open.
   * @throws TsgiError TSGI_USAGE
   */
  create(options: LogPaths): void
  /** As `create`; @returns what cannot be created. */
  tryCreate(options: LogPaths): readonly Error[]
  readonly openAs: OpenAs
}

type LogPaths = Pick<Options, 'logFile' | 'accessLog' | 'accessLogFile'>

/** @param identity who the workers are; undefined: who the master is, and then they create them where they open them. */
export function logFilesOf(identity: Identity | undefined): LogFiles {
  if (identity === undefined) return { create: () => undefined, tryCreate: () => [], openAs: (open) => open() }
  return {
    create: (options) => {
      for (const path of pathsOf(options)) createLogFile(identity, path)
    },
    tryCreate: (options) =>
      pathsOf(options).flatMap((path) => {
        try {
          createLogFile(identity, path)
          return []
        } catch (thrown) {
          return [asError(thrown)]
        }
      }),
    openAs: (open) => asUser(identity, open),
  }
}

function pathsOf({ logFile, accessLog, accessLogFile }: LogPaths): readonly string[] {
  return [logFile, accessLog === 'off' ? undefined : accessLogFile].filter((path) => path !== undefined)
}

/** Runs `action`, which must be done when it returns, with the rights of this user: the kernel says what those are. */
function asUser<Result>(identity: Identity, action: () => Result): Result {
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] }
  try {
    process.setgroups?.([...identity.groups])
    process.setegid?.(identity.gid)
    process.seteuid?.(identity.uid)
    return action()
  } finally {
    process.seteuid?.(own.uid)
    process.setegid?.(own.gid)
    process.setgroups?.(own.groups)
  }
}

/** What is there already stays as it is, and whose it is. */
function createLogFile(identity: Identity, path: string): void {
  try {
    closeSync(asUser(identity, () => openSync(path, NEW, MODE)))
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'EEXIST') return
    if (code !== 'EACCES') throw cannotOpen(path, thrown)
    createAsRoot(identity, path)
  }
}

function createAsRoot(identity: Identity, path: string): void {
  const folder = dirname(path)
  const user = `user ${identity.name ?? identity.uid}`
  try {
    if (isInReach(identity, folder)) {
      throw new TsgiError(
        'TSGI_USAGE',
        `cannot open the log file ${path}: ${user} may not create it, and root does not where that user could put another folder in the place of ${folder}; give the folder to ${user}, or choose one that only root can move`,
      )
    }
    const fd = openSync(path, NEW, MODE)
    try {
      fchownSync(fd, identity.uid, identity.gid)
    } finally {
      closeSync(fd)
    }
  } catch (thrown) {
    if (thrown instanceof TsgiError) throw thrown
    if (errorCode(thrown) === 'EEXIST') return
    throw cannotOpen(path, thrown)
  }
}

/** Whether the user could make `folder` another one: by what it may write there, or anywhere on the way, links included. */
function isInReach(identity: Identity, folder: string): boolean {
  const names = folder.split('/')
  let at = '/'
  for (let links = 0; links <= MAX_LINKS; ) {
    const here = lstatSync(at)
    const name = names.shift()
    if (here.uid === identity.uid) return true
    // In a sticky folder (/tmp) only an entry of its own can be moved, which the next round or the link's owner shows.
    if (mayWrite(identity, here) && (name === undefined || (here.mode & STICKY) === 0)) return true
    if (name === undefined) return false
    const next = join(at, name)
    const found = lstatSync(next)
    if (found.isSymbolicLink()) {
      if (found.uid === identity.uid) return true
      links += 1
      const target = readlinkSync(next)
      names.unshift(...target.split('/'))
      if (target.startsWith('/')) at = '/'
    } else {
      at = next
    }
  }
  return true
}

function mayWrite({ groups }: Identity, { mode, gid }: Stats): boolean {
  return (mode & constants.S_IWOTH) !== 0 || ((mode & constants.S_IWGRP) !== 0 && groups.includes(gid))
}
