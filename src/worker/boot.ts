import { pathToFileURL } from 'node:url'
import { register } from 'tsx/esm/api'
import type { Application } from '../application.ts'
import type { Log } from '../log/logger.ts'
import type { WorkerBoot } from '../messages.ts'
import type { Options } from '../options/table.ts'
export interface Loaded {
  application: Application
  interface: string
  state: undefined
  startup?: () => Promise<void>
  shutdown?: () => Promise<void>
}
export async function loadForBoot(boot: WorkerBoot, _options: Options, _log: Log): Promise<Loaded> {
  register()
  const m = await import(pathToFileURL(boot.application).href)
  return { application: m.application, interface: 'tsgi', state: undefined }
}
