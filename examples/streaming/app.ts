// Streaming: chunks go out as they are made, and are made no faster than the visitor reads.

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Application, dispatch } from 'tsgi'

const encoder = new TextEncoder()

/** /numbers: a generator, for what is at hand. */
const numbers: Application = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return (function* () {
    for (let number = 1; number <= 1000; number += 1) yield encoder.encode(`${number}\n`)
  })()
}

/** /clock: an async generator, for what must be waited for. `finally` runs also when the visitor leaves. */
const clock: Application = (environ, startResponse) => {
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    // nginx gathers what it passes on, unless it is told not to.
    ['X-Accel-Buffering', 'no'],
  ])
  const signal = environ['tsgi.signal']
  return (async function* () {
    try {
      for (let tick = 1; tick <= 5; tick += 1) {
        yield encoder.encode(`tick ${tick}\n`)
        await sleep(200, undefined, { signal })
      }
    } finally {
      environ['tsgi.errors'].write('the clock stopped\n')
    }
  })()
}

/**
 * /digest: a request body of any size, piece by piece. Read it before the first chunk of the response goes out: nginx sends
 * no more of a request once it has the head of the response.
 */
const digest: Application = async (environ, startResponse) => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of environ['tsgi.input']) {
    hash.update(chunk)
    bytes += chunk.length
  }
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [encoder.encode(`${bytes} bytes, SHA-256 ${hash.digest('hex')}\n`)]
}

export const application = dispatch({ '/numbers': numbers, '/clock': clock, '/digest': digest })
