/** `tsgi serve APP`: the master and its workers, in the foreground. */

import { explained, prepareRun } from './application-run.ts'
import { type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { logicalPath } from './working-folder.ts'

export const serve: Subcommand = {
  name: 'serve',
  operands: '[APP]',
  summary: 'Serve an application with a pool of workers.',
  description:
    'Serves APP, which is path/to/file.ts or path/to/file.ts:export, with a pool of worker processes behind a front ' +
    'server. Runs in the foreground; SIGHUP reloads without losing a request, SIGTERM drains and ends.',
  options: VISIBLE_OPTIONS,
  examples: [
    {
      command: 'tsgi serve app.ts --uwsgi /run/app/app.sock --workers 4',
      explanation: 'Behind nginx (uwsgi_pass unix:/run/app/app.sock) or Apache (uwsgi://).',
    },
    {
      command: 'tsgi serve app.ts:admin --interface tsgi --fastcgi 127.0.0.1:9000',
      explanation: 'The export `admin`, over FastCGI.',
    },
    {
      command: 'tsgi serve app.ts --http :8000',
      explanation: 'Without a front server.',
    },
  ],
  run: async (invocation) => {
    // By default it would end what has not even read its configuration; there is nothing to reload yet.
    process.on('SIGHUP', () => undefined)
    const { application, options, reload } = await prepareRun(invocation)
    // Here, because it costs as much to load as all of `tsgi request`, which health checks start every few seconds.
    const { runMaster } = await import('../master/main.ts')
    const [, called] = process.argv
    const program = called === undefined ? undefined : logicalPath(called, process.cwd(), invocation.input.cwd)
    return explained(await runMaster({ application, options, reload, program }), options)
  },
}
