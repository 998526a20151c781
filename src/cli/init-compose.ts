/** `tsgi init compose`: nginx and the application in two containers that share nothing but a Unix socket. */

import { relative } from 'node:path'
import type { OptionKey } from '../options/table.ts'
import { type InitTarget, isListener, quoteShell } from './init-target.ts'

const SOCKET = '/run/tsgi/app.sock'

/** The user of the container is the image's own, and its socket is for another container: accounts of this machine mean nothing. */
const OF_THE_HOST: readonly OptionKey[] = ['socketMode', 'socketOwner', 'socketGroup', 'user', 'group']

/** A dollar sign is doubled, as Compose puts variables in. */
export function composeFile({ name, folder, application, options, listener, given }: InitTarget): string {
  const app = relative(folder, application)
  const graceSeconds = Math.ceil(options.gracefulTimeoutMs / 1000) + 5
  const flag = `--${listener.protocol}`
  const others = given.filter(({ key }) => !isListener(key) && !OF_THE_HOST.includes(key))
  const serve = ['serve', app, flag, SOCKET, '--socket-mode', '0666', ...others.flatMap(({ words }) => words)]
  return `# Save as compose.yaml beside package.json. It needs three more files:
#
#     tsgi init nginx ${quoteShell(app)} ${flag} ${SOCKET} --files /etc/nginx/tsgi > nginx.conf
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
