/** The programs that tests and benchmarks run tsgi with, and where they are on this machine. */

import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** `file`: what shows that the package is there, for a package that brings no command of its own. */
export const PEERS = [
  { command: 'nginx', package: 'nginx' },
  { command: 'apache2', package: 'apache2' },
  { command: 'lighttpd', package: 'lighttpd' },
  { command: 'haproxy', package: 'haproxy' },
  { command: 'caddy', package: 'caddy' },
  { command: 'uwsgi', package: 'uwsgi-core' },
  { file: '/usr/lib/uwsgi/plugins/python3_plugin.so', package: 'uwsgi-plugin-python3' },
  { command: 'wrk', package: 'wrk' },
  { command: 'cgi-fcgi', package: 'libfcgi-bin' },
  { command: 'gunicorn', package: 'gunicorn' },
  { command: 'openssl', package: 'openssl' },
]

/** What `npm run test:docker` needs besides. */
export const DOCKER_PEERS = [
  { command: 'dockerd', package: 'docker.io' },
  { command: 'docker-compose', package: 'docker-compose' },
  { command: 'iptables', package: 'iptables' },
  { command: 'debootstrap', package: 'debootstrap' },
  { command: 'chromium', package: 'chromium' },
]

/** Servers are in /usr/sbin, which the PATH of an ordinary user leaves out on Debian. */
const directories = () => [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a command, or undefined. */
export function findCommand(name) {
  for (const directory of directories()) {
    if (directory === '') continue
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ENOTDIR'].includes(error.code)) throw error
    }
  }
  return undefined
}

export const isInstalled = (peer) =>
  peer.command === undefined ? existsSync(peer.file) : findCommand(peer.command) !== undefined
