/**
 * The listening sockets: bound and held here, accepted from in the workers. While the master lives no connection is refused:
 * it waits in the kernel's queue for a worker.
 *
 * `net._createServerHandle` binds without listening. Node does not document it; it is called in this file only, and what it
 * returns is checked. (node:cluster and child processes get their sockets from the same function.)
 */

import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { asError, TsgiError } from '../errors.ts'
import type { ListenerInfo } from '../messages.ts'
import { type Address, formatAddress, parseAddress } from '../options/address.ts'
import { LISTENER_KEYS, LISTENER_PROTOCOLS, type ListenerKey } from '../options/addresses.ts'
import type { Options } from '../options/table.ts'
import { findGroup, findUser } from './accounts.ts'
import { isNoListener, unixPathOf } from './activation.ts'
import type { Identity } from './privileges.ts'
import {
  type FileIdentity,
  identify,
  isStill,
  makeRoom,
  own,
  removeSocket,
  type SocketOwnership,
  unixError,
  withPrivateFiles,
} from './socket-file.ts'
import { holdersText } from './socket-holders.ts'
import { ipSockets } from './socket-tables.ts'

export type SocketOptions = Pick<Options, ListenerKey | 'socketMode' | 'socketOwner' | 'socketGroup'>

/** A bound socket of libuv, of which Node's types know nothing. */
export interface BoundHandle {
  readonly fd: number
  close(): void
  getsockname?(name: object): number
}

export interface Listener {
  readonly info: ListenerInfo
  readonly handle: BoundHandle
}

interface Held {
  /** With the real port, where `:0` was asked for. */
  readonly address: string
  readonly transport: 'unix' | 'tcp'
  readonly handle: BoundHandle
  /** Of a socket file that we made. */
  readonly file?: { readonly path: string; readonly identity: FileIdentity | undefined }
}

export class Sockets {
  /** By the address as configured. */
  readonly #held = new Map<string, Held>()
  readonly #identity: Identity | undefined
  /** Handles of descriptors that the process was started with: one each, as closing a handle closes the descriptor. */
  readonly #inherited = new Map<number, BoundHandle>()
  readonly #closed = new WeakSet<BoundHandle>()
  #activatedFds: readonly number[]
  #withdrawn = false

  /** @param identity who the workers are: the owner of Unix sockets, unless the options name another. */
  constructor(identity: Identity | undefined, activatedFds: readonly number[]) {
    this.#identity = identity
    this.#activatedFds = activatedFds
  }

