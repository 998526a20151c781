/** The head of a response on its way to the server: changed, and looked into. */

import type { Application, Environ, HeaderList, StartResponse, Status } from '../application.ts'
import { passExtensions } from './pass-extensions.ts'

export interface ResponseHead {
  readonly status: Status
  readonly headers: HeaderList
}

/**
 * An application whose response heads pass through `change`, each time startResponse is called. excInfo is passed on only
 * where it was given: PEP 3333 tells both cases apart.
 */
export function onHead(
  application: Application,
  change: (head: ResponseHead, environ: Environ) => ResponseHead,
): Application {
  return (environ, startResponse) => {
    const changed: StartResponse = (status, headers, ...excInfo: [excInfo?: unknown]) => {
      const head = change({ status, headers }, environ)
      return startResponse(head.status, head.headers, ...excInfo)
    }
    passExtensions(environ, changed, startResponse)
    return application(environ, changed)
  }
}

/** The first header of that name, in any case. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  const wanted = name.toLowerCase()
  return headers.find(([candidate]) => candidate.toLowerCase() === wanted)?.[1]
}

/** The list without the headers of these names. */
export function withoutHeaders(headers: HeaderList, ...names: readonly string[]): HeaderList {
  const unwanted = new Set(names.map((name) => name.toLowerCase()))
  return headers.filter(([name]) => !unwanted.has(name.toLowerCase()))
}
