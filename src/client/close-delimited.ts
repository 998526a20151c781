/** The response of a protocol where closing the connection is the end: uwsgi and SCGI. */

import type { ResponseEvent, ResponseParser } from './request.ts'
import { ResponseText } from './response-text.ts'

export class CloseDelimitedParser implements ResponseParser {
  readonly #text: ResponseText

  constructor(form: 'http' | 'cgi', bodiless: boolean) {
    this.#text = new ResponseText(form, bodiless)
  }

  feed(bytes: Uint8Array): readonly ResponseEvent[] {
    return this.#text.feed(bytes)
  }

  close(): readonly ResponseEvent[] {
    return [{ kind: 'end', problem: this.#text.problemAtEnd() }]
  }
}
