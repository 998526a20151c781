/** docs/frameworks.md, from the tables that the tests of the frameworks run by. */

import { readFileSync } from 'node:fs'

const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (headings, rows) => [row(...headings), `|${'---|'.repeat(headings.length)}`, ...rows].join('\n')

function versionOf({ packageName, example, isBuilt }) {
  if (packageName === undefined) return "Node's"
  if (isBuilt) {
    const file = new URL(`../examples/${example.split('/')[0]}/package.json`, import.meta.url)
    return JSON.parse(readFileSync(file, 'utf8')).dependencies[packageName]
  }
  const file = new URL(`../node_modules/${packageName}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}

const PROTOCOLS = { fastcgi: 'FastCGI', uwsgi: 'uwsgi' }

const plain = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
const plural = (count) => (count === 1 ? '1 test' : `${count} tests`)

/** What the last recorded run of the suites gave, and what it may not give. */
function suitesSection(SUITES, results) {
  const recorded = SUITES.filter(({ name }) => results[name] !== undefined)
  const rows = recorded.map(({ name }) => {
    const { version, onNodeHttp, over } = results[name]
    const passed = Object.keys(PROTOCOLS).map((protocol) => over[protocol] ?? '')
    return row(name, version, onNodeHttp, ...passed)
  })
  const reasons = new Map()
  for (const { name, differences } of recorded)
    for (const { why, tests, over } of differences) {
      const where = over === undefined ? name : `${name}, over ${PROTOCOLS[over]}`
      const titles = tests.map((test) => test.split(' > ').slice(1).join(': '))
      reasons.set(why, [...(reasons.get(why) ?? []), `${where} (${plural(tests.length)}): ${titles.join('; ')}`])
    }
  const missing = SUITES.filter(({ name }) => results[name] === undefined).map(({ name }) => name)
  const absent = missing.length === 0 ? '' : ` Set up, but not recorded yet: ${missing.join(', ')}.`
  const differences = [...reasons].map(([why, where]) => row(why, plain(where.join('. '))))
  return `## The frameworks' own test suites

\`npm run test:suites\` runs the test suites of the projects themselves, unchanged, twice: on \`node:http\`, and with every server
that listens replaced by tsgi: \`listen\` is taken over as in a worker, and a thin front server passes requests and responses on,
over a Unix socket, to the connection code of a worker with the Node interface. Every test that passes on \`node:http\` has to pass on
tsgi. Counted are tests that pass; of Fastify and its plugins those of the files that make a server listen.

${table(['Suite', 'Version', 'node:http', ...Object.values(PROTOCOLS).map((title) => `tsgi over ${title}`)], rows)}

The run fails where another test differs than these, and where one of these does not:

${table(['Why', 'Tests'], differences)}

The suites come from Debian's source packages, and those of Fastify and its plugins from their packages on npm. Neither has one of
Koa, Hono, h3 or NestJS: these are held to the examples above.${absent}`
}

/** Run once, on Node 24: what needs a build of its own and hundreds of packages is no part of `npm test`. */
const BUILDS = [
  row(
    'SvelteKit, adapter-node',
    '3.2.0',
    '`build/index.js`',
    'as on `node:http` it takes every request for HTTPS, and refuses forms of others, unless `PROTOCOL_HEADER` names a header',
  ),
  row(
    'Astro, @astrojs/node',
    '7.3.5',
    '`dist/server/entry.mjs`',
    'its middleware: `entry.mjs:handler --interface node`, with static files served by nginx',
  ),
  row('React Router, a server of your own', '8.4.0', '`server.mjs`', ''),
  row(
    'React Router, react-router-serve',
    '8.4.0',
    'two lines, `start.cjs`',
    "`process.argv[2] = 'build/server/index.js'` and `require('./node_modules/@react-router/serve/bin.cjs')`: what is served has no arguments",
  ),
  row('Nuxt', '4.2', '`.output/server/index.mjs`', ''),
  row('Nitro, node-server', '3.0.0', '`.output/server/index.mjs`', ''),
  row('AdonisJS', '6.21.0', '`bin/server.js`', ''),
  row('TanStack Start', '1.169.5', '`dist/server/server.js`', "its `fetch` export; static files are nginx's"),
]

export function frameworksPage({ FRAMEWORKS, CHECKS }, { ODD_CASES }, { SUITES }, suiteResults) {
  const rows = FRAMEWORKS.map((framework) =>
    row(
      framework.name,
      versionOf(framework),
      `[${framework.example}](../examples/${framework.example})`,
      framework.checks.map((check) => CHECKS[check]).join('; '),
      'passes',
    ),
  )
  const differences = ODD_CASES.filter(({ differs }) => differs !== undefined).map(({ name, differs }) =>
    row(name, differs.what, differs.why),
  )
  const same = ODD_CASES.filter(({ differs }) => differs === undefined).map(({ name }) => name)
  return `# Frameworks

An application that runs on \`node:http\` runs on tsgi without a change, whether it exports what it made (\`export default app\`)
or makes a server listen by itself. Every line below is a test: the example as it is in this repository, in a worker of
\`tsgi serve\`, asked through nginx over uwsgi and over FastCGI.

${table(['Framework', 'Version', 'Example', 'What was run', 'Result'], rows)}

\`@opentelemetry/instrumentation-http\` makes a server span for each request, with the route of the framework and the status.
It has to be enabled before the application loads its framework, as everywhere.

Below a mount (\`--mount\`, \`dispatch\`) a framework sees the whole path, mount included, as the client sent it: its routes name
the mount ([middleware.md](middleware.md#applications-of-other-interfaces)).

A file that makes several servers listen is served by the one that calls what it exports, else by the first, or by the one that
\`--app-port\` names; the log says what became of the others. An export that brings a server of its own (an \`http.Server\`, Fastify,
hapi, NestJS), or that is named (\`server.js:app\`), is served itself where only others listen: a port for metrics, for one.

A \`fetch\` application that keeps \`Request\` or \`Response\` while it is loaded (\`class X extends Request\`) is started with
\`--interface fetch\`, which has tsgi's own classes in place before.

## What a framework builds

The server that a framework writes for production is served as it is. These were built and compared by hand, answer by answer,
with the same build on \`node:http\` behind \`proxy_pass\`, over uwsgi and kept FastCGI, with reloads under load; no test repeats it.

${table(['Framework', 'Version', 'tsgi serve', 'To know'], BUILDS)}

nginx collects pages that are streamed: [deployment.md](deployment.md#streamed-responses).

## Compared with node:http

The same files run under \`node:http\` behind \`proxy_pass\` and under tsgi behind \`uwsgi_pass\` and \`fastcgi_pass\` of the same
nginx, as a bare listener and with Express, Koa and Fastify. Clients see the same of: ${same.join(', ')}. Applications are
told the same, in the same order, of a client that leaves in an upload or a download. What differs:

${table(['What happens', 'The response', 'Why'], differences)}

Interim responses (103) and trailers are dropped where the protocol has no place for them: nginx takes the first status that
it reads from uwsgi, FastCGI and SCGI for the final one.

${suitesSection(SUITES, suiteResults)}
`
}
