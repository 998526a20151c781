/**
 * The least JavaScript that can answer FastCGI on kept connections: net.Socket reading into one buffer, a constant written at once
 * where a request ends. Nothing is decoded. What it costs above the floor in C is Node; what tsgi costs above it is what tsgi does.
 */

import { writeSync } from 'node:fs'
import { createServer, Socket } from 'node:net'

const STDIN = 5
const STDOUT = 6
const END_REQUEST = 3
const HEADER_BYTES = 8

const content = Buffer.from(
  'Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!',
)
const record = (type, bytes) => [1, type, 0, 1, 0, bytes.length, 0, 0, ...bytes]
const RESPONSE = Buffer.from([
  ...record(STDOUT, content),
  ...record(STDOUT, []),
  ...record(END_REQUEST, Array(8).fill(0)),
])
const readBuffer = Buffer.allocUnsafeSlow(65_540)

/** nginx sends a request without a body in one piece, and an empty STDIN record is its end. */
const endsRequest = (bytes, length) => length >= HEADER_BYTES && bytes[length - 7] === STDIN && bytes[length - 3] === 0

const server = createServer()
server.listen(process.argv[2], 2048, () => {
  server._handle.onconnection = (_status, handle) => {
    const callback = (length, bytes) => {
      try {
        if (endsRequest(bytes, length)) writeSync(handle.fd, RESPONSE)
      } catch (error) {
        if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error // nginx has left: nobody to answer
      }
      return true
    }
    const socket = new Socket({ handle, onread: { buffer: readBuffer, callback } })
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy())
    socket.resume()
  }
})
process.on('SIGTERM', () => process.exit(0))
