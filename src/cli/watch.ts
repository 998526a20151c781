/** Tells when a source file below a folder changes. */

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join, relative } from 'node:path'

/** An editor writes a file in several steps, and "save all" writes many. */
const DEBOUNCE_MS = 100

const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|json)$/

export interface Watch extends Disposable {
  close(): void
}

/**
 * One watcher for each folder: `recursive` on Linux walks node_modules too, with a watcher for every file in it.
 * @param changed gets the path, relative to `root`, of one file that changed; at most once in DEBOUNCE_MS
 */
export function watchSources(root: string, changed: (path: string) => void): Watch {
  const watchers = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined

  const notice = (path: string) => {
    clearTimeout(timer)
    timer = setTimeout(() => changed(relative(root, path)), DEBOUNCE_MS)
  }

  const forget = (folder: string) => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }

  const addFolder = (folder: string) => {
    if (watchers.has(folder)) return
    const watcher = watch(folder, (_event, name) => {
      if (name === null || isIgnored(name)) return
      const path = join(folder, name)
      if (isFolder(path)) addFolder(path)
      else if (SOURCE_FILE.test(name)) notice(path)
      else forget(path)
    })
    // The folder was removed or cannot be read any more: there is nothing left to watch in it.
    watcher.on('error', () => forget(folder))
    watchers.set(folder, watcher)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !isIgnored(entry.name)) addFolder(join(folder, entry.name))
    }
  }

  const close = () => {
    clearTimeout(timer)
    for (const folder of [...watchers.keys()]) forget(folder)
  }

  addFolder(root)
  return { close, [Symbol.dispose]: close }
}

function isIgnored(name: string): boolean {
  return name === 'node_modules' || name.startsWith('.')
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
