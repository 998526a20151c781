/** What a peer or an application can do wrong to a running worker: a reason in the log, the cost of one connection, no more. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { encodeFastcgiRequest } from '../../src/client/fastcgi.ts'
import { encodeScgiRequest } from '../../src/client/scgi.ts'
import { encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import { bytes } from '../support/bytes.ts'
import { mutate, randomFrom } from '../support/mutate.ts'
import { openDescriptors } from '../support/proc.ts'
import type { Tsgi } from '../support/tsgi.ts'
import { until } from '../support/until.ts'
import { expectPlainError, type Gateway, messages, startGateways } from './gateway.ts'
import { ROWS } from './rows.ts'

const READ_TIMEOUT_MS = 1000
const ARGS = [
  ...['--read-timeout', '1s', '--request-timeout', '4s', '--close-timeout', '1s', '--linger-timeout', '3s'],
  ...['--max-params-bytes', '16k'],
]
const packet = (variables: string): Buffer =>
  bytes(`\0${String.fromCharCode(variables.length & 0xff, variables.length >> 8)}\0${variables}`)

let tsgi: Tsgi
let unix: Gateway
let tcp: Gateway
let fastcgi: Gateway
let all: Gateway[]
let worker: number

beforeAll(async () => {
  const started = await startGateways(ROWS, join(import.meta.dirname, 'fixtures', 'app.ts'), ARGS)
  tsgi = started.tsgi
  all = [...started.gateways.values()]
  const [first, second] = all
  const kept = all.find(({ row }) => row.protocol === 'fastcgi')
  if (first === undefined || second === undefined || kept === undefined) throw new Error('rows are missing')
  unix = first
  tcp = second
  fastcgi = kept
  worker = tsgi.workerPids()[0] ?? 0
})

/** The worker that was there before is there, and serves. */
async function expectServed(): Promise<void> {
  expect(await unix.workerPid()).toBe(worker)
}

/** Log messages since a moment that match. */
const loggedSince = (from: number, pattern: RegExp): string[] =>
  messages(unix.records().slice(from)).filter((message) => pattern.test(message))

const sockets = (): number => openDescriptors(worker).filter((target) => target.startsWith('socket:')).length

