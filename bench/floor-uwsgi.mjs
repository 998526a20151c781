/**
 * The least JavaScript that can answer a uwsgi request: accept without a Socket, one read, one write of a constant, close.
 * Nothing is decoded. What tsgi costs above this is what tsgi does.
 */

import { readSync, writeSync } from 'node:fs'
import { createServer, Socket } from 'node:net'

const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!',
)
const readBuffer = Buffer.allocUnsafeSlow(65_540)

const server = createServer()
server.listen(process.argv[2], 2048, () => {
  server._handle.onconnection = (_status, handle) => {
    try {
      readSync(handle.fd, readBuffer)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      // nginx has connected and not yet written: the event loop will tell.
      const socket = new Socket({ handle })
      socket.once('data', () => socket.end(RESPONSE))
      socket.on('error', () => socket.destroy())
      return
    }
    try {
      writeSync(handle.fd, RESPONSE)
    } catch (error) {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error // nginx has left: nobody to answer
    }
    handle.close()
  }
})
process.on('SIGTERM', () => process.exit(0))
