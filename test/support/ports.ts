import { createServer } from 'node:net'

const given = new Set<number>()

/** A loopback TCP port that was free a moment ago, and is given only once in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await anyPort()
    if (given.has(port)) continue
    given.add(port)
    return port
  }
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
}