describe('a client that', () => {
  test('connects and says nothing is let go after --read-timeout, and hundreds of them cost nobody else anything', async () => {
    const before = sockets()
    const from = unix.records().length
    for (const gateway of [unix, tcp]) {
      const silent = Array.from({ length: 300 }, () => gateway.raw())
      await until('all are accepted', () => sockets() >= before + 300)
      await expectServed()
      for (const conversation of silent) expect(await conversation.answer()).toMatchObject({ status: 0 })
      await until('their descriptors are closed', () => sockets() <= before)
    }
    expect(loggedSince(from, /^uwsgi: nothing came within 1000 ms \(--read-timeout\)$/)).toHaveLength(2)
  })

  test('sends its head a byte now and then is let go as well', async () => {
    const from = unix.records().length
    const conversation = unix.raw()
    const drip = setInterval(() => conversation.send(bytes('\0')), READ_TIMEOUT_MS / 4)
    try {
      conversation.send(packet('').subarray(0, 1), Buffer.from([0xff, 0xff, 0]))
      expect((await conversation.answer()).status).toBe(0)
    } finally {
      clearInterval(drip)
    }
    expect(loggedSince(from, /an incomplete request head came within 1000 ms/)).toHaveLength(1)
  })

  test('sends half of its body and stops gets what the application makes of that', async () => {
    const half = (pieces: Buffer[]): Buffer[] => [Buffer.concat(pieces).subarray(0, -10)]
    const each = all.map(async (gateway) => {
      const from = unix.records().length
      const caught = gateway.open({ path: '/truncated', method: 'POST', body: 'x'.repeat(100) }, half)
      const letGo = gateway.open({ path: '/truncated?rethrow', method: 'POST', body: 'x'.repeat(100) }, half)
      await caught.conversation.until('an answer', () => caught.conversation.head !== undefined)
      expect(caught.conversation.head).toMatchObject({ status: 200 })
      await letGo.conversation.until('an answer', () => letGo.conversation.bodyText === 'Bad Request\n')
      expect(letGo.conversation.head).toMatchObject({ status: 400 })
      for (const { id, conversation } of [caught, letGo]) {
        await gateway.over(id)
        expect(messages(gateway.said(id), 'error')).toEqual(['called', 'rejected TSGI_INPUT_TRUNCATED'])
        conversation.leave()
      }
      return from
    })
    const [from = 0] = await Promise.all(each)
    const stalled = unix
      .records()
      .slice(from)
      .filter(({ msg }) => /^the request body stalled for 1000 ms/.test(String(msg)))
    expect(new Set(stalled.map(({ listener }) => listener)).size, 'once for each socket').toBe(all.length)
    expect(stalled).toHaveLength(all.length)
    await expectServed()
  })

  test('lingers after its answer is not said to owe a head', async () => {
    const before = sockets()
    const from = unix.records().length
    const params = ['REQUEST_METHOD', 'POST', 'PATH_INFO', '/unread', 'CONTENT_LENGTH', '100']
    const client = connect({ path: String(unix.address), allowHalfOpen: true })
    client.write(Buffer.concat(encodeUwsgiRequest({ params, body: bytes('half of it') })))
    client.resume()
    await once(client, 'end')
    // Our side stays open: the connection goes when --linger-timeout is over, which is after --read-timeout.
    await until('it has lingered', () => sockets() <= before)
    client.destroy()
    expect(loggedSince(from, /incomplete|stalled/)).toEqual([])
    await expectServed()
  })

  test('ends in the middle of a head is logged once', async () => {
    const from = unix.records().length
    const whole = Buffer.concat(encodeUwsgiRequest({ params: ['REQUEST_METHOD', 'GET', 'PATH_INFO', '/'] }))
    const cuts = [1, 3, 4, 5, 6, 10, whole.length - 1]
    for (const cut of cuts) {
      const conversation = unix.raw()
      conversation.send(whole.subarray(0, cut))
      conversation.endSending()
      expect((await conversation.answer()).raw).toHaveLength(0)
    }
    await unix.logged(/^uwsgi: the connection ended in the middle of a request head$/, from)
    expect(loggedSince(from, /in the middle of a request head/)).toHaveLength(1)
    await expectServed()
  })

  test('was answered and leaves in the middle of its body is nothing to talk about', async () => {
    const from = unix.records().length
    const params = ['REQUEST_METHOD', 'POST', 'PATH_INFO', '/unread', 'CONTENT_LENGTH', '100']
    const request = encodeFastcgiRequest({ params, body: bytes('x'.repeat(100)) }, { keepConnection: true })
    const client = connect({ path: String(fastcgi.address) })
    client.write(Buffer.concat(request).subarray(0, -50))
    // The head of the answer and its end come together.
    await once(client, 'data')
    client.end()
    await once(client, 'close')
    await expectServed()
    expect(loggedSince(from, /in the middle of/)).toEqual([])
  })

  test('connects and leaves is nothing to talk about', async () => {
    const from = unix.records().length
    for (const how of ['endSending', 'leave'] as const) {
      const conversation = unix.raw()
      conversation[how]()
      await conversation.answer()
    }
    await expectServed()
    expect(loggedSince(from, /uwsgi|connection/)).toEqual([])
  })
})

describe('a packet with', () => {
  const corpus: [string, Buffer, RegExp][] = [
    ['a name that runs past its block', packet('\x05\0A'), /a name of 5 bytes at byte 0 runs past/],
    ['a value that runs past its block', packet('\x01\0A\x02\0b'), /a value of 2 bytes at byte 3 runs past/],
    ['a block that ends in a size', packet('\x01\0A\x01'), /ends inside the size of a value/],
    ['a variable without a name', packet('\0\0\x01\0A'), /a variable without a name/],
    ['a size of 65535 that lies', packet('\xff\xffA'), /a name of 65535 bytes/],
    ['variables in a ping', Buffer.from([100, 1, 0, 0, 65]), /a ping carries no variables/],
    ['a modifier that nobody serves', Buffer.from([5, 0, 0, 0]), /modifier1 5 is not served/],
  ]
  test.each(corpus)('%s ends its connection and is logged once', async (_what, input, reason) => {
    for (const gateway of [unix, tcp]) {
      const from = unix.records().length
      const conversation = gateway.raw()
      conversation.send(input)
      expect(await conversation.answer()).toMatchObject({ status: 0 })
      await gateway.logged(reason, from)
      expect(loggedSince(from, reason)).toHaveLength(1)
    }
    await expectServed()
  })

  test('more variables than allowed, or longer ones, is answered 431 and logged', async () => {
    const many = Array.from({ length: 1001 }, (_, index) => [`V${index}`, 'x']).flat()
    const long = ['X', 'x'.repeat(20_000)]
    for (const params of [many, long]) {
      const from = unix.records().length
      const conversation = unix.raw()
      conversation.send(...encodeUwsgiRequest({ params }))
      expectPlainError(await conversation.answer(), 431, 'Request Header Fields Too Large')
      await unix.logged(/variables, allowed are/, from)
      expect(loggedSince(from, /allowed are/)).toHaveLength(1)
    }
    await expectServed()
  })

  test('a ping in it is answered', async () => {
    const conversation = unix.raw()
    conversation.send(Buffer.from([100, 0, 0, 0]))
    const { raw, ended } = await conversation.answer()
    expect({ hex: raw.toString('hex'), ended }).toEqual({ hex: '64000001', ended: 'end' })
  })

  test('no CONTENT_LENGTH that can be read is answered 400 each time and logged once', async () => {
    const from = unix.records().length
    for (let time = 0; time < 5; time++) {
      const answer = await unix.ask({ path: '/called', params: { CONTENT_LENGTH: 'abc' } })
      expectPlainError(answer, 400, 'Bad Request')
    }
    expect(loggedSince(from, /CONTENT_LENGTH is no count of bytes: "abc"/)).toHaveLength(1)
  })
})

