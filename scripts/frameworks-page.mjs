/** docs/frameworks.md, from the tables that the tests of the frameworks run by. */

import { readFileSync } from 'node:fs'

const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (headings, rows) => [row(...headings), `|${'---|'.repeat(headings.length)}`, ...rows].join('\n')

function versionOf(packageName) {
  if (packageName === undefined) return "Node's"
  const file = new URL(`../node_modules/${packageName}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}

export function frameworksPage({ FRAMEWORKS, CHECKS }) {
  const rows = FRAMEWORKS.map(({ name, packageName, example, checks }) =>
    row(
      name,
      versionOf(packageName),
      `[${example}](../examples/${example})`,
      checks.map((check) => CHECKS[check]).join('; '),
      'passes',
    ),
  )
  return `# Frameworks

An application that runs on \`node:http\` runs on tsgi without a change, whether it exports what it made (\`export default app\`)
or makes a server listen by itself. Every line below is a test: the example as it is in this repository, in a worker of
\`tsgi serve\`, asked through nginx over uwsgi and over FastCGI.

${table(['Framework', 'Version', 'Example', 'What was run', 'Result'], rows)}

\`@opentelemetry/instrumentation-http\` makes a server span for each request, with the route of the framework and the status.
It has to be enabled before the application loads its framework, as everywhere.

A file that makes several servers listen is served by the first, or by the one that \`--app-port\` names; the log says what
became of the others. A \`fetch\` application that keeps \`Request\` or \`Response\` while it is loaded (\`class X extends Request\`)
is started with \`--interface fetch\`, which has tsgi's own classes in place before.
`
}
