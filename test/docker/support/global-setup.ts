/** One engine for all files: base images, then the images under test, as a user would build them. */

import type { TestProject } from 'vitest/node'
import { findCommand } from '../../../scripts/peers.mjs'
import { startEngine } from './engine.ts'
import { BASE_IMAGES, provideBaseImages, ROOT } from './stand-ins.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** '': there is no Docker engine on this machine. */
    readonly dockerHost: string
    readonly baseImages: 'pulled' | 'stand-ins' | 'none'
  }
}

const NEEDED = ['dockerd', 'docker', 'docker-compose', 'debootstrap']

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = NEEDED.filter((command) => findCommand(command) === undefined)
  if (missing.length > 0 || process.getuid?.() !== 0) {
    console.error(
      `tsgi: tests with Docker are SKIPPED: ${missing.length > 0 ? `no ${missing.join(', ')}` : 'not root'}`,
    )
    project.provide('dockerHost', '')
    project.provide('baseImages', 'none')
    return async () => undefined
  }
  const engine = await startEngine()
  try {
    const say = (what: string) => console.error(`tsgi: docker: ${what}`)
    say('the engine runs; base images come next')
    project.provide('dockerHost', engine.host)
    project.provide('baseImages', await provideBaseImages(engine))
    say(`base images are there (${Object.values(BASE_IMAGES).join(', ')}); building`)
    await engine.docker(['build', '--target', 'tsgi', '--tag', 'tsgi', '.'], { cwd: ROOT })
    for (const version of ['1', '2']) {
      const build = ['build', '--target', 'site', '--build-arg', `SITE_VERSION=${version}`]
      await engine.docker([...build, '--tag', `tsgi-site:${version}`, '.'], { cwd: ROOT })
    }
    say('images are built')
  } catch (error) {
    await engine.stop()
    throw error
  }
  return () => engine.stop()
}
