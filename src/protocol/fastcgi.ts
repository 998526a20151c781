/**
 * FastCGI 1.0, responder role. Sections are those of the FastCGI specification.
 *
 * Record bytes are read by a cursor over the connection; what a record means depends on its request:
 *
 *   BEGIN_REQUEST -> params: PARAMS... -> empty PARAMS = begin -> body: STDIN... -> empty STDIN = end -> read
 *
 * An id is active until `answered` (section 3.3). Records of an id that was active and is not any more are skipped, as that
 * section demands: they were under way when the response ended. Records of an id never begun are an error.
 */

import { TsgiError } from '../errors.ts'
import { ByteQueue } from './byte-queue.ts'
import type { Decoder, DecoderLimits, Protocol, RequestEvent } from './codec.ts'
import { announcedLengthOf, forgetMinusOne } from './content-length.ts'
import { fastcgiEncoder } from './fastcgi-encoder.ts'
import { unknownTypeRecord, valuesAnswer } from './fastcgi-management.ts'
import {
  endRequestRecord,
  FLAG_KEEP_CONNECTION,
  HEADER_BYTES,
  PROTOCOL_STATUS,
  parsePairs,
  ROLE_RESPONDER,
  TYPE,
  typeName,
  VERSION,
} from './fastcgi-records.ts'
import { NameMemory } from './name-memory.ts'
import { ParamsBlock } from './params-block.ts'
import { RequestsById } from './requests-by-id.ts'

const BEGIN_REQUEST_BYTES = 8

/** Kept over connections: without FCGI_KEEP_CONN each request is a new one. */
const names = new NameMemory()

interface ActiveRequest {
  readonly requestId: number
  readonly keepConnection: boolean
  /** `read`: the body came whole; `dropped`: aborted or contradictory, the rest is skipped. */
  phase: 'params' | 'body' | 'read' | 'dropped'
  readonly block: ParamsBlock
  announcedLength: number | undefined
  receivedLength: number
}

const isIncomplete = ({ phase }: ActiveRequest): boolean => phase === 'params' || phase === 'body'

class FastcgiDecoder implements Decoder {
  readonly #limits: DecoderLimits
  readonly #queue = new ByteQueue()
  readonly #requests = new RequestsById<ActiveRequest>()
  /** The highest id begun so far: the peer keeps ids small (section 3.3), so the ones below have been active. */
  highestId: number
  /** What the next bytes are. `whole`: content that is only understood complete. */
  #reading: 'header' | 'whole' | 'params' | 'stdin' = 'header'
  /** Bytes to pass over first: padding, or content that nobody wants. */
  #skipLeft = 0
  #recordAt = 0
  #type = 0
  #id = 0
  #contentLeft = 0
  #padding = 0
  /** The request that the content belongs to, while reading `params` or `stdin`. */
  #request: ActiveRequest | undefined

  /** Bytes read and skipped: the offset of the next one on the connection. */
  #offset = 0
  /** The request whose block is a view of the bytes fed, if any is. */
  #borrower: ActiveRequest | undefined
  #failure: TsgiError | undefined

  constructor(limits: DecoderLimits, highestId: number) {
    this.#limits = limits
    this.highestId = highestId
  }

  get midRequest(): boolean {
    return this.#skipLeft > 0 || this.owing
  }

  /** Nobody waits for the rest of a record that is passed over. */
  get owing(): boolean {
    return this.#queue.length > 0 || this.#reading !== 'header' || this.#requests.list().some(isIncomplete)
  }

  feed(bytes: Uint8Array): void {
    this.#detachBorrower()
    this.#queue.push(bytes)
  }

