import { createServer } from 'node:net'

/** Below what Linux gives to outgoing connections (net.ipv4.ip_local_port_range): one of those could take the port meanwhile. */
const FIRST_PORT = 10_240
const LAST_PORT = 32_767
const given = new Set<number>()

/** A loopback TCP port that was free a moment ago, and is given only once in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
