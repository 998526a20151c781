/** A worker reads the platform's fetch classes only when an application needs them: these may be replaced by then. */

import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { askOver } from '../support/ask-over.ts'
import { freePort } from '../support/ports.ts'
import { startTsgi } from '../support/tsgi.ts'

test('an application that puts its own classes there is served by the platform itself, and keeps its own', async () => {
  const port = await freePort()
  const app = join(import.meta.dirname, 'apps', 'own-fetch-classes.ts')
  const tsgi = await startTsgi({ app, args: ['--uwsgi', `127.0.0.1:${port}`, '--workers', '1'] })
  const params = { CONTENT_LENGTH: '4', HTTP_X_ASKED: 'yes' }
  const reply = await askOver(connect(port, '127.0.0.1'), {
    protocol: 'uwsgi',
    path: '/',
    params,
    body: Buffer.from('text'),
  })
  expect(JSON.parse(reply.body.toString())).toEqual({ body: 'text', header: 'yes', replaced: ['Mine', 'Mine'] })
  await tsgi.stop()
})
