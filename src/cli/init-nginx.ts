/** `tsgi init nginx`: a site file for nginx, made from the samples in nginx/. */

import { join } from 'node:path'
import {
  commandText,
  connectHost,
  fillIn,
  type GatewayProtocol,
  type InitTarget,
  lastingPackagePath,
  patientSeconds,
  replaceIntroduction,
  sampleFile,
  webServerSize,
} from './init-target.ts'

const SAMPLES: Readonly<Record<GatewayProtocol, string>> = {
  uwsgi: 'nginx/app.conf',
  fastcgi: 'nginx/fastcgi.conf',
  scgi: 'nginx/scgi.conf',
}

export function nginxSite(target: InitTarget): string {
  const { name, folder, listener, options } = target
  const path = SAMPLES[listener.protocol]
  const sample = sampleFile(path)
  const upstream = /^upstream (\w+)/m.exec(sample)?.[1] ?? 'tsgi_app'
  const servers = listener.addresses.map((address) =>
    address.kind === 'unix'
      ? `    server ${quoteNginx(`unix:${address.path}`)};`
      : `    server ${connectHost(address.host)}:${address.port};`,
  )
  const files = target.filesFolder ?? lastingPackagePath('nginx', target)
  const site = fillIn(
    sample,
    [
      { pattern: new RegExp(`\\b${upstream}\\b`, 'g'), by: name.replace(/\W/g, '_') },
      { pattern: /^ {4}server unix:.*$/m, by: servers.join('\n') },
      { pattern: /(?<=root )\/srv\/app\/public/, by: quoteNginx(join(folder, 'public')) },
      { pattern: /(?<=client_max_body_size )\w+/, by: webServerSize(options.maxBodyBytes) },
      { pattern: /(?<=_read_timeout )\w+/, by: `${patientSeconds(options.requestTimeoutMs)}s` },
    ],
    path,
  )
  const included = site.replace(/include tsgi\/(\w+(?:\.conf)?);/g, (_, file: string) => {
    return `include ${quoteNginx(join(files, file))};`
  })
  return replaceIntroduction(included, [
    'For nginx, in front of:',
    '',
    `    ${commandText(target)}`,
    '',
    `Save as /etc/nginx/conf.d/${name}.conf (Debian: sites-enabled), change the lines marked "yours", then:`,
    '    nginx -t && nginx -s reload',
    ...(listener.addresses.some((address) => address.kind === 'unix')
      ? ['nginx must be allowed to write to the socket: serve with --socket-group and the group of nginx.']
      : []),
  ])
}

/** A dollar sign cannot be escaped: where nginx knows variables (root), it begins one. */
function quoteNginx(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
