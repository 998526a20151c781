/** One application, in containers of one image: served by tsgi, and by node:http. */

import type { Front } from '../front.ts'

export interface ContainedContender {
  readonly id: string
  readonly label: string
  /** How nginx talks to it. */
  readonly front: Front
  /** `unix`: a socket in a volume, and no network at all. `tcp`: a port in the private network. */
  readonly transport: 'unix' | 'tcp'
  /** The contender that its ratios are against. */
  readonly against?: string
  /** Of `docker run`, before the image and after it. */
  readonly command: (address: string) => { readonly entrypoint: string; readonly args: readonly string[] }
}

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']

/** As `tsgi serve` comes, with one worker. */
const tsgi =
  (app: string, protocol: 'uwsgi' | 'fastcgi', applicationInterface: 'node' | 'tsgi'): ContainedContender['command'] =>
  (address) => ({
    entrypoint: 'tsgi',
    args: [
      ...['serve', app, `--${protocol}`, address, '--workers', '1', '--interface', applicationInterface],
      ...(address.startsWith('/')
        ? ['--socket-mode', '0666']
        : PRIVATE.flatMap((network) => ['--allow-from', network])),
    ],
  })

/** nginx is another user: without the mask it might not write to the socket. */
const nodeHttp: ContainedContender['command'] = (address) => ({
  entrypoint: 'sh',
  args: ['-c', `umask 0 && exec node listen.mjs listener.mjs ${address.replace(/^:/, '')}`],
})

const LISTENER = 'listener.mjs'

export const CONTENDERS: readonly ContainedContender[] = [
  {
    id: 'fastcgi-unix',
    label: 'tsgi, FastCGI, Unix socket, kept',
    front: 'fastcgi, kept',
    transport: 'unix',
    against: 'node-kept-tcp',
    command: tsgi(LISTENER, 'fastcgi', 'node'),
  },
  {
    id: 'uwsgi-unix',
    label: 'tsgi, uwsgi, Unix socket',
    front: 'uwsgi',
    transport: 'unix',
    against: 'node-new-tcp',
    command: tsgi(LISTENER, 'uwsgi', 'node'),
  },
  {
    id: 'fastcgi-tcp',
    label: 'tsgi, FastCGI, TCP, kept',
    front: 'fastcgi, kept',
    transport: 'tcp',
    against: 'node-kept-tcp',
    command: tsgi(LISTENER, 'fastcgi', 'node'),
  },
  {
    id: 'uwsgi-tcp',
    label: 'tsgi, uwsgi, TCP',
    front: 'uwsgi',
    transport: 'tcp',
    against: 'node-new-tcp',
    command: tsgi(LISTENER, 'uwsgi', 'node'),
  },
  {
    id: 'node-kept-unix',
    label: 'node:http, Unix socket, kept proxy_pass',
    front: 'http, kept',
    transport: 'unix',
    against: 'node-kept-tcp',
    command: nodeHttp,
  },
  {
    id: 'node-kept-tcp',
    label: 'node:http, TCP, kept proxy_pass',
    front: 'http, kept',
    transport: 'tcp',
    command: nodeHttp,
  },
  {
    id: 'node-new-tcp',
    label: 'node:http, TCP, stock proxy_pass',
    front: 'http, new',
    transport: 'tcp',
    command: nodeHttp,
  },
  {
    id: 'hello-fastcgi-unix',
    label: 'written for tsgi, FastCGI, Unix socket, kept',
    front: 'fastcgi, kept',
    transport: 'unix',
    against: 'node-kept-tcp',
    command: tsgi('hello.mjs', 'fastcgi', 'tsgi'),
  },
  {
    id: 'hello-uwsgi-unix',
    label: 'written for tsgi, uwsgi, Unix socket',
    front: 'uwsgi',
    transport: 'unix',
    against: 'node-new-tcp',
    command: tsgi('hello.mjs', 'uwsgi', 'tsgi'),
  },
]
