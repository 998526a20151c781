/** The file of a Unix socket: whose it is, who may open it, and when it may be removed. */

import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  realpathSync,
  type Stats,
  unlinkSync,
} from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { asError, errorCode, TsgiError } from '../errors.ts'
import { holdersText } from './socket-holders.ts'
import { unixSockets } from './socket-tables.ts'

export interface SocketOwnership {
  readonly mode: number
  /** Undefined: as the process that binds. */
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/**
 * What can be told of a socket at `path` without touching anything.
 * @throws TsgiError TSGI_BIND when what is there is no socket, or its folder does not exist or takes no new file.
 */
export function requirePlace(path: string): void {
  if (findSocket(path) !== undefined) return
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK)
  } catch (thrown) {
    throw unixError(path, nameOf(asError(thrown)))
  }
}

/** @throws TsgiError TSGI_BIND when what is there is no socket, or its folder does not exist. */
function findSocket(path: string): Stats | undefined {
  const folder = dirname(path)
  // With the dot at its end a link to a folder counts as one.
  if (statOf(`${folder}/.`) === undefined) {
    throw new TsgiError(
      'TSGI_BIND',
      `unix:${path}: the folder ${folder} does not exist or may not be entered; create it first`,
    )
  }
  const found = statOf(path)
  if (found !== undefined && !found.isSocket()) {
    throw new TsgiError(
      'TSGI_BIND',
      `unix:${path}: a file that is no socket is there, and tsgi does not remove it; choose another path`,
    )
  }
  return found
}

/**
 * Makes room for a socket at `path`: a file left behind by a dead process is removed.
 * @throws TsgiError TSGI_BIND when somebody serves it, it is no socket, or its folder does not exist.
 */
export async function makeRoom(path: string): Promise<void> {
  if (findSocket(path) === undefined) return
  const reached = await tryConnect(path)
  if (reached === 'ENOENT') return
  const bound = reached === 'connected' || reached === 'EAGAIN' ? path : boundAs(path)
  if (bound !== undefined) {
    const problem =
      bound === path
        ? `another process is serving it${holdersText(listeningAt(boundAs(path) ?? path))}; stop that process, or choose another path`
        : `this is the socket that is bound already as ${bound}, by this process or another; choose another path`
    throw new TsgiError('TSGI_BIND', `unix:${path}: ${problem}`)
  }
  if (reached !== 'ECONNREFUSED') {
    throw new TsgiError(
      'TSGI_BIND',
      `unix:${path}: a socket is there and cannot be asked whether it is in use (${reached}); remove it, or choose another path`,
    )
  }
  try {
    unlinkSync(path)
  } catch (thrown) {
    const code = nameOf(asError(thrown))
    throw new TsgiError(
      'TSGI_BIND',
      `unix:${path}: a socket that nobody serves is there and user ${process.geteuid?.() ?? '?'} may not remove it (${code}); remove it, or choose another path`,
      { cause: thrown },
    )
  }
}

/** @returns why it cannot */
export function removeSocket(path: string): string | undefined {
  try {
    unlinkSync(path)
    return undefined
  } catch (thrown) {
    const code = nameOf(asError(thrown))
    // Somebody else was faster.
    if (code === 'ENOENT') return undefined
    return `unix:${path}: the file of this socket cannot be removed (${code}), so that clients go on finding it while tsgi stops; let user ${process.geteuid?.() ?? '?'} write in its folder`
  }
}

export function unixError(path: string, code: string): TsgiError {
  const remedy =
    code === 'EACCES' || code === 'EPERM'
      ? `user ${process.getuid?.() ?? '?'} may not create files in its folder; choose another folder, or start as root with --user`
      : 'choose another path'
  return new TsgiError('TSGI_BIND', `unix:${path} cannot be bound (${code}): ${remedy}`)
}

/** Runs `bind` so that nobody can connect until `own` has said who may. */
export function withPrivateFiles<T>(bind: () => T): T {
  const before = process.umask(0o177)
  try {
    return bind()
  } finally {
    process.umask(before)
  }
}

/** @throws TsgiError TSGI_BIND */
export function own(path: string, { mode, uid, gid }: SocketOwnership): void {
  try {
    withSocket(path, (file) => {
      // Owner before mode: a file given away keeps no bit that the new owner was not meant to have.
      if (uid !== undefined || gid !== undefined) chownSync(file, uid ?? -1, gid ?? -1)
      chmodSync(file, mode)
    })
  } catch (thrown) {
    throw new TsgiError(
      'TSGI_BIND',
      `unix:${path}: its owner and mode cannot be set: ${asError(thrown).message}; only root may give a socket away (--socket-owner, --socket-group)`,
      { cause: thrown },
    )
  }
}

/** open(2): names a file without opening it. Node has no constant for it. */
const O_PATH = 0o10000000
const OWN_FDS = '/proc/self/fd'

/**
 * Neither chown nor chmod may follow a path here: who may write in the folder could have put a link there by now, to a file of
 * root's.
 * @param change is called with a path that leads to this very file
 */
function withSocket(path: string, change: (file: string) => void): void {
  if (!existsSync(OWN_FDS)) {
    // Not Linux: a link is still seen, save in the moment between these two lines.
    if (!lstatSync(path).isSocket()) throw new Error('something else has taken its place')
    change(path)
    return
  }
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
  try {
    if (!fstatSync(fd).isSocket()) throw new Error('something else has taken its place')
    change(`${OWN_FDS}/${fd}`)
  } finally {
    closeSync(fd)
  }
}

/** What tells this file from one that somebody else put at the same path later. */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
}

export function identify(path: string): FileIdentity | undefined {
  const found = statOf(path)
  return found === undefined ? undefined : { dev: found.dev, ino: found.ino }
}

export function isStill(path: string, identity: FileIdentity | undefined): boolean {
  const now = identify(path)
  return now !== undefined && now.dev === identity?.dev && now.ino === identity.ino
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    // Not there, or a folder on the way may not be entered: bind will say which.
    return undefined
  }
}

/** `'connected'`, or the code of the error: ECONNREFUSED when nobody listens, EAGAIN when the queue of one who does is full. */
function tryConnect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.on('error', (error) => resolve(nameOf(error)))
  })
}

function nameOf(error: Error): string {
  return errorCode(error) ?? error.message
}

/**
 * The path by which somebody has bound it. A master that is still starting has bound its socket while nobody listens yet:
 * connecting is refused, but the kernel lists it. It may have got there through a link to a folder, and so may we.
 */
function boundAs(path: string): string | undefined {
  const paths = unixSockets().flatMap((each) => (each.mayListen && each.path !== undefined ? [each.path] : []))
  if (paths.includes(path)) return path
  const name = basename(path)
  const place = placeOf(path)
  return paths.find((each) => basename(each) === name && placeOf(each) === place)
}

/** Inodes of the sockets that were bound by this path, and may listen. */
function listeningAt(path: string): readonly string[] {
  return unixSockets().flatMap((each) => (each.mayListen && each.path === path ? [each.inode] : []))
}

/** The folder that the path leads to; undefined where it cannot be found from here. */
function placeOf(path: string): string | undefined {
  try {
    return realpathSync(dirname(path))
  } catch {
    // Of another container, or removed.
    return undefined
  }
}
