/**
 * `npm run docs`: the pages of docs/ that are made from the tables of the source. Reads dist/, so build first.
 * A test compares the pages with what this gives.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'
import { frameworksPage } from './frameworks-page.mjs'
import { frontServersPage } from './front-servers-page.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
const row = (...cells) => `| ${cells.join(' | ')} |`
const code = (text) => `\`${cell(text)}\``
const table = (headings, rows) => [row(...headings), `|${'---|'.repeat(headings.length)}`, ...rows].join('\n')

const KINDS = {
  usage: ['Usage', 'The operator must act. The command prints the message without a stack and ends.'],
  load: ['Loading', "The application's author must act: the message says what was found and what was wanted."],
  bind: ['Binding', 'The operator must act: an address is taken, or may not be used.'],
  run: ['Running', 'The command or the request was understood and could not be carried out.'],
  protocol: ['Front server', 'What the front server sent is refused. It costs only its own connection.'],
  application: [
    'Application',
    'The application broke the interface. The client gets a 500 where the head was not sent yet.',
  ],
  client: ['Client', 'The client left or sent less than it promised. Nobody has to act.'],
}

function errorsPage({ ERRORS }) {
  const sections = Object.entries(KINDS).map(([kind, [heading, introduction]]) => {
    const rows = Object.entries(ERRORS).filter(([, error]) => error.kind === kind)
    const result = ({ exitCode, status }) => (exitCode === undefined ? (status ?? '') : `exit code ${exitCode}`)
    const lines = rows.map(([name, error]) => row(code(name), cell(error.help), result(error)))
    return `## ${heading}\n\n${introduction}\n\n${table(['Code', 'Meaning', 'Ends in'], lines)}`
  })
  return `# Errors

Every error of tsgi has a code: it is in the log (\`code\`) and on the error itself (\`error.code\`). Programs compare the code,
never the text. Exit codes of the command: 0 all is well, 1 the run failed, 2 usage or configuration, 3 the application
could not be loaded, 4 an address could not be bound. Those of \`tsgi request\` tell the status of the answer: see its help.

${sections.join('\n\n')}
`
}

function metricsPage({ COUNTERS, HISTOGRAMS, WORKER_GAUGES, MASTER_METRICS }) {
  const labels = (metric) => {
    if (metric.label !== undefined) return code(metric.label.name)
    return metric.each === 'worker' ? code('worker') : ''
  }
  const rows = [COUNTERS, HISTOGRAMS, WORKER_GAUGES, MASTER_METRICS]
    .flatMap((group) => Object.values(group))
    .map((metric) => row(code(metric.name), metric.kind, labels(metric), cell(metric.help)))
  return `# Metrics

Served at \`--metrics ADDR\` for Prometheus. Counters and histograms are summed over all workers that ever lived, so they
never go back when a worker is replaced.

${table(['Name', 'Kind', 'Label', 'Meaning'], rows)}
`
}

function signalsPage({ SIGNALS }, { CONTROL_COMMANDS }) {
  const signals = Object.entries(SIGNALS).map(([name, { help }]) => row(code(name), cell(help)))
  const commands = Object.entries(CONTROL_COMMANDS).map(([name, { argument, help }]) =>
    row(code(argument === undefined ? name : `${name} ${argument}`), cell(help)),
  )
  return `# Signals and control commands

Signals go to the master, the process whose id is in \`--pidfile\`. Workers are the master's own business.
An application that listens for SIGTERM is called when its worker leaves, on a stop, a reload or a retirement alike, and after the
last response: it may end the process, or leave that to the worker, which ends when nothing is open any more, and at the latest
when \`--graceful-timeout\` is over.

${table(['Signal', 'Meaning'], signals)}

\`tsgi ctl COMMAND --control ADDR\` sends these over the control socket, waits for the outcome, and ends with an exit code
that tells it.

${table(['Command', 'Meaning'], commands)}
`
}

/** @returns the text of each page by its path, relative to the checkout */
export async function generatePages() {
  const load = (path) => import(new URL(`../dist/${path}.js`, import.meta.url).href)
  const [help, errors, metrics, signals, control] = await Promise.all(
    ['options/help', 'errors', 'metrics/table', 'master/signals', 'master/control-messages'].map(load),
  )
  const [matrix, configurations, frameworks, odd, suites] = await Promise.all(
    ['front/matrix', 'support/front-configurations', 'front/frameworks', 'front/odd', 'suites/suites'].map((path) =>
      tsImport(`../test/${path}.ts`, import.meta.url),
    ),
  )
  const suiteResults = JSON.parse(readFileSync(join(root, 'test', 'suites', 'results.json'), 'utf8'))
  const pages = {
    'docs/options.md': ['src/options/table.ts', help.optionsPage()],
    'docs/errors.md': ['src/errors.ts', errorsPage(errors)],
    'docs/metrics.md': ['src/metrics/table.ts', metricsPage(metrics)],
    'docs/signals.md': ['src/master/signals.ts and src/master/control-messages.ts', signalsPage(signals, control)],
    'docs/frameworks.md': [
      'test/front/frameworks.ts, test/front/odd.ts and test/suites',
      frameworksPage(frameworks, odd, suites, suiteResults),
    ],
    'docs/front-servers.md': ['test/front/matrix.ts', frontServersPage(matrix, configurations)],
  }
  const withNotice = ([path, [source, text]]) => [
    path,
    `<!-- Made from ${source} by npm run docs: do not edit. -->\n\n${text}`,
  ]
  return Object.fromEntries(Object.entries(pages).map(withNotice))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(await generatePages())) writeFileSync(join(root, path), text)
}
