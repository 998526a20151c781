/** `tsgi init systemd`: a unit that starts, reloads and stops this application. */

import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Address } from '../options/address.ts'
import { givenAddresses } from '../options/addresses.ts'
import type { Options } from '../options/table.ts'
import { type InitTarget, lastingPackagePath } from './init-target.ts'

export function systemdUnit(target: InitTarget): string {
  const { name, startFolder, application, options, command } = target
  const program = [process.execPath, lastingPackagePath('dist/cli/main.js', target)]
  const words = [...program, ...command]
  const stopSeconds = Math.ceil(options.gracefulTimeoutMs / 1000) + 5
  return `# Save as /etc/systemd/system/${name}.service, then: systemctl daemon-reload && systemctl enable --now ${name}

[Unit]
Description=tsgi: ${escapeUnit(application)}
After=network-online.target
Wants=network-online.target

[Service]
# Started when the first worker accepts. The messages come from systemd-notify, a child of the master: hence all.
Type=notify
NotifyAccess=all
# Restarts the service where no worker has been well for so long. Workers that hang are replaced long before.
WatchdogSec=${watchdogSeconds(options)}
TimeoutStartSec=${startSeconds(options)}
ExecStart=${commandLine(words)}
${execReload(options, program)}
WorkingDirectory=${escapeUnit(startFolder)}
${linkedFolder(startFolder)}${ownFolders(target)}${accounts(options)}${capabilities(target)}
# SIGTERM goes to the master, which drains its workers; what is left after the graceful timeout is killed.
KillMode=mixed
TimeoutStopSec=${stopSeconds}
Restart=on-failure
# What the application connects to while it loads may be up a minute later. systemd gives up after five starts in ten seconds,
# and so never at this pace.
RestartSec=3
# A wrong command line is not mended by starting it again.
RestartPreventExitStatus=2

LimitNOFILE=65536
NoNewPrivileges=true
${privateTmp(target, words)}
ProtectSystem=full

[Install]
WantedBy=multi-user.target
`
}

function execReload({ control }: Options, program: readonly string[]): string {
  if (control === undefined) {
    return `# Says nothing of the outcome: with --control, \`systemctl reload\` would fail where the new code does not load.
# (The shell's own kill: a small system has no other.)
ExecReload=/bin/sh -c 'kill -HUP \${MAINPID}'`
  }
  return `# Waits for the outcome: it fails where the new code does not load, and the old code goes on.
ExecReload=${commandLine([...program, 'ctl', 'reload', '--control', control])}`
}

/** Longer than a worker may hang before it is replaced, and its successor may take to load. */
function watchdogSeconds({ heartbeatTimeoutMs, bootTimeoutMs }: Options): number {
  return Math.ceil((heartbeatTimeoutMs + bootTimeoutMs) / 1000) + 30
}

/** 0 is for ever, there and here. */
function startSeconds({ bootTimeoutMs }: Options): string {
  return bootTimeoutMs === 0 ? 'infinity' : String(Math.ceil(bootTimeoutMs / 1000) + 30)
}

/** Files that tsgi makes at a path that the options name. */
function madeFiles({ listener, options }: InitTarget): string[] {
  const { pidfile, logFile, accessLogFile } = options
  const addresses = [...listener.addresses, ...givenAddresses(options)]
  return [
    ...addresses.flatMap((address) => (address.kind === 'unix' ? [address.path] : [])),
    ...[pidfile, logFile, accessLogFile].filter((path) => path !== undefined),
  ]
}

/** systemd makes folders in these at each start, owned by the user; those in /run it removes after the stop. */
const PARENTS = [
  { parent: '/run', directive: 'RuntimeDirectory' },
  { parent: '/var/log', directive: 'LogsDirectory' },
]

function ownFolders(target: InitTarget): string {
  const { user } = target.options
  const made = madeFiles(target).map((path) => dirname(path).replace(/^\/var(?=\/run(?:\/|$))/, ''))
  const folders = [...new Set(made)]
  // Where it is root's, the front server and the workers pass by the bits of the others.
  const mode = user === undefined ? '0750' : '0755'
  return PARENTS.map(({ parent, directive }) => {
    const note =
      user === undefined && folders.includes(parent)
        ? `# Only root makes files in ${parent} itself: choose paths in a folder below it, which this unit then makes.\n`
        : ''
    const inner = folders.filter((folder) => folder.startsWith(`${parent}/`))
    if (inner.length === 0) return note
    const names = inner.map((folder) => quoteUnit(folder.slice(parent.length + 1)))
    return `${note}${directive}=${names.join(' ')}\n${directive}Mode=${mode}\n`
  }).join('')
}

/** With --user the master has to be root. Without, nothing is, and what the options name must be its own. */
function accounts({ user, group, socketOwner, socketGroup }: Options): string {
  if (user !== undefined) return `\n# The master is root; the workers run as ${user} (--user).\n`
  const first = group ?? socketGroup ?? 'www-data'
  return `
# Yours: a user that owns nothing else; the group is the front server's, so that it may connect to the socket.
User=${socketOwner ?? 'www-data'}
Group=${first}
${socketGroup === undefined || socketGroup === first ? '' : `SupplementaryGroups=${socketGroup}\n`}`
}

const FIRST_FREE_PORT = 1024

function capabilities({ options }: InitTarget): string {
  const isLow = (address: Address): boolean =>
    address.kind === 'tcp' && address.port > 0 && address.port < FIRST_FREE_PORT
  const needed = options.user === undefined && givenAddresses(options).some(isLow)
  return needed ? `# For a port below ${FIRST_FREE_PORT}.\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n` : ''
}

/** A /tmp of its own would hide from others what the options put there, and from the service what is there already. */
function privateTmp(target: InitTarget, words: readonly string[]): string {
  const paths = [...madeFiles(target), ...words, target.startFolder, target.folder, target.application]
  const shared = paths.find((path) => /^(?:\/var)?\/tmp\//.test(path))
  if (shared === undefined) return 'PrivateTmp=true'
  return `# No PrivateTmp=true: ${escapeUnit(shared)} is in the /tmp that all share. Another folder is safer.`
}

/** systemd resolves the link and does not tell its name, which a reload follows to the next release. */
function linkedFolder(startFolder: string): string {
  if (realpathSync(startFolder) === startFolder) return ''
  return `# A link: a reload is for the release that it leads to then.\nEnvironment=${quoteUnit(`PWD=${startFolder}`)}\n`
}

/** systemd.unit(5): specifiers begin with a percent sign. */
function escapeUnit(text: string): string {
  return text.replaceAll('%', '%%')
}

const commandLine = (words: readonly string[]): string => words.map(quoteUnit).join(' ')

/** systemd.service(5), "Command lines": words with blanks in quotes, $ doubled. */
function quoteUnit(word: string): string {
  const escaped = escapeUnit(word).replaceAll('$', '$$$$')
  if (/^[\w@%+=:,./$-]+$/.test(escaped)) return escaped
  const quoted = escaped.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `"${quoted}"`
}
