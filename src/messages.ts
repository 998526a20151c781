/**
 * What master and worker say to each other: two closed unions, as framed MessagePack over a pipe. Durations only, never
 * instants: the two processes share no clock. Listening sockets travel beside it, over Node's own channel.
 */

/** The descriptor at which a child hears its parent and answers; Node has the parent's end under the same number. */
export const MESSAGES_FD = 3

/** master to worker */
export type MasterMessage =
  /** First message of every worker. */
  | { readonly kind: 'boot'; readonly boot: WorkerBoot }
  /**
   * Stop accepting, serve what is open, hand kept connections over, leave.
   * `last`: nobody listens or serves after this. The sockets come once more, then `sockets-closed`: after both a worker closes its own,
   * with the queue of the kernel empty, or when half of the grace is over. Each kept connection closes after its next response.
   */
  | { readonly kind: 'drain'; readonly graceMs: number; readonly why: string; readonly last: boolean }
  /** The master has let go of the listening sockets: who closes its copy may be the last to hold one. */
  | { readonly kind: 'sockets-closed' }
  /** Kept connections bring you more than your share: hand over some that bring this much of it. */
  | { readonly kind: 'shed'; readonly requestsPerSecond: number }
  /** Abort what is in flight and leave now. */
  | { readonly kind: 'quit'; readonly why: string }
  | { readonly kind: 'reopen-logs' }

/** worker to master */
export type WorkerMessage =
  /** The application is loaded: hand me the sockets. Also said when a worker that had let go of them has room again. */
  | { readonly kind: 'want-sockets' }
  /** Connections can arrive. */
  | { readonly kind: 'ready'; readonly bootMs: number; readonly interface: string }
  /** The application could not be loaded; the process exits with `exitCode`. */
  | { readonly kind: 'failed'; readonly exitCode: number; readonly message: string; readonly stack: string }
  /** Once a second while the event loop turns: its silence is the sign of a hung worker. */
  | { readonly kind: 'tick'; readonly tick: Tick }
  /** This worker should be replaced (max-requests, lifetime, memory); it goes on serving until drained. */
  | { readonly kind: 'retire'; readonly why: string }
  /** Drained: nothing is open; the process exits next. */
  | { readonly kind: 'bye' }

export interface WorkerBoot {
  /** The place in the pool, from 1; a replacement has the same. */
  readonly slot: number
  /** Counts reloads, from 1. */
  readonly generation: number
  /** `path/to/app.ts` or `path/to/app.ts:name`, absolute. */
  readonly application: string
  /** The options as parsed (src/options): plain data, units in the names. */
  readonly options: Readonly<Record<string, unknown>>
  /** For TCP listeners; read by the master, whose user may be another. */
  readonly tls?: TlsIdentity | undefined
  /** In the order in which the sockets follow. */
  readonly listeners: readonly ListenerInfo[]
}

/** PEM texts. */
export interface TlsIdentity {
  readonly cert: string
  readonly key: string
  /** 48 bytes in base64, the same for all workers: what TLS sessions are sealed with. */
  readonly ticketKeys: string
  /** Peers must show a certificate from one of these. */
  readonly clientCa?: string | undefined
}

/** Travels with a kept connection that changes workers, over Node's own channel: nothing on it is half read or half sent. */
export interface KeptConnection {
  /** Of its listener, for logs. */
  readonly address: string
  readonly transport: 'unix' | 'tcp'
  /** Ids up to this one have been used on it. */
  readonly highestId: number
  /** What it brought lately. */
  readonly requestsPerSecond: number
}

/** What goes over Node's own channel, with a socket or after it. */
export type SocketMessage =
  /** A listening one, by its number from 0. `last`: no other copy of it is under way, nor ever will be. */
  | { readonly listener: number; readonly last: boolean }
  | { readonly connection: KeptConnection }
  /** Without a socket: Node keeps it back until the sockets before it have arrived. */
  | typeof ARRIVED

export const ARRIVED = { arrived: true } as const

export interface ListenerInfo {
  readonly protocol: 'uwsgi' | 'fastcgi' | 'scgi' | 'http' | 'any'
  /** As in logs: `unix:/run/app.sock`, `127.0.0.1:9000`. */
  readonly address: string
  readonly transport: 'unix' | 'tcp'
}

export interface Tick {
  readonly connections: number
  readonly requestsInFlight: number
  /** Since the worker started. */
  readonly requestsTotal: number
  /** Age of the oldest request in flight; 0 when none is. */
  readonly oldestRequestMs: number
  readonly rssBytes: number
  /** 0 to 1, since the previous tick. */
  readonly eventLoopUtilization: number
  /** Indexed as the rows of src/metrics/table.ts. */
  readonly counters: readonly number[]
}
