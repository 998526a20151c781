/** Suites on this machine: fetched once into node_modules/.cache, with what they need from npm. Nothing of them is kept here. */

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DebianSources } from './debian.ts'
import type { Suite } from './suite.ts'

const run = promisify(execFile)

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'tsgi-suites')
const debian = new DebianSources(join(CACHE, 'debian'))

export interface FetchedSuite {
  /** Where its package.json is, and where its tests run. */
  readonly folder: string
  /** The node_modules with what it needs. */
  readonly modules: string
  readonly version: string
}

interface Manifest {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** @throws Error that names what is missing */
export async function fetchSuite(suite: Suite): Promise<FetchedSuite> {
  const place = join(
    CACHE,
    suite.name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replace(/^-/, ''),
  )
  const folder = suite.source.kind === 'npm' ? join(place, 'node_modules', suite.source.package) : place
  /** Written last: what is there is whole, and what was asked for. */
  const stamp = join(place, 'fetched')
  const asked = JSON.stringify([suite.source, String(suite.without)])
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== asked) {
    rmSync(place, { recursive: true, force: true })
    mkdirSync(place, { recursive: true })
    if (suite.source.kind === 'npm') await fromNpm(suite, place, folder)
    else await fromDebian(suite, place)
    writeFileSync(stamp, asked)
  }
  return { folder, modules: join(place, 'node_modules'), version: manifestOf(folder).version }
}

async function fromDebian({ source, without }: Suite, place: string): Promise<void> {
  const tarball = await debian.fetch(source.package, source.version)
  await run('tar', ['--extract', '--file', tarball, '--directory', place, '--strip-components', '1'])
  const { version, dependencies, devDependencies } = manifestOf(place)
  // Without its scripts: nothing is to be built, linted or published.
  const manifest = { private: true, version, dependencies, devDependencies: needed(devDependencies, without) }
  await install(place, manifest)
}

async function fromNpm({ source, without }: Suite, place: string, folder: string): Promise<void> {
  const own = { [source.package]: source.version }
  await install(place, { private: true, dependencies: own })
  const { version, devDependencies } = manifestOf(folder)
  const dependencies = { ...needed(devDependencies, without), [source.package]: version }
  await install(place, { private: true, dependencies })
}

function needed(dependencies: Manifest['devDependencies'], without: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(dependencies ?? {}).filter(([name]) => !without.test(name)))
}

async function install(place: string, manifest: object): Promise<void> {
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest))
  const parameters = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--prefer-offline']
  await run('npm', parameters, { cwd: place, maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    const said = error instanceof Error ? error.message : String(error)
    throw new Error(`npm could not install what the suite needs (${Object.keys(manifest).join(', ')}): ${said}`)
  })
}

function manifestOf(folder: string): Manifest {
  // A package.json: npm itself has read it by now, or will.
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}
