/** Tells when a source file below a folder changes. */

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join, relative } from 'node:path'

/** An editor writes a file in several steps, and "save all" writes many: what comes within this time is one change. */
const GATHER_MS = 100

const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|json)$/

export interface Watch extends Disposable {
  close(): void
}

/**
 * One watcher for each folder: `recursive` on Linux walks node_modules too, with a watcher for every file in it.
 * @param changed gets the path, relative to `root`, of one file that changed; at most once in GATHER_MS
 */
export function watchSources(root: string, changed: (path: string) => void): Watch {
  const watchers = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined

  const notice = (path: string) => {
    timer ??= setTimeout(() => {
      timer = undefined
      changed(relative(root, path))
    }, GATHER_MS)
  }

  const forget = (folder: string) => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }

  const addFolder = (folder: string, found: (path: string) => void) => {
    if (watchers.has(folder)) return
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
    watchers.set(folder, watcher)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (isIgnored(entry.name)) continue
      if (entry.isDirectory()) addFolder(join(folder, entry.name), found)
      else if (SOURCE_FILE.test(entry.name)) found(join(folder, entry.name))
    }
  }

  const close = () => {
    clearTimeout(timer)
    for (const folder of [...watchers.keys()]) forget(folder)
  }

  addFolder(root, () => undefined)
  return { close, [Symbol.dispose]: close }
}

function isIgnored(name: string): boolean {
  return name === 'node_modules' || name.startsWith('.')
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
