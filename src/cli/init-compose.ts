/** `tsgi init compose`: nginx and the application in two containers that share nothing but a Unix socket. */

import { relative } from 'node:path'
import { usageError } from '../options/parse.ts'
import { OPTIONS, type OptionKey, type Options } from '../options/table.ts'
import { type InitTarget, isListener, quoteShell, refuseProxyProtocol } from './init-target.ts'

const SOCKET = '/run/tsgi/app.sock'

/**
 * The user of the container is the image's own, and its socket, the only listener, is for another container: accounts and
 * certificates of this machine mean nothing. Logs are for the engine to keep.
 */
const OF_THE_HOST: readonly OptionKey[] = [
  'socketMode',
  'socketOwner',
  'socketGroup',
  'user',
  'group',
  'tlsCert',
  'tlsKey',
  'tlsClientCa',
  'logFile',
  'accessLogFile',
]

const CONTROL = ['--control', '/tmp/control.sock'] as const

/** Where these are instead: nothing but /run/tsgi and /tmp can be written to, and /tmp is shared with nobody. */
const MOVED = [
  { key: 'control', words: CONTROL },
  { key: 'pidfile', words: ['--pidfile', '/tmp/tsgi.pid'] },
  { key: 'stats', words: ['--stats', '/run/tsgi/stats.sock'] },
  { key: 'metrics', words: ['--metrics', '/run/tsgi/metrics.sock'] },
] as const

/** What the site of `tsgi init nginx` depends on, besides the listener. */
const OF_NGINX: readonly OptionKey[] = ['config', 'chdir', 'maxBodyBytes', 'requestTimeoutMs']

/** A dollar sign is doubled, as Compose puts variables in. */
export function composeFile({ name, folder, application, options, listener, given }: InitTarget): string {
  refuseProxyProtocol(options, 'nginx')
  refuseNetwork(options)
  refuseOfFile(options, given)
  const app = relative(folder, application)
  const graceSeconds = Math.ceil(options.gracefulTimeoutMs / 1000) + 5
  const flag = `--${listener.protocol}`
  const elsewhere: readonly OptionKey[] = [...OF_THE_HOST, ...MOVED.map(({ key }) => key)]
  const others = given.filter(({ key }) => !isListener(key) && !elsewhere.includes(key))
  const moved = MOVED.filter(({ key }) => options[key] !== undefined)
  const wordsOf = (given: readonly { readonly words: readonly string[] }[]) => given.flatMap(({ words }) => words)
  const serve = ['serve', app, flag, SOCKET, '--socket-mode', '0666', ...wordsOf(others), ...wordsOf(moved)]
  const shared = wordsOf(given.filter(({ key }) => OF_NGINX.includes(key)))
  const site = ['nginx', app, flag, SOCKET, '--files', '/etc/nginx/tsgi', ...shared]
  return `# Save as compose.yaml beside package.json. It needs three more files:
#
#     tsgi init ${site.map(quoteShell).join(' ')} > nginx.conf
#
#     Dockerfile:
#         FROM node:22-slim
#         WORKDIR /srv/app
#         COPY package.json package-lock.json ./
#         RUN npm ci --omit=dev
#         COPY . .
#         USER node
#         ENTRYPOINT ["node_modules/.bin/tsgi"]
#
#     .dockerignore, or the packages of this machine would take the place of the installed ones:
#         node_modules
#
# then: docker compose up --build
${options.control === undefined ? '' : `#\n# To ask it: docker compose exec app node_modules/.bin/tsgi ctl status ${CONTROL.join(' ')}\n`}
name: ${name.toLowerCase()}

services:
  app:
    build: .
    command: ${JSON.stringify(serve).replaceAll('$', '$$$$')}
    init: true
    # Only nginx reaches it, over the socket in the shared volume.
    network_mode: none
    volumes:
      - run:/run/tsgi
    read_only: true
    tmpfs:
      - /tmp
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_grace_period: ${graceSeconds}s
    restart: unless-stopped

  nginx:
    image: nginx:stable
    ports:
      - "8080:80"
    volumes:
      - run:/run/tsgi
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
      - ./node_modules/tsgi/nginx:/etc/nginx/tsgi:ro
    depends_on:
      - app
    restart: unless-stopped

volumes:
  run:
    driver: local
    driver_opts:
      type: tmpfs
      device: tmpfs
      # The user of the image "node".
      o: "uid=1000,gid=1000,mode=0755"
`
}

/**
 * The file goes into the image, where nothing takes out of it what is for this machine.
 * @throws TsgiError TSGI_USAGE
 */
function refuseOfFile(options: Options, given: InitTarget['given']): void {
  const ofFile = OF_THE_HOST.filter((key) => {
    return key !== 'socketMode' && options[key] !== undefined && !given.some((option) => option.key === key)
  })
  const why = 'the container has no such account, certificate or folder'
  const problems = ofFile.map(
    (key) => `${OPTIONS[key].flag}, which a configuration file sets: ${why}; leave it out there`,
  )
  if (problems.length > 0) throw usageError(problems)
}

/** @throws TsgiError TSGI_USAGE */
function refuseNetwork(options: Options): void {
  const problems = (['stats', 'metrics'] as const).flatMap((key) => {
    const address = options[key]
    if (address === undefined || address.startsWith('unix:')) return []
    return `--${key} ${address}: the container has no network, so that nobody reaches it; say --${key} /run/tsgi/${key}.sock`
  })
  if (problems.length > 0) throw usageError(problems)
}
