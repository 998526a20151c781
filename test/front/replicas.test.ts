/** Two instances behind one nginx, stopped and started one after the other, as a rolling update does. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { watchForFailures } from '../docker/support/failures.ts'
import { startNginx } from '../support/nginx.ts'
import { describeWith } from '../support/peers.ts'
import { freePort } from '../support/ports.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTsgi } from '../support/tsgi.ts'

const SITE = join(import.meta.dirname, '..', '..', 'examples', 'site')

describeWith(['nginx'], 'instances behind nginx are replaced one after the other', () => {
  test('and what waited in the accept queue of the one that leaves is still answered', async () => {
    const folder = tempDir()
    const port = await freePort()
    const key = join(folder, 'session.key')
    writeFileSync(key, 'k'.repeat(64))
    const sockets = ['app-1.sock', 'app-2.sock'].map((name) => join(folder, name))
    const start = (socket: string) =>
      startTsgi({
        app: 'app.ts',
        cwd: SITE,
        args: ['--uwsgi', socket, '--workers', '2'],
        env: { SESSION_KEY_FILE: key },
      })
    const front = await startNginx({
      sites: [
        { file: 'replicas.conf', substitutions: { '/run/tsgi': folder, 'listen 80;': `listen 127.0.0.1:${port};` } },
      ],
    })
    const first = await Promise.all(sockets.map(start))
    const watch = watchForFailures(port)
    for (const [index, socket] of sockets.entries()) {
      expect(await first[index]?.stop()).toEqual({ code: 0, signal: null })
      await start(socket)
    }
    const counted = await watch.stop()
    expect(counted.total).toBeGreaterThan(100)
    expect(counted).toMatchObject({ failed: 0 })
    expect(front.process.lines.filter((line) => line.includes('no live upstreams'))).toEqual([])
  }, 120_000)
})