  next(): RequestEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure
    while (this.#canRead()) {
      const event = this.#read()
      if (event !== undefined) return event
    }
    this.#detachBorrower()
    this.#queue.detach()
    return undefined
  }

  answered(requestId: number): void {
    const request = this.#requests.get(requestId)
    if (request === undefined) return
    this.#requests.delete(requestId)
    if (this.#request === request) this.#skipContent()
  }

  #canRead(): boolean {
    if (this.#skipLeft > 0) {
      const count = Math.min(this.#skipLeft, this.#queue.length)
      this.#queue.skip(count)
      this.#offset += count
      this.#skipLeft -= count
      if (this.#skipLeft > 0) return false
    }
    if (this.#reading === 'header') return this.#queue.length >= HEADER_BYTES
    if (this.#reading === 'whole') return this.#queue.length >= this.#contentLeft
    return this.#queue.length > 0
  }

  #read(): RequestEvent | undefined {
    switch (this.#reading) {
      case 'header':
        return this.#readHeader()
      case 'whole':
        return this.#type === TYPE.beginRequest ? this.#readBeginRequest() : this.#readGetValues()
      case 'params':
        this.#readParams()
        return undefined
      case 'stdin':
        return this.#readStdin()
    }
  }

  #readHeader(): RequestEvent | undefined {
    const queue = this.#queue
    this.#recordAt = this.#offset
    this.#type = queue.at(1)
    if (queue.at(0) !== VERSION) throw this.#malformed(`has version ${queue.at(0)}, FastCGI 1.0 has 1`)
    this.#id = (queue.at(2) << 8) | queue.at(3)
    this.#contentLeft = (queue.at(4) << 8) | queue.at(5)
    this.#padding = queue.at(6)
    queue.skip(HEADER_BYTES)
    this.#offset += HEADER_BYTES
    if (this.#id === 0) return this.#startManagement()
    switch (this.#type) {
      case TYPE.beginRequest:
        if (this.#requests.get(this.#id) !== undefined)
          throw this.#malformed(`begins request ${this.#id}, which is still open`)
        if (this.#contentLeft !== BEGIN_REQUEST_BYTES) {
          throw this.#malformed(`has ${this.#contentLeft} bytes of content instead of ${BEGIN_REQUEST_BYTES}`)
        }
        this.#reading = 'whole'
        return undefined
      case TYPE.abortRequest:
        return this.#abort()
      case TYPE.params:
        return this.#startParams()
      case TYPE.stdin:
        return this.#startStdin()
      case TYPE.data:
        // Only a Filter is sent data (section 6.4).
        this.#activeRequest()
        this.#skipContent()
        return undefined
      default:
        throw this.#malformed('is none that a web server sends to a responder')
    }
  }

  /** Records of id 0 concern no request (section 4). */
  #startManagement(): RequestEvent | undefined {
    if (this.#type === TYPE.getValues) {
      this.#reading = 'whole'
      return undefined
    }
    if (this.#type > 0 && this.#type <= TYPE.unknownType) throw this.#malformed('has the null request id')
    const type = this.#type
    this.#skipContent()
    return { kind: 'reply', bytes: unknownTypeRecord(type), close: false }
  }

  #readGetValues(): RequestEvent {
    const bytes = valuesAnswer(this.#takeContent(), this.#limits)
    if (bytes instanceof TsgiError) throw this.#malformed(`cannot be read: ${bytes.message}`)
    this.#skipContent()
    return { kind: 'reply', bytes, close: false }
  }

  #readBeginRequest(): RequestEvent | undefined {
    const id = this.#id
    const role = (this.#queue.at(0) << 8) | this.#queue.at(1)
    const keepConnection = (this.#queue.at(2) & FLAG_KEEP_CONNECTION) !== 0
    this.#skipContent()
    if (id > this.highestId) this.highestId = id
    if (role !== ROLE_RESPONDER) {
      return {
        kind: 'reply',
        bytes: endRequestRecord(id, PROTOCOL_STATUS.unknownRole),
        close: !keepConnection && this.#requests.size === 0,
        error: new TsgiError('TSGI_PROTOCOL_UNSUPPORTED', `FastCGI: role ${role} is not served; only 1 (responder) is`),
      }
    }
    if (this.#requests.size >= this.#limits.maxRequests) {
      // FCGI_CANT_MPX_CONN and FCGI_OVERLOADED are read by no front server, and Apache makes an empty 200 of them: a real
      // 503 is the answer that arrives.
      const what = `FastCGI: request ${id} is one more than the ${this.#limits.maxRequests} allowed on one connection`
      return this.#refusal(id, keepConnection, new TsgiError('TSGI_PROTOCOL_OVERLOADED', what))
    }
    this.#requests.add({
      requestId: id,
      keepConnection,
      phase: 'params',
      block: new ParamsBlock(),
      announcedLength: undefined,
      receivedLength: 0,
    })
    return undefined
  }

  #abort(): RequestEvent | undefined {
    if (this.#contentLeft !== 0) throw this.#malformed(`has ${this.#contentLeft} bytes of content, it carries none`)
    const request = this.#activeRequest()
    this.#skipContent()
    if (request === undefined) return undefined // it crossed with the end of the response (section 5.4)
    const { phase } = request
    if (phase === 'params') {
      // Nobody knows of this request yet: the END_REQUEST that section 5.4 asks for can be sent from here.
      this.answered(request.requestId)
      return {
        kind: 'reply',
        bytes: endRequestRecord(request.requestId, PROTOCOL_STATUS.requestComplete),
        close: !request.keepConnection && this.#requests.size === 0,
      }
    }
    request.phase = 'dropped'
    return phase === 'dropped' ? undefined : { kind: 'abort', requestId: request.requestId }
  }

  #startParams(): RequestEvent | undefined {
    const request = this.#activeRequest()
    if (request === undefined || request.phase === 'dropped') {
      this.#skipContent()
      return undefined
    }
    if (request.phase !== 'params')
      throw this.#malformed(`comes after the PARAMS of request ${request.requestId} ended`)
    if (this.#contentLeft === 0) {
      this.#skipContent()
      return this.#begin(request)
    }
    const blockLength = request.block.length + this.#contentLeft
    if (blockLength > this.#limits.maxParamsBytes) {
      this.#skipContent()
      const what = `FastCGI: ${blockLength} bytes of variables and more, allowed are ${this.#limits.maxParamsBytes}`
      return this.#refuse(request, new TsgiError('TSGI_PROTOCOL_TOO_LARGE', what))
    }
    this.#request = request
    this.#reading = 'params'
    return undefined
  }

  /** Pairs may be cut anywhere between records (libfcgi cuts every 8184 bytes): the content is joined, then decoded. */
  #readParams(): void {
    const request = this.#request
    const length = this.#countContent()
    const piece = this.#queue.takeSpan(length)
    if (request !== undefined) {
      request.block.append(piece, this.#queue.spanStart, length, this.#contentLeft)
      if (request.block.borrowed) {
        this.#detachBorrower()
        this.#borrower = request
      }
    }
    if (this.#contentLeft === 0) this.#skipContent()
  }

  #detachBorrower(): void {
    this.#borrower?.block.detach()
    this.#borrower = undefined
  }

  #begin(request: ActiveRequest): RequestEvent {
    const { block } = request
    const params = parsePairs(block.bytes, block.start, block.start + block.length, this.#limits.maxParams, names)
    block.clear()
    if (params instanceof TsgiError) return this.#refuse(request, params)
    const announced = announcedLengthOf(params)
    if (announced instanceof TsgiError && !forgetMinusOne(params)) return this.#refuse(request, announced)
    const announcedLength = announced instanceof TsgiError ? undefined : announced
    request.announcedLength = announcedLength
    request.phase = 'body'
    return {
      kind: 'begin',
      requestId: request.requestId,
      params,
      contentLength: announcedLength,
      keepConnection: request.keepConnection,
    }
  }

  #startStdin(): RequestEvent | undefined {
    const request = this.#activeRequest()
    if (request === undefined || request.phase === 'dropped') {
      this.#skipContent()
      return undefined
    }
    if (request.phase !== 'body') {
      const when = request.phase === 'params' ? 'before the PARAMS' : 'after the STDIN'
      throw this.#malformed(`comes ${when} of request ${request.requestId} ended`)
    }
    const { announcedLength } = request
    if (this.#contentLeft === 0) {
      this.#skipContent()
      if (announcedLength !== undefined && request.receivedLength < announcedLength) {
        request.phase = 'dropped'
        const what = `FastCGI: STDIN ended after ${request.receivedLength} bytes, CONTENT_LENGTH says ${announcedLength}`
        return this.#refusal(request.requestId, request.keepConnection, new TsgiError('TSGI_INPUT_TRUNCATED', what))
      }
      request.phase = 'read'
      return { kind: 'end', requestId: request.requestId }
    }
    const receivedLength = request.receivedLength + this.#contentLeft
    if (announcedLength !== undefined && receivedLength > announcedLength) {
      this.#skipContent()
      request.phase = 'dropped'
      const what = `FastCGI: ${receivedLength} bytes of STDIN and more, CONTENT_LENGTH says ${announcedLength}`
      return this.#refusal(request.requestId, request.keepConnection, new TsgiError('TSGI_PROTOCOL_BAD_REQUEST', what))
    }
    request.receivedLength = receivedLength
    this.#request = request
    this.#reading = 'stdin'
    return undefined
  }

  #readStdin(): RequestEvent {
    const chunk = this.#takeContent()
    const requestId = this.#id
    if (this.#contentLeft === 0) this.#skipContent()
    return { kind: 'body', requestId, chunk }
  }

  /** The request of this record; undefined for one that is over, which section 3.3 says to ignore. */
  #activeRequest(): ActiveRequest | undefined {
    if (this.#id > this.highestId) throw this.#malformed(`belongs to request ${this.#id}, which was never begun`)
    return this.#requests.get(this.#id)
  }

  /** What has arrived of the content of this record. */
  #takeContent(): Buffer {
    return this.#queue.take(this.#countContent())
  }

  /** How much of it that is; counted as read. */
  #countContent(): number {
    const count = Math.min(this.#contentLeft, this.#queue.length)
    this.#contentLeft -= count
    this.#offset += count
    return count
  }

  /** This record is done with: passes over what is left of it. */
  #skipContent(): void {
    this.#skipLeft = this.#contentLeft + this.#padding
    this.#contentLeft = 0
    this.#reading = 'header'
    this.#request = undefined
  }

  /** A request that has not begun: its id is free at once, and its other records are skipped as late ones. */
  #refuse(request: ActiveRequest, error: TsgiError): RequestEvent {
    this.answered(request.requestId)
    return this.#refusal(request.requestId, request.keepConnection, error)
  }

  /** Closing is what FCGI_KEEP_CONN = 0 asks for, unless it would end other requests. */
  #refusal(requestId: number, keepConnection: boolean, error: TsgiError): RequestEvent {
    const others = this.#requests.size - (this.#requests.get(requestId) === undefined ? 0 : 1)
    return { kind: 'refuse', requestId, error, keepConnection: keepConnection || others > 0 }
  }

  #malformed(what: string): TsgiError {
    const record = `FastCGI: the ${typeName(this.#type)} record at byte ${this.#recordAt}`
    this.#failure = new TsgiError('TSGI_PROTOCOL_MALFORMED', `${record} ${what}`)
    return this.#failure
  }
}

export const fastcgi: Protocol = {
  name: 'fastcgi',
  createDecoder: (limits, highestId = 0) => new FastcgiDecoder(limits, highestId),
  encoder: fastcgiEncoder,
  carriesUpgrade: false,
  keepsConnections: true,
  directive: { nginx: 'fastcgi_pass', apache: 'fcgi://' },
}
