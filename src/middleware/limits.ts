/** Limits for one mount, narrower than those of the server. */

import type { Application, Environ, InputStream, StartResponse } from '../application.ts'
import { TsgiError } from '../errors.ts'
import { plainAnswer } from '../gateway/plain-answer.ts'
import { closeBody } from './body.ts'
import { copyEnviron } from './copy-environ.ts'
import { passExtensions } from './pass-extensions.ts'

/** Requests with a larger body are answered 413: at once where the length is announced, else when it is passed. */
export function limitBody(application: Application, maxBodyBytes: number): Application {
  return (environ, startResponse) => {
    if (Number(environ.CONTENT_LENGTH ?? 0) > maxBodyBytes) return plainAnswer(startResponse, '413 Content Too Large')
    const limited = copyEnviron(environ)
    limited['tsgi.input'] = new LimitedInput(environ['tsgi.input'], maxBodyBytes)
    return application(limited, startResponse)
  }
}

class LimitedInput implements InputStream {
  readonly #input: InputStream
  readonly #maxBytes: number
  #bytes = 0

  constructor(input: InputStream, maxBytes: number) {
    this.#input = input
    this.#maxBytes = maxBytes
  }

  async read(size?: number): Promise<Uint8Array> {
    const most = this.#most()
    return this.#counted(await this.#input.read(Math.min(size ?? most, most)))
  }

  async readline(size?: number): Promise<Uint8Array> {
    const most = this.#most()
    return this.#counted(await this.#input.readline(Math.min(size ?? most, most)))
  }

  async readlines(hint?: number): Promise<Uint8Array[]> {
    const lines: Uint8Array[] = []
    for (let total = 0; hint === undefined || hint === 0 || total < hint; ) {
      const line = await this.readline()
      if (line.length === 0) return lines
      lines.push(line)
      total += line.length
    }
    return lines
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.#check()
    for await (const chunk of this.#input) yield this.#counted(chunk)
  }

  /** One byte past the limit is enough to know. */
  #most(): number {
    this.#check()
    return this.#maxBytes - this.#bytes + 1
  }

  #counted(bytes: Uint8Array): Uint8Array {
    this.#bytes += bytes.length
    this.#check()
    return bytes
  }

  /** What was too large once stays so: who reads on must not take what follows for the rest of a body. */
  #check(): void {
    if (this.#bytes <= this.#maxBytes) return
    throw new TsgiError('TSGI_INPUT_TOO_LARGE', `the request body is larger than ${this.#maxBytes} bytes`)
  }
}

/**
 * An application that has not returned its body after `timeoutMs` is answered for with 503 and told by `tsgi.signal`. What it
 * returns later is closed and forgotten. A body under way is not limited, nor is an upgraded connection.
 */
export function limitTime(application: Application, timeoutMs: number): Application {
  return async (environ, startResponse) => {
    const controller = new AbortController()
    const watched: Environ = copyEnviron(environ)
    watched['tsgi.signal'] = AbortSignal.any([environ['tsgi.signal'], controller.signal])
    let isLate = false
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, 'late')
    })
    const gated: StartResponse = (status, headers, ...excInfo: [excInfo?: unknown]) => {
      if (isLate) throw new TsgiError('TSGI_APP_ENDED', 'startResponse was called after the time limit')
      return startResponse(status, headers, ...excInfo)
    }
    // A connection that the application has taken over is no response that could come too late.
    passExtensions(watched, gated, startResponse, () => clearTimeout(timer))
    try {
      const pending = Promise.resolve(application(watched, gated))
      const first = await Promise.race([pending, late])
      if (first !== 'late') return first
      isLate = true
      const error = new TsgiError('TSGI_REQUEST_TIMEOUT', `the application took longer than ${timeoutMs} ms`)
      // What it returns now is closed; what it throws now was answered already.
      pending.then((body) => closeBody(body)).catch(() => undefined)
      controller.abort(error)
      startResponse('503 Service Unavailable', [['Content-Type', 'text/plain; charset=utf-8']], error)
      return [Buffer.from('Service Unavailable\n')]
    } finally {
      clearTimeout(timer)
    }
  }
}
