/** How each kind of contender is started. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findCommand, isInstalled, PEERS } from '../scripts/peers.mjs'
import type { Absent, Place } from './contender.ts'
import type { Launch } from './run.ts'

const here = import.meta.dirname
export const appFile = (name: string): string => join(here, 'apps', name)

/** What npm fetched for the benchmark alone: not among the dependencies, since nothing else needs it. */
export const moduleCache = join(here, '..', 'node_modules', '.cache', 'tsgi-bench')

export interface TsgiLaunch {
  readonly protocol: 'uwsgi' | 'fastcgi' | 'http'
  /** Default: the application that every tsgi tutorial begins with. */
  readonly app?: string
  readonly args?: (place: Place) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Default: the build under measurement. */
  readonly commandLine?: string
}

/** As the README says: the built command line, one worker, everything else as it comes. */
export const tsgi =
  ({ protocol, app = 'hello.mjs', args, env = {}, commandLine }: TsgiLaunch) =>
  (place: Place): Launch => {
    const { id, settings, socket } = place
    const { profiles } = settings
    const preload = `--import ${pathToFileURL(join(here, 'profile.mjs')).href}`
    const profiled =
      profiles === undefined ? {} : { NODE_OPTIONS: preload, BENCH_PROFILES: profiles, BENCH_CONTENDER: id }
    const serve = ['serve', appFile(app), `--${protocol}`, socket, '--workers', '1', ...(args?.(place) ?? [])]
    return {
      command: settings.node,
      args: [commandLine ?? settings.tsgi, ...serve],
      env: { BENCH_MODULES: moduleCache, ...profiled, ...env },
    }
  }

/** The `listen` of a file in apps/: the same application on node:http, or on what else the file is about. */
export const listening =
  (app: string) =>
  ({ settings, socket }: Place): Launch => ({
    command: settings.node,
    args: [appFile('listen.mjs'), appFile(app), socket],
    env: { BENCH_MODULES: moduleCache },
  })

export const uwsgiPython = ({ socket }: Place): Launch | Absent => {
  const command = findCommand('uwsgi')
  const plugin = PEERS.find((peer) => peer.package === 'uwsgi-plugin-python3')
  if (command === undefined || (plugin !== undefined && !isInstalled(plugin))) {
    return { absent: 'not installed; Debian: apt-get install uwsgi-core uwsgi-plugin-python3' }
  }
  const args = ['--plugin', 'python3', '--wsgi-file', appFile('hello.py'), '--processes', '1']
  return {
    command,
    args: [...args, '--socket', socket, '--listen', '1024', '--disable-logging', '--need-app', '--die-on-term'],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  }
}

export const gunicorn = ({ socket }: Place): Launch | Absent => {
  const command = findCommand('gunicorn')
  if (command === undefined) return { absent: 'not installed; Debian: apt-get install gunicorn' }
  return {
    command,
    args: ['--workers', '1', '--bind', `unix:${socket}`, '--chdir', join(here, 'apps'), 'hello:application'],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  }
}

/** @param program a file beside this one: the least JavaScript that can answer */
export const floor =
  (program: string) =>
  ({ settings, socket }: Place): Launch => ({ command: settings.node, args: [join(here, program), socket] })

export const floorFastcgi = ({ directory, socket }: Place): Launch | Absent => {
  const compiler = findCommand('cc')
  if (compiler === undefined) return { absent: 'there is no C compiler; Debian: apt-get install gcc libc6-dev' }
  const program = join(directory, 'floor-fastcgi')
  execFileSync(compiler, ['-O2', '-Wall', '-o', program, join(here, 'floor-fastcgi.c')])
  return { command: program, args: [socket] }
}

/** A file of apps/ that needs a package from npm which is no dependency of ours. */
export const fetched =
  (packages: readonly string[], launch: (place: Place) => Launch) =>
  (place: Place): Launch | Absent => {
    const missing = packages.filter((name) => !existsSync(join(moduleCache, 'node_modules', nameOf(name))))
    if (missing.length > 0) {
      try {
        const quiet = ['--no-audit', '--no-fund', '--silent', '--ignore-scripts']
        execFileSync('npm', ['install', '--prefix', moduleCache, ...quiet, ...packages], { stdio: ['ignore', 2, 2] })
      } catch {
        // npm has said on stderr what is wrong; most often that there is no network.
        return { absent: `npm could not fetch ${missing.join(', ')}` }
      }
    }
    return launch(place)
  }

/** `node-fastcgi@2` is in the folder `node-fastcgi`. */
const nameOf = (spec: string): string => spec.replace(/(?<=.)@.*$/, '')
