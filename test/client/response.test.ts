import { expect, test } from 'vitest'
import { CLIENTS } from '../../src/client/clients.ts'
import { collectResponse, type ResponseParser } from '../../src/client/request.ts'

function receive(parser: ResponseParser, text: string, reset = false) {
  const whole = Buffer.from(text, 'latin1')
  const events = Array.from(whole, (byte) => parser.feed(Buffer.from([byte]))).flat()
  return collectResponse(reset ? events : [...events, ...parser.close()])
}

const uwsgi = (bodiless = false) => CLIENTS.uwsgi.createResponseParser(bodiless)
const scgi = (bodiless = false) => CLIENTS.scgi.createResponseParser(bodiless)

test('a status line, repeated headers and a body', () => {
  expect(receive(uwsgi(), 'HTTP/1.1 201 Made It\r\nX: 1\r\nX:2\r\n\r\nbody\r\n\r\nmore')).toEqual({
    status: 201,
    reason: 'Made It',
    headers: [
      ['X', '1'],
      ['X', '2'],
    ],
    body: Buffer.from('body\r\n\r\nmore'),
    errors: '',
    endedCleanly: true,
    problem: undefined,
  })
})

test('a Status field; without one it is 200', () => {
  expect(receive(scgi(), 'Status: 404 Not Found\r\nA: b\r\n\r\n')).toMatchObject({ status: 404, headers: [['A', 'b']] })
  expect(receive(scgi(), 'A: b\n\nx')).toMatchObject({ status: 200, body: Buffer.from('x') })
})

test.each([
  ['fewer bytes', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc', 'the body has 3 bytes, Content-Length says 5'],
  ['more bytes', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc', 'the body has 3 bytes, Content-Length says 2'],
])('%s than Content-Length says is no clean end', (_name, text, problem) => {
  expect(receive(uwsgi(), text)).toMatchObject({ endedCleanly: false, problem })
})

test('HEAD, 204 and 304 have no body to count', () => {
  expect(receive(uwsgi(true), 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n').endedCleanly).toBe(true)
  expect(receive(uwsgi(), 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n').endedCleanly).toBe(true)
})

test('a reset is no clean end, and a head that never came is no response', () => {
  expect(receive(uwsgi(), 'HTTP/1.1 200 OK\r\n\r\nabc', true).endedCleanly).toBe(false)
  expect(() => receive(uwsgi(), 'HTTP/1.1 200 OK\r\n')).toThrow('ended inside its head, after 17 bytes')
})

test('CONTENT_LENGTH is added where it is missing, and left alone where it is not', () => {
  const body = Buffer.from('abc')
  expect(Buffer.concat(CLIENTS.scgi.encodeRequest({ params: ['A', 'b'], body })).toString('latin1')).toBe(
    '28:CONTENT_LENGTH\x003\0SCGI\x001\0A\0b\0,abc',
  )
  const lying = ['CONTENT_LENGTH', '9', 'SCGI', '1']
  expect(Buffer.concat(CLIENTS.scgi.encodeRequest({ params: lying, body })).toString('latin1')).toBe(
    '24:CONTENT_LENGTH\x009\0SCGI\x001\0,abc',
  )
})