describe('another protocol on a uwsgi socket is named, with what to use instead:', () => {
  const request = { params: ['REQUEST_METHOD', 'GET'] }
  const protocols: [string, Buffer, RegExp][] = [
    ['HTTP', bytes('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /^HTTP came: nginx uses proxy_pass here .*: use uwsgi_pass/],
    [
      'FastCGI',
      Buffer.concat(encodeFastcgiRequest(request)),
      /^FastCGI came: nginx uses fastcgi_pass here .*: use uwsgi_pass/,
    ],
    ['SCGI', Buffer.concat(encodeScgiRequest(request)), /^SCGI came: nginx uses scgi_pass here .*: use uwsgi_pass/],
    ['TLS', Buffer.from('1603010200010001fc0303', 'hex'), /^TLS came: .*: use uwsgi_pass .* without it/],
    ['PROXY', bytes('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'), /^a PROXY protocol header came: .* turn it off/],
  ]
  test.each(protocols)('%s', async (name, input, reason) => {
    const whole = async (gateway: Gateway): Promise<string> => {
      const conversation = gateway.raw()
      conversation.send(input)
      return (await conversation.answer()).raw.toString('latin1')
    }
    const from = unix.records().length
    const answer = await whole(unix)
    if (name === 'HTTP') expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*configured for different protocols/s)
    await unix.logged(reason, from)

    // The other socket hears it byte by byte: the first tell the protocol, whichever makes the decoder give up.
    const fromHere = unix.records().length
    const conversation = tcp.raw()
    for (const byte of input) {
      if (conversation.over) break
      conversation.send(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await conversation.answer()
    await tcp.logged(reason, fromHere)
    expect(loggedSince(from, reason), 'once for each socket').toHaveLength(2)
    await expectServed()
  })
})

test('random and damaged bytes end their own connections only', async () => {
  const random = randomFrom(7)
  const whole = Buffer.concat(
    encodeUwsgiRequest({ params: ['REQUEST_METHOD', 'POST', 'PATH_INFO', '/echo'], body: bytes('body') }),
  )
  for (let round = 0; round < 20; round += 1) {
    const conversations = all.flatMap((gateway) =>
      Array.from({ length: 10 }, (_, index) => {
        const noise = Buffer.from(Array.from({ length: random(300) }, () => random(256)))
        const conversation = gateway.raw()
        conversation.send(index % 2 === 0 ? noise : mutate(whole, random))
        conversation.endSending()
        return conversation
      }),
    )
    for (const conversation of conversations) await conversation.answer()
  }
  await expectServed()
  expect(unix.records().filter(({ level }) => level === 'fatal')).toEqual([])
  expect(loggedSince(0, /bug in tsgi/)).toEqual([])
})

describe('an application that', () => {
  test('never returns is answered 504 after --request-timeout, and logged once', async () => {
    const each = all.map(async (gateway) => {
      const { conversation, id } = gateway.open({ path: '/late-body?kind=watched' })
      expectPlainError(await conversation.answer(), 504, 'Gateway Timeout')
      expect(await gateway.over(id)).toMatchObject({ status: 504, aborted: false, error: 'TSGI_REQUEST_TIMEOUT' })
      await gateway.saying(id, /^closed after 0 pulls$/)
      expect(messages(gateway.said(id))).toEqual([
        'the request ran longer than 4000 ms (--request-timeout): aborted',
        'closed after 0 pulls',
      ])
    })
    await Promise.all(each)
    await expectServed()
  })

  test('hangs after its head has its response broken off', async () => {
    const { conversation, id } = tcp.open({ path: '/hung' })
    const answer = await conversation.answer()
    expect(answer).toMatchObject({ status: 200, text: 'begun', ended: 'reset' })
    expect(await tcp.over(id)).toMatchObject({ status: 200, aborted: true, error: 'TSGI_REQUEST_TIMEOUT' })
    await expectServed()
  })
})
