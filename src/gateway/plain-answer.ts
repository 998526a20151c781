import type { Body, HeaderList, StartResponse, Status } from '../application.ts'

/**
 * A short answer in an application's place.
 * @param text of the body; the reason phrase, where nothing more is to be said
 */
export function plainAnswer(
  startResponse: StartResponse,
  status: Status,
  headers: HeaderList = [],
  text = `${status.slice(4)}\n`,
): Body {
  startResponse(status, [...headers, ['Content-Type', 'text/plain; charset=utf-8']])
  return [Buffer.from(text)]
}
