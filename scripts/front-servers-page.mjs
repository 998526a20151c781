/** docs/front-servers.md, from the table that the tests of the front servers run by. */

const cell = (text) => text.replaceAll('|', '\\|')
const row = (...cells) => `| ${cells.join(' | ')} |`
const table = (headings, rows) => [row(...headings), `|${'---|'.repeat(headings.length)}`, ...rows].join('\n')

const PROTOCOLS = { uwsgi: 'uwsgi', fastcgi: 'FastCGI', scgi: 'SCGI' }
const TRANSPORTS = { unix: 'Unix socket', tcp: 'TCP' }

const VERSIONS = 'nginx 1.22, Apache 2.4, lighttpd 1.4, Caddy 2.6, HAProxy 2.6 and uWSGI 2.0'

/** Pairs that differ in nothing but the transport (and variant) share a column. */
function columnsOf(matrix, titles) {
  const columns = new Map()
  for (const pair of matrix) {
    const heading = `${titles[pair.front]} ${PROTOCOLS[pair.protocol]}`
    columns.set(heading, [...(columns.get(heading) ?? []), pair])
  }
  return columns
}

/** Footnotes in the order of their first use. */
class Notes {
  #numbers = new Map()

  number(text) {
    if (!this.#numbers.has(text)) this.#numbers.set(text, this.#numbers.size + 1)
    return this.#numbers.get(text)
  }

  lines() {
    return [...this.#numbers].map(([text, number]) => `${number}. ${text[0].toUpperCase()}${text.slice(1)}.`)
  }
}

function outcome(pairs, behaviour, notes) {
  const limits = pairs.map((pair) => [pair.transport, pair.limits[behaviour]])
  const limited = limits.filter(([, limit]) => limit !== undefined)
  if (limited.length === 0) return 'yes'
  const [transport, limit] = limited[0]
  const mark = `${limit.harmless ? 'yes' : 'no'} (${notes.number(limit.why)})`
  return limited.length === limits.length ? mark : `${TRANSPORTS[transport]}: ${mark}`
}

/** Where the package has no sample files, the whole of what the tests start. */
function configurations({ lighttpdConfig, caddyConfig, haproxyConfig, uwsgiRouterArguments }) {
  const backend = { path: '/run/tsgi/app.sock' }
  const place = { directory: '/srv/app/public', temporary: '/var/cache/lighttpd/uploads', port: 80 }
  const block = (name, text) => `\n\n${name}:\n\n\`\`\`\n${text.trimEnd()}\n\`\`\``
  const command = `uwsgi ${uwsgiRouterArguments(backend, place).join(' ')}`
  return {
    nginx: '',
    apache: '',
    lighttpd: block('lighttpd.conf, for FastCGI', lighttpdConfig('fastcgi', backend, place)),
    caddy: block('Caddyfile', caddyConfig(backend, place)),
    haproxy: block('haproxy.cfg', haproxyConfig(backend, place)),
    uwsgi: block('The command', command.replaceAll(/ (?=--http)/g, ' \\\n  ')),
  }
}

const remarks = (texts = []) => (texts.length === 0 ? '' : `\n\n${texts.map((text) => `- ${text}`).join('\n')}`)

export function frontServersPage({ BEHAVIOURS, FRONT_TITLES, MATRIX, REMARKS }, configurationTexts) {
  const configuration = configurations(configurationTexts)
  const columns = columnsOf(MATRIX, FRONT_TITLES)
  const notes = new Notes()
  const fronts = Object.keys(FRONT_TITLES)
  const sections = fronts.map((front) => {
    const names = [...columns.keys()].filter((name) => columns.get(name)[0].front === front)
    const rows = Object.entries(BEHAVIOURS).map(([behaviour, title]) =>
      row(title, ...names.map((name) => outcome(columns.get(name), behaviour, notes))),
    )
    const directives = MATRIX.filter((pair) => pair.front === front).map((pair) =>
      row(
        PROTOCOLS[pair.protocol],
        TRANSPORTS[pair.transport],
        `\`${cell(pair.directive)}\``,
        pair.sample === undefined ? '' : `[${pair.sample}](../${pair.sample})`,
      ),
    )
    const headings = names.map((name) => PROTOCOLS[columns.get(name)[0].protocol])
    return `## ${FRONT_TITLES[front]}

${table(['Protocol', 'Over', 'Directive', 'Sample'], directives)}${configuration[front]}${remarks(REMARKS[front])}

${table(['What works', ...headings], rows)}`
  })
  return `# Front servers

tsgi speaks uwsgi, FastCGI and SCGI, so that the same application runs, unchanged, behind each of these. Every line below is
a test with the real server, as Debian 12 packages it: ${VERSIONS}. Numbers lead to the notes at the end.

With nginx or Apache, take FastCGI with kept connections (\`fastcgi_keep_conn on\`, \`enablereuse=on\`): no connection is made
per request. Take uwsgi where connections are upgraded (WebSocket), where the way to tsgi is encrypted, or where
configuration for uWSGI or Gunicorn is there already. SCGI is there for what speaks nothing else.

Samples and configurations are whole files, the very ones that the tests start. Put your own address for \`127.0.0.1:80\` and
your own folder for \`/srv/app/public\`. A Unix socket is open to the user and the group of tsgi: \`--socket-group\` names the
group of the front server (Debian: www-data for nginx, Apache and lighttpd, caddy, haproxy).

${sections.join('\n\n')}

## Notes

${notes.lines().join('\n')}
`
}
