/** Takes connections over, late, listens to nothing on them but 'data', and says how many bytes came; or ends them at once. */

import { setTimeout as wait } from 'node:timers/promises'
import type { Application } from 'tsgi'

export const application: Application = async (environ, startResponse) => {
  const upgrade = environ['tsgi.upgrade']
  if (upgrade === undefined) throw new Error('there is no tsgi.upgrade')
  if (environ.PATH_INFO === '/late') await wait(200)
  if (environ.PATH_INFO === '/ended') {
    const { 'tsgi.signal': signal } = environ
    environ['tsgi.after'](({ aborted }) => console.log(`over: aborted ${aborted}, signal ${signal.aborted}`))
  }
  const write = environ.PATH_INFO === '/written' ? startResponse('200 OK', []) : undefined
  const { socket, head } = await upgrade(startResponse)
  let bytes = head.length
  const tell = (): boolean => socket.write(`${bytes} bytes\n`)
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    tell()
  })
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n')
  tell()
  try {
    await write?.(Buffer.from('no frame of the protocol'))
  } catch (error) {
    socket.write(`${Reflect.get(Object(error), 'code')}\n`)
  }
  if (environ.PATH_INFO === '/ended') socket.end()
  return []
}
