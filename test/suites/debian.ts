/** Source packages of Debian, from the archive that this machine's own apt is set up with. */

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const APT = '/etc/apt'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** Where versions are looked for; the newest counts, wherever it is. */
const RELEASES = ['sid', 'trixie', 'bookworm']
const LISTS_STALE_MS = 24 * 3600_000
const TRIES = 2

interface Entry {
  readonly uri: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
}

const words = (text: string | undefined): string[] => text?.split(/\s+/).filter((word) => word !== '') ?? []

/** sources.list(5), the deb822 form: stanzas of fields. */
function stanzas(text: string): Entry[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'im').exec(stanza)?.[1]
    return words(field('URIs')).map((uri) => ({
      uri,
      suites: words(field('Suites')),
      components: words(field('Components')),
    }))
  })
}

/** The one-line form: `deb [options] uri suite component...`. */
function lines(text: string): Entry[] {
  return [...text.matchAll(/^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)(.*)$/gm)].map((match) => ({
    uri: match[1] ?? '',
    suites: [match[2] ?? ''],
    components: words(match[3]),
  }))
}

/** @throws Error where this machine's apt knows no archive of Debian */
function archive(): string {
  const folder = join(APT, 'sources.list.d')
  const files = [
    join(APT, 'sources.list'),
    ...(existsSync(folder) ? readdirSync(folder).map((f) => join(folder, f)) : []),
  ]
  const entries = files
    .filter((file) => existsSync(file))
    .flatMap((file) => (file.endsWith('.sources') ? stanzas : lines)(readFileSync(file, 'utf8')))
  const found = entries.find(
    ({ uri, suites, components }) =>
      /\/debian\/?$/.test(uri) && components.includes('main') && !suites.some((suite) => suite.endsWith('-security')),
  )
  if (found === undefined || !existsSync(KEYRING)) {
    throw new Error(`the archive of Debian is missing: no entry for it in ${APT}/sources.list*, or no ${KEYRING}`)
  }
  return found.uri
}

/** Apt with lists and sources of its own, so that the machine's are left alone. */
export class DebianSources {
  readonly #folder: string
  #updated: Promise<void> | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Downloads the upstream tarball of the newest version that begins with `version`.
   * @returns its path
   * @throws Error that names what could not be had
   */
  async fetch(name: string, version: string): Promise<string> {
    this.#updated ??= this.#update()
    await this.#updated
    const { stdout } = await run('apt-cache', [...this.#options(), 'showsrc', name]).catch(() => ({ stdout: '' }))
    const versions = [...stdout.matchAll(/^Version: (\S+)$/gm)].map(([, found = '']) => found)
    const wanted = [...new Set(versions.filter((found) => found.startsWith(version)))].sort(newestFirst)
    const problems: string[] = []
    for (const candidate of wanted) {
      const problem = await this.#download(`${name}=${candidate}`)
      const tarball = this.#tarball(name, candidate)
      if (tarball !== undefined) return tarball
      problems.push(`${candidate}: ${problem}`)
    }
    const why = wanted.length === 0 ? `there is no version ${version}` : problems.join('; ')
    throw new Error(`the source package ${name} could not be fetched with apt-get: ${why}`)
  }

  async #update(): Promise<void> {
    const { lists, archives, list } = this.#paths()
    const stamp = join(this.#folder, 'updated')
    if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_STALE_MS) return
    for (const folder of [lists, archives]) mkdirSync(join(folder, 'partial'), { recursive: true })
    const uri = archive()
    writeFileSync(list, RELEASES.map((release) => `deb-src [signed-by=${KEYRING}] ${uri} ${release} main\n`).join(''))
    await run('apt-get', [...this.#options(), '-qq', 'update']).catch((error: unknown) => {
      throw new Error(`the lists of Debian's source packages could not be fetched: ${lastLine(error)}`)
    })
    writeFileSync(stamp, '')
  }

  /** @returns what apt-get said last; what counts is whether the file is there */
  async #download(spec: string): Promise<string> {
    let said = ''
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const cwd = this.#paths().archives
      const parameters = [...this.#options(), '-qq', 'source', '--download-only', '--tar-only', spec]
      said = await run('apt-get', parameters, { cwd }).then(() => '', lastLine)
      if (said === '') break
    }
    return said
  }

  #tarball(name: string, version: string): string | undefined {
    const upstream = version.replace(/^\d+:/, '').replace(/-[^-]*$/, '')
    const { archives } = this.#paths()
    const file = readdirSync(archives).find((found) => found.startsWith(`${name}_${upstream}.orig.tar.`))
    return file === undefined ? undefined : join(archives, file)
  }

  #paths() {
    const inFolder = (path: string) => join(this.#folder, path)
    return { lists: inFolder('lists'), archives: inFolder('archives'), list: inFolder('sources.list') }
  }

  #options(): string[] {
    const { lists, archives, list } = this.#paths()
    const settings = {
      'Dir::Etc::sourcelist': list,
      'Dir::Etc::sourceparts': '-',
      'Dir::State::lists': lists,
      'Dir::Cache': this.#folder,
      'Dir::Cache::archives': archives,
      'APT::Sandbox::User': '',
    }
    return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  }
}

const newestFirst = (one: string, other: string): number => other.localeCompare(one, 'en', { numeric: true })

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().split('\n').at(-1) ?? ''
}
