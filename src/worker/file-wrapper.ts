/** `tsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"): nothing is opened before it is iterated. */

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { FileBody, FileLike, FileRef, FileWrapper } from '../application.ts'
import { describe } from '../errors.ts'
import { isBytes } from '../gateway/chunk.ts'

const BLOCK_BYTES = 65_536

export const fileWrapper: FileWrapper = (file, blockSize = BLOCK_BYTES) => {
  if (!Number.isSafeInteger(blockSize) || blockSize <= 0) {
    throw new RangeError(
      `tsgi.file_wrapper: the block size must be a positive number of bytes, not ${describe(blockSize)}`,
    )
  }
  if (typeof file === 'object' && file !== null) {
    if ('path' in file) {
      checkOffset('start', file.start)
      if (file.end !== Number.POSITIVE_INFINITY) checkOffset('end', file.end)
      return new PathBody(file, blockSize)
    }
    if (typeof file.read === 'function') return new ReaderBody(file, blockSize)
  }
  throw new TypeError(`tsgi.file_wrapper wants { path } or an object with read(size), not ${describe(file)}`)
}

/** To the system a negative position means wherever the last read has ended. */
function checkOffset(name: string, offset: number | undefined): void {
  if (offset === undefined || (Number.isSafeInteger(offset) && offset >= 0)) return
  throw new RangeError(`tsgi.file_wrapper: ${name} must be a whole number of bytes from 0, not ${describe(offset)}`)
}

/** The size of a body made by `fileWrapper`, where it can be known; undefined for every other body. */
export function fileSize(body: unknown): Promise<number | undefined> | undefined {
  return body instanceof PathBody ? body.size() : undefined
}

class PathBody implements FileBody {
  readonly #file: FileRef
  readonly #blockSize: number
  #handle: FileHandle | undefined
  #closed = false

  constructor(file: FileRef, blockSize: number) {
    this.#file = file
    this.#blockSize = blockSize
  }

  /** Opens the file: the size must be that of the very file which is then read. */
  async size(): Promise<number | undefined> {
    const handle = await this.#open()
    const stats = await handle.stat()
    // What the system writes while it is read, in /proc and /sys, is a file of no size.
    if (!stats.isFile() || stats.size === 0) return undefined
    const { start = 0, end = stats.size } = this.#file
    return Math.max(0, Math.min(end, stats.size) - start)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const handle = await this.#open()
    const { start = 0, end = Number.POSITIVE_INFINITY } = this.#file
    for (let at = start; at < end; ) {
      const length = Math.min(this.#blockSize, end - at)
      // A block of its own each time: a yielded chunk is the gateway's.
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle
    // To open a pipe that nobody writes to would hold a thread of Node's until the end: nginx opens files so, too.
    const handle = await open(this.#file.path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (this.#closed) {
      await handle.close()
      throw new Error(`${this.#file.path} was closed before it was read`)
    }
    this.#handle = handle
    return handle
  }
}

class ReaderBody implements FileBody {
  readonly #file: FileLike
  readonly #blockSize: number

  constructor(file: FileLike, blockSize: number) {
    this.#file = file
    this.#blockSize = blockSize
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.#file.read(this.#blockSize)
      if (chunk === null || (isBytes(chunk) && chunk.length === 0)) return
      yield chunk
    }
  }

  async close(): Promise<void> {
    await this.#file.close?.()
  }
}
