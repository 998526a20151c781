/** `tsgi init systemd`: a unit that starts, reloads and stops this application. */

import { dirname } from 'node:path'
import type { Options } from '../options/table.ts'
import { type InitTarget, packagePath } from './init-target.ts'

export function systemdUnit(target: InitTarget): string {
  const { name, folder, application, options, command } = target
  const words = [process.execPath, packagePath('dist/cli/main.js'), ...command]
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
ExecStart=${words.map(quoteUnit).join(' ')}
# The shell's own kill: a small system has no other.
ExecReload=/bin/sh -c 'kill -HUP \${MAINPID}'
WorkingDirectory=${escapeUnit(folder)}
${runtimeFolder(target)}
# Yours: a user that owns nothing else; the group is the front server's, so that it may connect to the socket.
User=www-data
Group=www-data

# SIGTERM goes to the master, which drains its workers; what is left after the graceful timeout is killed.
KillMode=mixed
TimeoutStopSec=${stopSeconds}
Restart=on-failure
RestartSec=1
# A wrong command line or an application that does not load is not mended by starting it again.
RestartPreventExitStatus=2 3

LimitNOFILE=65536
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=full

[Install]
WantedBy=multi-user.target
`
}

/** Longer than a worker may hang before it is replaced, and its successor may take to load. */
function watchdogSeconds({ heartbeatTimeoutMs, bootTimeoutMs }: Options): number {
  return Math.ceil((heartbeatTimeoutMs + bootTimeoutMs) / 1000) + 30
}

/** 0 is for ever, there and here. */
function startSeconds({ bootTimeoutMs }: Options): string {
  return bootTimeoutMs === 0 ? 'infinity' : String(Math.ceil(bootTimeoutMs / 1000) + 30)
}

/** systemd makes /run/NAME at each start, owned by the user, and removes it after the stop. */
function runtimeFolder({ listener }: InitTarget): string {
  const folders = listener.addresses.flatMap((address) => (address.kind === 'unix' ? [dirname(address.path)] : []))
  const below = [...new Set(folders)].filter((folder) => /^\/run\/[\w.-]+$/.test(folder))
  if (below.length === 0) return ''
  return `RuntimeDirectory=${below.map((folder) => folder.slice('/run/'.length)).join(' ')}\nRuntimeDirectoryMode=0750\n`
}

/** systemd.unit(5): specifiers begin with a percent sign. */
function escapeUnit(text: string): string {
  return text.replaceAll('%', '%%')
}

/** systemd.service(5), "Command lines": words with blanks in quotes, $ doubled. */
function quoteUnit(word: string): string {
  const escaped = escapeUnit(word).replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, '\\$&')}"`
}
