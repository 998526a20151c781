/** One application in several contenders: on tsgi over each protocol, and on what runs it without tsgi. */

import type { Contender } from '../contender.ts'
import { listening, tsgi } from '../launches.ts'

interface SameApplication {
  /** Its file is `apps/ID.mjs`. */
  readonly id: string
  readonly name: string
  /** How tsgi is told to run it. */
  readonly interface: 'node' | 'fetch'
  readonly otherServer: string
  /** Starts it there. */
  readonly prepare?: Contender['prepare']
}

/** Each of tsgi's is against the one whose connections nginx treats alike: kept, or new for each request. */
export function sameApplication(application: SameApplication): Record<'fastcgi' | 'kept' | 'uwsgi' | 'new', Contender> {
  const { id, name, otherServer } = application
  const app = `${id}.mjs`
  const args = (): readonly string[] => ['--interface', application.interface]
  const prepare = application.prepare ?? listening(app)
  return {
    fastcgi: {
      id: `${id}-fastcgi`,
      label: `${name} on tsgi, FastCGI`,
      kind: 'tsgi',
      front: 'fastcgi, kept',
      against: `${id}-kept`,
      prepare: tsgi({ protocol: 'fastcgi', app, args }),
    },
    kept: {
      id: `${id}-kept`,
      label: `${name} on ${otherServer}, kept proxy_pass`,
      kind: 'peer',
      front: 'http, kept',
      prepare,
    },
    uwsgi: {
      id: `${id}-uwsgi`,
      label: `${name} on tsgi, uwsgi`,
      kind: 'tsgi',
      front: 'uwsgi',
      against: `${id}-new`,
      prepare: tsgi({ protocol: 'uwsgi', app, args }),
    },
    new: {
      id: `${id}-new`,
      label: `${name} on ${otherServer}, stock proxy_pass`,
      kind: 'peer',
      front: 'http, new',
      prepare,
    },
  }
}