  /**
   * Binds what the options list and is not yet bound, or whose socket file somebody removed. When one address fails, those bound
   * by this call are let go again.
   * @throws TsgiError TSGI_BIND
   */
  async bind(options: SocketOptions): Promise<readonly Listener[]> {
    const ownership = socketOwnership(options, this.#identity)
    const before = new Set(this.#held.keys())
    const listeners: Listener[] = []
    const listed = new Set<string>()
    try {
      for (const key of LISTENER_KEYS) {
        for (const text of options[key]) {
          if (listed.has(text))
            throw new TsgiError('TSGI_BIND', `${text} is listed twice; each address has one protocol`)
          listed.add(text)
          const known = this.#held.get(text)
          // One that nobody can reach stays open: libuv would remove the path with it, and by then the path is the new one's.
          const held = known !== undefined && isReachable(known) ? known : await this.#open(text)
          this.#held.set(text, held)
          if (held.file !== undefined) own(held.file.path, ownership)
          const { address, transport, handle } = held
          listeners.push({ info: { protocol: LISTENER_PROTOCOLS[key], address, transport }, handle })
        }
      }
    } catch (thrown) {
      for (const text of [...this.#held.keys()]) if (!before.has(text)) this.#release(text)
      throw thrown
    }
    return listeners
  }

  /**
   * Nobody finds a Unix socket from now on; what waits in its queue can still be accepted.
   * @returns what keeps a file from being removed
   */
  withdraw(): readonly string[] {
    this.#withdrawn = true
    return [...this.#held.values()].flatMap((held) => {
      const problem = held.file !== undefined && isReachable(held) ? removeSocket(held.file.path) : undefined
      return problem ?? []
    })
  }

  /** Lets go of every socket that is not among these. */
  keepOnly(listeners: readonly Listener[]): void {
    const handles = new Set(listeners.map(({ handle }) => handle))
    for (const [text, { handle }] of [...this.#held]) if (!handles.has(handle)) this.#release(text)
  }

  /** Addresses of Unix sockets whose file was removed or replaced: the workers listen, and nobody can connect. */
  get unreachable(): readonly string[] {
    if (this.#withdrawn) return []
    return [...this.#held.values()].filter((held) => !isReachable(held)).map(({ address }) => address)
  }

  /** Inherited sockets that no address took. */
  get unusedFds(): readonly number[] {
    return this.#activatedFds
  }

  async #open(text: string): Promise<Held> {
    const address = parseAddress(text)
    if (typeof address === 'string') throw new TsgiError('TSGI_BIND', address)
    const inherited = address.kind === 'fd' ? address.fd : this.#activatedFds.find((fd) => this.#isBoundTo(fd, address))
    if (inherited !== undefined) {
      this.#activatedFds = this.#activatedFds.filter((fd) => fd !== inherited)
      return adopted(inherited, this.#inherit(inherited))
    }
    if (address.kind === 'unix') return bindUnix(address.path)
    if (address.kind === 'tcp') return bindTcp(address.host, address.port)
    throw new TsgiError('TSGI_BIND', `${text} cannot be bound`)
  }

  #inherit(fd: number): BoundHandle {
    const known = this.#inherited.get(fd)
    if (known !== undefined && this.#closed.has(known)) {
      throw new TsgiError('TSGI_BIND', `fd:${fd} was closed when a reload let go of it: restart to listen on it again`)
    }
    if (known !== undefined) return known
    // Before it is touched: it may be one of Node's own.
    const handle = isNoListener(fd) ? undefined : create(null, undefined, undefined, fd)
    if (handle === undefined || typeof handle === 'number') {
      const code = handle === undefined ? '' : ` (${getSystemErrorName(handle)})`
      throw new TsgiError('TSGI_BIND', `fd:${fd} is no listening socket that this process was started with${code}`)
    }
    this.#inherited.set(fd, handle)
    return handle
  }

  #isBoundTo(fd: number, address: Address): boolean {
    if (address.kind === 'unix') return unixPathOf(fd) === address.path
    if (address.kind === 'fd') return address.fd === fd
    const name = nameOf(this.#inherit(fd))
    if (typeof name === 'number' || name.port !== address.port) return false
    return name.host === address.host || (address.host === '' && (name.host === '::' || name.host === '0.0.0.0'))
  }

  #release(text: string): void {
    const held = this.#held.get(text)
    this.#held.delete(text)
    // libuv unlinks the path of a socket that it bound. Where another file is there by now, the handle stays open instead.
    if (held === undefined || !(isReachable(held) || isFree(held))) return
    held.handle.close()
    this.#closed.add(held.handle)
  }
}

/**
 * Whose the Unix sockets are, and who may connect to them.
 * @throws TsgiError TSGI_USAGE for an unknown name
 */
export function socketOwnership(
  options: Pick<SocketOptions, 'socketOwner' | 'socketGroup' | 'socketMode'>,
  identity: Identity | undefined,
): SocketOwnership {
  const { socketOwner, socketGroup, socketMode } = options
  return {
    mode: socketMode,
    uid: socketOwner === undefined ? identity?.uid : findUser(socketOwner).uid,
    gid: socketGroup === undefined ? identity?.gid : findGroup(socketGroup),
  }
}

const isReachable = ({ file }: Held): boolean => file === undefined || isStill(file.path, file.identity)
const isFree = ({ file }: Held): boolean => file === undefined || identify(file.path) === undefined

/** What is wrong with a queue of this length on this machine; undefined: nothing. */
export function backlogWarning(backlog: number): string | undefined {
  const path = '/proc/sys/net/core/somaxconn'
  let limit: number
  try {
    limit = Number(readFileSync(path, 'utf8'))
  } catch {
    // Not Linux.
    return undefined
  }
  if (!(limit < backlog)) return undefined
  return `the kernel queues at most ${limit} connections, not ${backlog}: raise it with sysctl net.core.somaxconn=${backlog}, or lower --backlog`
}

async function bindUnix(path: string): Promise<Held> {
  await makeRoom(path)
  const handle = withPrivateFiles(() => create(path, -1, -1))
  if (typeof handle === 'number') throw unixError(path, getSystemErrorName(handle))
  const identity = identify(path)
  return { address: `unix:${path}`, transport: 'unix', handle, file: { path, identity } }
}

async function bindTcp(host: string, port: number): Promise<Held> {
  const asked = formatAddress({ kind: 'tcp', host, port })
  // Without a host the function binds `::` for both families, or 0.0.0.0 where there is no IPv6.
  const found = host === '' ? undefined : await resolve(host, asked)
  const handle = create(found?.address ?? null, port, found?.family)
  if (typeof handle === 'number') throw tcpError(asked, port, getSystemErrorName(handle))
  // bind(2) may have found the address in use, which libuv tells with the next call on the handle.
  const name = nameOf(handle)
  if (typeof name === 'number') {
    handle.close()
    throw tcpError(asked, port, getSystemErrorName(name))
  }
  return { address: formatAddress({ kind: 'tcp', host, port: name.port }), transport: 'tcp', handle }
}

function adopted(fd: number, handle: BoundHandle): Held {
  return { address: `fd:${fd}`, transport: handle.getsockname === undefined ? 'unix' : 'tcp', handle }
}

/** @returns the handle, or the negative number of the error. */
function create(address: string | null, port?: number, family?: number, fd?: number): BoundHandle | number {
  const bind: unknown = Reflect.get(net, '_createServerHandle')
  if (typeof bind !== 'function') {
    throw new TsgiError(
      'TSGI_BIND',
      `Node ${process.version} cannot bind without accepting (net._createServerHandle is gone)`,
    )
  }
  const made: unknown = Reflect.apply(bind, undefined, [address, port, family, fd])
  if (typeof made === 'number' || isHandle(made)) return made
  throw new TsgiError('TSGI_BIND', `Node ${process.version} bound ${address ?? `fd:${fd}`} to something unknown`)
}

export function isHandle(value: unknown): value is BoundHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'close' in value &&
    typeof value.close === 'function' &&
    'fd' in value
  )
}

function nameOf(handle: BoundHandle): { readonly host: string; readonly port: number } | number {
  const name: { address?: unknown; port?: unknown } = {}
  const error = handle.getsockname?.(name) ?? 0
  if (error !== 0) return error
  return { host: String(name.address), port: Number(name.port ?? 0) }
}

async function resolve(host: string, asked: string): Promise<{ readonly address: string; readonly family: number }> {
  try {
    return await lookup(host)
  } catch (thrown) {
    throw new TsgiError('TSGI_BIND', `${asked}: no address is known for ${host}: ${asError(thrown).message}`, {
      cause: thrown,
    })
  }
}

function tcpError(asked: string, port: number, code: string): TsgiError {
  const holders = ipSockets().flatMap((each) => (each.listens && each.port === port ? [each.inode] : []))
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process is using it${holdersText(holders)}; stop that process, or choose another port`,
    EADDRNOTAVAIL: 'this machine has no such address; choose one that `ip address` shows, or none for all',
    EACCES: `port ${port} needs root or CAP_NET_BIND_SERVICE; choose one from 1024 on`,
  }
  return new TsgiError('TSGI_BIND', `${asked} cannot be bound (${code}): ${reasons[code] ?? 'choose another address'}`)
}
