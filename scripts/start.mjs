/**
 * `npm start`: the example application, served as it would be in production: nginx in front (where it is installed),
 * tsgi behind it on a Unix socket. Without nginx, or with `npm start -- --http`, through tsgi's own HTTP listener. Ctrl-C
 * stops everything.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ensureBuilt, ensureInstalled } from './ensure-built.mjs'
import { writeNginxPrefix } from './nginx-prefix.mjs'
import { findCommand } from './peers.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const application = join('examples', 'welcome', 'app.ts')
const firstPort = 8080
const answerDeadlineMs = 30_000
const stopDeadlineMs = 10_000

/** @type {{ name: string, child: import('node:child_process').ChildProcess }[]} */
const running = []
let stopping = false
const runtimeDirectory = mkdtempSync(join(tmpdir(), 'tsgi-start-'))

function start(name, command, parameters) {
  // A group of its own: Ctrl-C in the terminal reaches this script alone, which then stops things in order.
  const child = spawn(command, parameters, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  running.push({ name, child })
  child.once('error', (error) => fail(`${name} could not be started: ${error.message}`))
  child.once('exit', (code, signal) => fail(`${name} ended: ${signal ?? `exit code ${code}`}`))
}

function fail(message) {
  if (stopping) return
  console.error(`\ntsgi: ${message}`)
  void stop(1)
}

const isRunning = ({ child }) => child.pid !== undefined && child.exitCode === null && child.signalCode === null

async function stop(exitCode) {
  if (stopping) return
  stopping = true
  process.exitCode = exitCode
  // nginx first: no new request may arrive at a socket that is about to go.
  for (const server of running.toReversed()) {
    if (!isRunning(server)) continue
    const ended = once(server.child, 'exit')
    server.child.kill(server.name === 'nginx' ? 'SIGQUIT' : 'SIGTERM')
    const late = setTimeout(() => server.child.kill('SIGKILL'), stopDeadlineMs)
    await ended
    clearTimeout(late)
  }
  rmSync(runtimeDirectory, { recursive: true, force: true })
}

/** The first port from 8080 on that nobody listens on. */
async function freePort() {
  for (let port = firstPort; port < firstPort + 100; port += 1) {
    const server = createServer()
    const free = await new Promise((resolve, reject) => {
      server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error(`no free port from ${firstPort} to ${firstPort + 99}`)
}

/** @returns the status of the answer; undefined where there was none. */
function ask(url) {
  return new Promise((resolve) => {
    request(url, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', () => resolve(undefined))
      .end()
  })
}

/** @returns false, after the failure was said, where `ready` never was true */
async function waitUntil(ready, what) {
  const deadline = Date.now() + answerDeadlineMs
  while (!stopping && Date.now() < deadline) {
    if (await ready()) return true
    await delay(100)
  }
  fail(`${what} within ${answerDeadlineMs / 1000} s`)
  return false
}

const accepts = (socket) =>
  new Promise((resolve) => {
    const connection = connect(socket, () => resolve(true)).once('error', () => resolve(false))
    connection.once('connect', () => connection.destroy())
  })

async function main() {
  ensureInstalled()
  ensureBuilt()
  const nginx = process.argv.includes('--http') ? undefined : findCommand('nginx')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const serve = ['dist/cli/main.js', 'serve', application]
  if (nginx === undefined) {
    start('tsgi', process.execPath, [...serve, '--http', `127.0.0.1:${port}`])
  } else {
    const socket = join(runtimeDirectory, 'app.sock')
    start('tsgi', process.execPath, [...serve, '--uwsgi', socket])
    // nginx would fill the terminal with what it makes of a socket that nobody listens on yet.
    if (!(await waitUntil(() => accepts(socket), `tsgi did not listen on ${socket}`))) return
    const parameters = writeNginxPrefix({
      prefix: runtimeDirectory,
      siteFiles: [join(root, 'nginx', 'app.conf')],
      substitutions: [
        {
          'unix:/run/tsgi/app.sock': `unix:${socket}`,
          'listen 80;': `listen 127.0.0.1:${port};`,
          '/srv/app/public': join(root, 'examples', 'welcome', 'public'),
        },
      ],
      sharedDirectory: join(root, 'nginx'),
      logLevel: 'warn',
    })
    start('nginx', nginx, parameters)
  }
  if (!(await waitUntil(async () => (await ask(url)) === 200, `no answer from ${url}`))) return
  const why = process.argv.includes('--http') ? '' : ': nginx is not installed'
  const path = nginx === undefined ? `tsgi alone (its own HTTP listener${why})` : 'nginx and tsgi'
  console.log(`\n  ${application} is served by ${path}\n\n    ${url}\n\n  Ctrl-C stops it.\n`)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0))
try {
  await main()
} catch (error) {
  fail(error.message)
}
