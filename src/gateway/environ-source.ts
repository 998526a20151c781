/** An environ as a RequestSource: what middleware changed in it is what an adapter sees. */

import type { Application, ByteString, Environ, InputStream, Outcome } from '../application.ts'
import { type Handler, isObsolete, type RequestSource, type RequestVariables } from './request-source.ts'
import { originForm, rebuiltTarget } from './text.ts'
import { variable } from './variable.ts'
import { type HeaderName, variableName } from './variable-names.ts'

/** For where an Application is wanted: middleware goes around it. */
export function handlerApplication(handler: Handler): Application {
  return (environ, startResponse) => handler(new EnvironSource(environ), startResponse)
}

export class EnvironSource implements RequestSource {
  readonly environ: Environ
  readonly variables: EnvironVariables

  constructor(environ: Environ) {
    this.environ = environ
    this.variables = new EnvironVariables(environ)
  }

  get input(): InputStream {
    return this.environ['tsgi.input']
  }

  get earlyHints(): Environ['tsgi.early_hints'] {
    return this.environ['tsgi.early_hints']
  }

  signal(): AbortSignal {
    return this.environ['tsgi.signal']
  }

  after(callback: (outcome: Outcome) => unknown): void {
    this.environ['tsgi.after'](callback)
  }
}

/** Read by `get`, which looks at what is there: applications put anything into an environ, and take anything out. */
export class EnvironVariables implements RequestVariables {
  readonly #environ: Environ

  constructor(environ: Environ) {
    this.#environ = environ
  }

  get method(): string {
    return this.get('REQUEST_METHOD') ?? ''
  }

  get target(): ByteString {
    const path = (this.get('SCRIPT_NAME') ?? '') + (this.get('PATH_INFO') ?? '')
    return originForm(this.get('REQUEST_URI')) || rebuiltTarget(path, this.get('QUERY_STRING') ?? '')
  }

  get protocol(): string {
    return this.get('SERVER_PROTOCOL') ?? ''
  }

  get scheme(): 'http' | 'https' {
    return this.get('tsgi.url_scheme') === 'https' ? 'https' : 'http'
  }

  get contentLength(): string | undefined {
    return this.get('CONTENT_LENGTH')
  }

  get transferEncoding(): ByteString | undefined {
    return this.get('HTTP_TRANSFER_ENCODING')
  }

  get host(): ByteString | undefined {
    return this.get('HTTP_HOST')
  }

  get connection(): ByteString | undefined {
    return this.get('HTTP_CONNECTION')
  }

  get upgrade(): ByteString | undefined {
    return this.get('HTTP_UPGRADE')
  }

  get expect(): ByteString | undefined {
    return this.get('HTTP_EXPECT')
  }

  get(name: string): ByteString | undefined {
    return variable(this.#environ, name)
  }

  eachHeader(visit: (name: HeaderName, value: ByteString) => void): void {
    const { contentLength } = this
    for (const key in this.#environ) {
      const { header } = variableName(key)
      const value = header === null ? undefined : this.get(key)
      if (header === null || value === undefined || isObsolete(header, value, contentLength)) continue
      visit(header, value)
    }
  }
}
