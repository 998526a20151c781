import { describe, expect, test } from 'vitest'
import { createFastcgiResponseParser, encodeFastcgiRequest } from '../../src/client/fastcgi.ts'
import { collectResponse } from '../../src/client/request.ts'
import { createScgiResponseParser, encodeScgiRequest } from '../../src/client/scgi.ts'
import { createUwsgiResponseParser, encodeUwsgiRequest } from '../../src/client/uwsgi.ts'
import { type Detected, detect, detectBegun } from '../../src/protocol/detect.ts'
import { refusalBytes, remedy, withoutTls, wrongProtocol } from '../../src/protocol/wrong-protocol.ts'
import { bytes } from '../support/bytes.ts'

const request = { params: ['REQUEST_METHOD', 'GET'] }
const fastcgi = Buffer.concat(encodeFastcgiRequest(request, { requestId: 300 }))

test.each<[string, Buffer, Detected, number]>([
  ['uwsgi', Buffer.concat(encodeUwsgiRequest(request)), 'uwsgi', 1],
  ['a uwsgi ping', Buffer.from([100, 0, 0, 0]), 'uwsgi', 2],
  ['FastCGI', fastcgi, 'fastcgi', 1],
  ['SCGI', Buffer.concat(encodeScgiRequest(request)), 'scgi', 1],
  ['GET', bytes('GET / HTTP/1.1\r\n'), 'http', 1],
  ['a lower-case method', bytes('get / HTTP/1.1\r\n'), 'http', 1],
  ['delete', bytes('delete / HTTP/1.1\r\n'), 'http', 2],
  ['POST', bytes('POST / HTTP/1.1\r\n'), 'http', 2],
  ['PROPFIND', bytes('PROPFIND / HTTP/1.1\r\n'), 'http', 4],
  ['HTTP/2', bytes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'http', 3],
  ['PROXY v1', bytes('PROXY TCP4 192.0.2.1'), 'proxy-v1', 6],
  ['PROXY v2', bytes('\r\n\r\n\0\r\nQUIT\n!'), 'proxy-v2', 12],
  ['an empty line before a request', bytes('\r\nGET /'), 'http', 3],
  ['two empty lines before a request', bytes('\r\n\r\nGET /'), 'http', 5],
  ['an empty line before nonsense', bytes('\r\n\xff'), 'unknown', 3],
  ['TLS', Buffer.from([0x16, 0x03, 0x01]), 'tls', 1],
  ['modifier1 5', Buffer.from([5, 0, 0, 0]), 'unknown', 1],
  ['a byte above 127', Buffer.from([0xc3]), 'unknown', 1],
])('%s is told by its first bytes and by no fewer than are needed', (_name, input, detected, needed) => {
  for (let count = 0; count <= input.length; count += 1) {
    expect(detect(input.subarray(0, count)), `${count} bytes`).toBe(count < needed ? undefined : detected)
  }
})

describe('what is logged names the mistake and the directive', () => {
  test.each<[Detected, string[], string]>([
    [
      'http',
      ['uwsgi'],
      'HTTP came: nginx uses proxy_pass here (Apache: http://), or a browser or curl was pointed at it; this socket speaks uwsgi: use uwsgi_pass (Apache: uwsgi://)',
    ],
    [
      'uwsgi',
      ['fastcgi', 'scgi'],
      'uwsgi came: nginx uses uwsgi_pass here (Apache: uwsgi://); this socket speaks fastcgi, scgi: use fastcgi_pass (Apache: fcgi://) or scgi_pass (Apache: scgi://)',
    ],
    [
      'fastcgi',
      ['http'],
      'FastCGI came: nginx uses fastcgi_pass here (Apache: fcgi://); this socket speaks http: use proxy_pass (Apache: http://)',
    ],
    [
      'tls',
      ['uwsgi'],
      'TLS came: nginx uses suwsgi:// or proxy_pass https:// here, or a client speaks HTTPS to it; this socket speaks uwsgi without TLS: use uwsgi_pass (Apache: uwsgi://) without it',
    ],
    [
      'proxy-v1',
      ['uwsgi'],
      'a PROXY protocol header came: nginx has proxy_protocol on (HAProxy: send-proxy); this socket speaks uwsgi without it: turn it off, or start tsgi with --proxy-protocol',
    ],
  ])('%s to %j', (detected, expected, sentence) => {
    expect(remedy(detected, expected)).toBe(sentence)
    expect(wrongProtocol(detected, expected)).toMatchObject({ code: 'TSGI_PROTOCOL_WRONG', message: sentence })
  })
})

test('what comes without TLS is told what speaks it', () => {
  expect(withoutTls('uwsgi', ['uwsgi'])).toMatchObject({
    code: 'TSGI_PROTOCOL_WRONG',
    message:
      'uwsgi came without TLS: nginx uses uwsgi_pass here (Apache: uwsgi://); this socket speaks uwsgi inside TLS (--tls-cert): use uwsgi_pass suwsgi:// or a tsgi without --tls-cert',
  })
  expect(withoutTls('scgi', ['scgi']).message).toMatch(/: use a tsgi without --tls-cert$/)
})

describe('the answer is in the protocol of who asks', () => {
  test('HTTP gets a 400 that says what is wrong', () => {
    const answer = Buffer.from(refusalBytes('http', bytes('GET / HTTP/1.1')) ?? []).toString('latin1')
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain\r\n/)
    expect(answer).toMatch(/\r\nConnection: close\r\n\r\nThe front server .* different protocols\.\n$/)
  })

  test.each([
    ['fastcgi', createFastcgiResponseParser(false, 300), fastcgi],
    ['scgi', createScgiResponseParser(), bytes('5:')],
    ['uwsgi', createUwsgiResponseParser(), Buffer.alloc(4)],
  ] as const)('%s gets a whole 502', (detected, parser, received) => {
    const answer = refusalBytes(detected, received) ?? bytes('nothing')
    const response = collectResponse([...parser.feed(answer), ...parser.close()])
    expect(response).toMatchObject({ status: 502, reason: 'Bad Gateway', endedCleanly: true })
  })

  test('TLS gets an alert, and who cannot be answered gets nothing', () => {
    expect(refusalBytes('tls', bytes('\x16'))).toEqual(Uint8Array.of(21, 3, 3, 0, 2, 2, 70))
    for (const detected of ['proxy-v1', 'proxy-v2', 'unknown'] as const) {
      expect(refusalBytes(detected, bytes('?'))).toBeUndefined()
    }
    expect(refusalBytes('fastcgi', bytes('\x01\x09\0\0'))).toBeUndefined()
  })
})

test('where no more bytes are waited for, four of a PROXY header are enough', () => {
  expect(detectBegun(bytes('PRO'))).toBeUndefined()
  expect(detectBegun(bytes('PROX'))).toBe('proxy-v1')
  expect(detectBegun(bytes('PROP'))).toBe('http')
  expect(detectBegun(bytes('\r\n\r\n'))).toBe('proxy-v2')
  expect(detectBegun(bytes('\0'))).toBe('uwsgi')
})
