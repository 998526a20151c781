/** Leaves promises alone that are rejected when the request ends. The path says which. */

import { setTimeout as wait } from 'node:timers/promises'
import type { Application } from 'tsgi'

export const application: Application = async (environ, startResponse) => {
  const { 'tsgi.input': input, 'tsgi.signal': signal } = environ
  const readLater = async (): Promise<void> => {
    await input.read()
  }
  if (environ.PATH_INFO === '/read') void readLater()
  if (environ.PATH_INFO === '/waits') {
    console.log('waiting')
    void readLater()
    void wait(60_000, undefined, { signal })
    await new Promise(() => undefined)
  }
  if (environ.PATH_INFO === '/other') void Promise.reject(new Error('of nobody'))
  if (environ.PATH_INFO === '/unreadable') {
    const refuse = (): never => {
      throw new Error('not to be read')
    }
    void Promise.reject(Object.defineProperty(new Error('hidden'), 'message', { get: refuse }))
  }
  startResponse('401 Unauthorized', [])
  return []
}
