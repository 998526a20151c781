/** Tells when a source file below a folder changes. */

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join, relative } from 'node:path'
import { asError, errorCode } from '../errors.ts'

/** An editor writes a file in several steps, and "save all" writes many: what comes within this time is one change. */
const GATHER_MS = 100

const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|json)$/

export interface Watch extends Disposable {
  close(): void
}

interface WatchEvents {
  /** @param path relative to the root, of one file that changed; at most once in GATHER_MS */
  readonly changed: (path: string) => void
  /** Nothing is watched any more. @param why with the remedy */
  readonly ended: (why: string) => void
}

/**
 * Gone again meanwhile, as build tools do it, or not ours to read, as the volume of a database: without a watcher nothing is
 * amiss, as nothing that the application loads is in it.
 */
const NOT_TO_BE_WATCHED: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']

/** inotify(7), "ERRORS". */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the kernel watches no more folders for this user; raise it with sysctl fs.inotify.max_user_watches=524288',
  EMFILE: 'the kernel has no more watchers for this user; raise it with sysctl fs.inotify.max_user_instances=1024',
}

/** One watcher for each folder: `recursive` on Linux walks node_modules too, with a watcher for every file in it. */
export function watchSources(root: string, events: WatchEvents): Watch {
  const watchers = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined

  const notice = (path: string) => {
    timer ??= setTimeout(() => {
      timer = undefined
      events.changed(relative(root, path))
    }, GATHER_MS)
  }

  const forget = (folder: string) => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }

  const close = () => {
    clearTimeout(timer)
    for (const folder of [...watchers.keys()]) forget(folder)
  }

  /** @returns whether to go on */
  const addFolder = (folder: string, found: (path: string) => void): boolean => {
    if (watchers.has(folder)) return true
    try {
      watchers.set(folder, watchFolder(folder))
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (isIgnored(entry.name)) continue
        const path = join(folder, entry.name)
        if (entry.isDirectory()) {
          if (!addFolder(path, found)) return false
        } else if (SOURCE_FILE.test(entry.name)) found(path)
      }
      return true
    } catch (thrown) {
      forget(folder)
      const { code, message } = asSystemError(thrown)
      if (folder !== root && NOT_TO_BE_WATCHED.includes(code)) return true
      close()
      events.ended(REMEDIES[code] ?? message)
      return false
    }
  }

  const watchFolder = (folder: string): FSWatcher => {
    const watcher = watch(folder, (_event, name) => {
      if (name === null || isIgnored(name)) return
      const path = join(folder, name)
      // What was in a new folder before it was watched has changed as well.
      if (isFolder(path)) addFolder(path, notice)
      else if (SOURCE_FILE.test(name)) notice(path)
      else forget(path)
    })
    // The folder was removed or cannot be read any more: there is nothing left to watch in it.
    watcher.on('error', () => forget(folder))
    return watcher
  }

  addFolder(root, () => undefined)
  return { close, [Symbol.dispose]: close }
}

function isIgnored(name: string): boolean {
  return name === 'node_modules' || name.startsWith('.')
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch {
    // It cannot even be asked about.
    return false
  }
}

function asSystemError(thrown: unknown): { readonly code: string; readonly message: string } {
  const error = asError(thrown)
  return { code: errorCode(error) ?? '', message: error.message }
}
