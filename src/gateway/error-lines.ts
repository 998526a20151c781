/** `tsgi.errors` (PEP 3333, "Input and Error Streams"): whole lines go to the log as they are written, a stack as one entry. */

import type { ErrorStream } from '../application.ts'

export interface LineTaker {
  /** @param line well-formed, without its line feed; or several that were written at once, with those between them */
  errorLine(line: string): void
}

export class ErrorLines implements ErrorStream {
  readonly #taker: LineTaker
  #rest = ''

  constructor(taker: LineTaker) {
    this.#taker = taker
  }

  /** Takes any string; lone surrogates become U+FFFD, also where the halves of a pair come in two calls. */
  write(text: string): void {
    const written = this.#rest + String(text)
    const end = written.lastIndexOf('\n')
    this.#rest = written.slice(end + 1)
    if (end >= 0) this.#taker.errorLine(written.slice(0, end).toWellFormed())
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line)
  }

  /** An unterminated line is a line too: called by the gateway when the request is over. */
  flush(): void {
    if (this.#rest === '') return
    const rest = this.#rest
    this.#rest = ''
    this.#taker.errorLine(rest.toWellFormed())
  }
}
