import { join } from 'node:path'
import { writeNginxPrefix } from '../../scripts/nginx-prefix.mjs'
import { commandPath } from './peers.ts'
import { freePort } from './ports.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { tempDir } from './temp-dir.ts'

export const nginxFolder = join(import.meta.dirname, '..', '..', 'nginx')

export interface NginxOptions {
  /** Files of nginx/ by name, or absolute paths. */
  readonly sites: readonly NginxSite[]
  readonly workerProcesses?: number
  /** Directives for the main and the http block. */
  readonly extraMain?: string
  readonly extraHttp?: string
}

export interface NginxSite {
  readonly file: string
  /** Text in the file to its replacement; `listen 80;` is replaced by a free loopback port without being named. */
  readonly substitutions?: Readonly<Record<string, string>>
}

export interface Front {
  /** Of the first site. */
  readonly port: number
  readonly ports: readonly number[]
  readonly url: string
  readonly directory: string
  readonly process: ServerProcess
  readonly stop: () => Promise<unknown>
}

export async function startNginx(options: NginxOptions): Promise<Front> {
  const directory = tempDir('tsgi-nginx-')
  const ports: number[] = []
  const substitutions: Record<string, string>[] = []
  for (const site of options.sites) {
    const port = await freePort()
    ports.push(port)
    substitutions.push({ 'listen 80;': `listen 127.0.0.1:${port};`, ...site.substitutions })
  }
  const args = writeNginxPrefix({
    prefix: directory,
    siteFiles: options.sites.map(({ file }) => (file.startsWith('/') ? file : join(nginxFolder, file))),
    substitutions,
    sharedDirectory: nginxFolder,
    ...(options.workerProcesses === undefined ? {} : { workerProcesses: options.workerProcesses }),
    ...(options.extraMain === undefined ? {} : { extraMain: options.extraMain }),
    ...(options.extraHttp === undefined ? {} : { extraHttp: options.extraHttp }),
  })
  const server = startServer({ name: 'nginx', command: commandPath('nginx'), args })
  await server.waitForLog(/start worker process \d+/)
  const port = ports[0] ?? 0
  return { port, ports, url: `http://127.0.0.1:${port}`, directory, process: server, stop: server.stop }
}
