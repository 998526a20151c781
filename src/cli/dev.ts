/** `tsgi dev APP`: one worker, HTTP, pretty logs, and a reload whenever a source file changes. */

import { dirname, relative } from 'node:path'
import { ERRORS, TsgiError } from '../errors.ts'
import type { Options } from '../options/table.ts'
import { explained, prepareRun } from './application-run.ts'
import { type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { paintError, printError } from './terminal.ts'
import { watchSources } from './watch.ts'

/** Stronger than the file, which is written for production; a flag or a variable still wins. */
const DEVELOPMENT: Partial<Options> = {
  uwsgi: [],
  fastcgi: [],
  scgi: [],
  socket: [],
  http: ['127.0.0.1:8000'],
  workers: 1,
  debug: true,
  logFormat: 'pretty',
  logFile: undefined,
  accessLog: 'combined',
  accessLogFile: undefined,
  gracefulTimeoutMs: 2000,
  control: undefined,
  stats: undefined,
  metrics: undefined,
  pidfile: undefined,
  user: undefined,
  group: undefined,
}

export const dev: Subcommand = {
  name: 'dev',
  operands: '[APP]',
  summary: 'Develop: one worker on http://127.0.0.1:8000, reloaded on change.',
  description:
    'Serves APP for development: one worker on http://127.0.0.1:8000, readable logs, errors shown in the browser, and a ' +
    'reload whenever a source file changes; what does not load is tried again then. Listeners, pool and logs of the ' +
    'configuration file are for `tsgi serve`: here only flags and variables change them.',
  options: VISIBLE_OPTIONS,
  preset: DEVELOPMENT,
  examples: [
    { command: 'tsgi dev app.ts', explanation: 'http://127.0.0.1:8000' },
    {
      command: 'tsgi dev app.ts --http :3000 --uwsgi /tmp/app.sock',
      explanation: 'On all interfaces, port 3000, and for an nginx on this machine.',
    },
  ],
  run: async (invocation) => {
    if (invocation.input.environment['NODE_ENV'] === 'production') {
      const remedy = 'unset it, or use tsgi serve'
      throw new TsgiError(
        'TSGI_USAGE',
        `tsgi dev shows the source in the browser, and NODE_ENV is production: ${remedy}`,
      )
    }
    const preset = { name: 'tsgi dev', values: DEVELOPMENT }
    let run = await prepareRun(invocation, preset)
    const changes = new Changes()
    let isWatching = true
    using _watch = watchSources(watchedFolder(run.application, invocation.input.cwd), {
      changed: (path) => {
        printError(paintError('dim', `tsgi dev: ${path} changed`))
        changes.note()
      },
      ended: (why) => {
        isWatching = false
        printError(paintError('red', `tsgi dev: no reload when a file changes: ${why}`))
      },
    })
    const { runMaster } = await import('../master/main.ts')
    for (;;) {
      const { application, options, reload } = run
      const onListening = (): void => {
        for (const address of options.http) printError(`tsgi dev: http://${browsable(address)}/`)
      }
      changes.begin()
      const ended = await runMaster({ application, options, reload, onListening })
      if (ended.exitCode !== ERRORS.TSGI_LOAD.exitCode || !isWatching) return explained(ended, options)
      printError(paintError('dim', 'tsgi dev: waits for a change; Ctrl-C ends it'))
      await changes.next()
      run = await prepareRun(invocation, preset)
    }
  },
}

/** What a change of a file means: a reload while the application is served, another try where it did not load. */
class Changes {
  #isServing = false
  /** One that came while the application was loading may be the very one that mends it. */
  #isPending = false
  #wake: (() => void) | undefined

  begin(): void {
    this.#isServing = true
    this.#isPending = false
  }

  note(): void {
    this.#isPending = true
    // This process is the master: what an operator sends to reload it, it sends to itself.
    if (this.#isServing) process.kill(process.pid, 'SIGHUP')
    this.#wake?.()
  }

  /** Resolves at the next change since `begin`. */
  async next(): Promise<void> {
    this.#isServing = false
    if (this.#isPending) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }
}

/** `:3000` is all interfaces; a browser wants one of them. */
function browsable(address: string): string {
  return address.startsWith(':') ? `localhost${address}` : address
}

/** The project, where the application is inside it; else the application's own folder. */
function watchedFolder(application: string, cwd: string): string {
  const inside = !relative(cwd, application).startsWith('..')
  return inside ? cwd : dirname(application)
}
