/** What a visitor of the example site does, through a published port. */

import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { httpRequest } from '../../support/http-client.ts'
import { until } from '../../support/until.ts'

/** Resolves when the first page comes. */
export const servesPages = (port: number, deadlineMs = 60_000) =>
  until(
    'the first page',
    () =>
      readPage(port).then(
        () => true,
        () => false,
      ),
    deadlineMs,
  )

/** All that the site has but WebSockets, which not every front passes on. */
export async function visit(port: number): Promise<void> {
  await readPage(port)
  await readStaticFile(port)
  await sendForm(port)
  await upload(port)
  await readStream(port)
}

export async function readPage(port: number): Promise<void> {
  const page = await httpRequest({ port }, { path: '/' })
  expect(page).toMatchObject({ status: 200, complete: true })
  expect(page.text).toContain('<h1>A site behind tsgi</h1>')
  expect((await httpRequest({ port }, { path: '/nothing-here' })).status).toBe(404)
}

export async function readStaticFile(port: number): Promise<void> {
  const file = await httpRequest({ port }, { path: '/static/site.css' })
  expect(file).toMatchObject({ status: 200, complete: true })
  expect(file.header('content-type')).toMatch(/^text\/css/)
  expect(file.text).toContain('--accent')
}

async function sendForm(port: number): Promise<void> {
  const type = ['Content-Type', 'application/x-www-form-urlencoded'] as const
  const sent = await httpRequest({ port }, { method: 'POST', path: '/form', headers: [type], body: 'name=Zo%C3%AB' })
  expect(sent.status).toBe(303)
  expect(sent.header('location')).toMatch(/\/form$/)
  const cookie = sent.header('set-cookie')?.split(';')[0] ?? ''
  const shown = await httpRequest({ port }, { path: '/form', headers: [['Cookie', cookie]] })
  expect(shown.text).toContain('Good day, Zoë!')
  // Signed: nobody else's name can be put there.
  const forged = await httpRequest({ port }, { path: '/form', headers: [['Cookie', `${cookie}x`]] })
  expect(forged.text).toContain('We have not met.')
}

const UPLOAD_BYTES = 5 * 1024 * 1024

async function upload(port: number): Promise<void> {
  const body = randomBytes(UPLOAD_BYTES)
  const answer = await httpRequest({ port }, { method: 'POST', path: '/api/upload', body })
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.text)).toEqual({
    bytes: UPLOAD_BYTES,
    sha256: createHash('sha256').update(body).digest('hex'),
  })
}

/** The events come one by one, not all at the end. */
async function readStream(port: number): Promise<void> {
  const arrivalsMs: number[] = []
  let text = ''
  const answer = await httpRequest(
    { port },
    {
      path: '/events/stream',
      onBody: (chunk) => {
        arrivalsMs.push(performance.now())
        text += chunk.toString()
      },
    },
  )
  expect(answer).toMatchObject({ status: 200, complete: true })
  expect(text.match(/^data: event \d of 5$/gm)).toHaveLength(5)
  expect((arrivalsMs.at(-1) ?? 0) - (arrivalsMs[0] ?? 0)).toBeGreaterThan(300)
}

export async function talkOverWebSocket(port: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat/socket`)
  const answer = await new Promise<string>((resolve, reject) => {
    socket.on('open', () => socket.send('hello'))
    socket.on('message', (data: Buffer) => resolve(data.toString()))
    socket.on('error', reject)
  })
  socket.close()
  expect(answer).toBe('you said: hello')
}

export async function versionOf(port: number): Promise<string> {
  const answer = await httpRequest({ port }, { path: '/api/version' })
  const parsed: unknown = JSON.parse(answer.text)
  return typeof parsed === 'object' && parsed !== null ? String(Reflect.get(parsed, 'version')) : ''
}
