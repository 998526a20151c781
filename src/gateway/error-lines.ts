/** `tsgi.errors` (PEP 3333, "Input and Error Streams"): whole lines go to the log as they are written. */

import type { ErrorStream } from '../application.ts'

export class ErrorLines implements ErrorStream {
  readonly #line: (text: string) => void
  #rest = ''

  constructor(line: (text: string) => void) {
    this.#line = line
  }

  /** Takes any string; lone surrogates become U+FFFD, also where the halves of a pair come in two calls. */
  write(text: string): void {
    const lines = (this.#rest + String(text)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line.toWellFormed())
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line)
  }

  /** An unterminated line is a line too: called by the gateway when the request is over. */
  flush(): void {
    if (this.#rest === '') return
    const rest = this.#rest
    this.#rest = ''
    this.#line(rest.toWellFormed())
  }
}
