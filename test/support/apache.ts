import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { substitute } from '../../scripts/nginx-prefix.mjs'
import type { Front } from './nginx.ts'
import { commandPath } from './peers.ts'
import { freePort } from './ports.ts'
import { startServer } from './server-process.ts'
import { tempDir } from './temp-dir.ts'

export const apacheFolder = join(import.meta.dirname, '..', '..', 'apache')

export interface ApacheOptions {
  /** A file of apache/ by name, or an absolute path. Its line "a2enmod ..." says which modules are loaded. */
  readonly site: string
  /** Text in the file to its replacement; `*:80` is replaced by a free loopback port without being named. */
  readonly substitutions?: Readonly<Record<string, string>>
  /** Directives of the server, outside the virtual host. */
  readonly extra?: string
}

/** What Debian enables by itself, as far as the sites rely on it. */
const DEFAULT_MODULES = ['mpm_event', 'authz_core', 'alias', 'dir', 'env', 'mime', 'setenvif']
const modulesAvailable = '/etc/apache2/mods-available'

/** The LoadModule lines, each after those it depends on, as a2enmod enables them. */
function loadModules(names: readonly string[], loaded = new Set<string>()): string[] {
  return names.flatMap((name) => {
    if (loaded.has(name)) return []
    loaded.add(name)
    const text = readFileSync(join(modulesAvailable, `${name}.load`), 'utf8')
    const depends = /^# Depends:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? []
    return [...loadModules(depends, loaded), ...text.split('\n').filter((line) => line.startsWith('LoadModule'))]
  })
}

export async function startApache(options: ApacheOptions): Promise<Front> {
  const directory = tempDir('tsgi-apache-')
  const port = await freePort()
  const siteFile = options.site.startsWith('/') ? options.site : join(apacheFolder, options.site)
  const original = readFileSync(siteFile, 'utf8')
  const modules = /^#\s+a2enmod (.*)$/m.exec(original)?.[1]?.trim().split(/\s+/) ?? []
  const site = substitute(original, { '*:80': `127.0.0.1:${port}`, ...options.substitutions }, siteFile)
  writeFileSync(join(directory, 'site.conf'), site)
  const config = `
ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/apache.pid
Listen 127.0.0.1:${port}
ServerName localhost
${loadModules([...DEFAULT_MODULES, ...modules]).join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
TypesConfig /dev/null
AddType text/css .css
AddType text/plain .txt
LogLevel notice
ErrorLog "|/bin/cat"
<Directory />
    Require all denied
</Directory>
StartServers 1
ServerLimit 2
ThreadsPerChild 32
MaxRequestWorkers 64
MinSpareThreads 16
MaxSpareThreads 64
${options.extra ?? ''}
Include ${directory}/site.conf
`
  writeFileSync(join(directory, 'apache.conf'), config)
  const server = startServer({
    name: 'apache2',
    command: commandPath('apache2'),
    args: ['-DFOREGROUND', '-f', join(directory, 'apache.conf')],
    cwd: directory,
  })
  await server.waitForLog(/resuming normal operations/)
  return {
    port,
    ports: [port],
    url: `http://127.0.0.1:${port}`,
    directory,
    process: server,
    stop: server.stop,
  }
}
