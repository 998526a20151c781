/** `tsgi init apache`: a site for Apache httpd, made from the samples in apache/. */

import { join } from 'node:path'
import { usageError } from '../options/parse.ts'
import {
  type BoundAddress,
  commandText,
  connectHost,
  fillIn,
  type GatewayProtocol,
  type InitTarget,
  patientSeconds,
  refuseProxyProtocol,
  replaceIntroduction,
  sampleFile,
  speaksTls,
} from './init-target.ts'

interface ApacheSample {
  readonly path: string
  readonly scheme: string
  readonly modules: string
}

const SAMPLES: Readonly<Record<GatewayProtocol, ApacheSample>> = {
  uwsgi: { path: 'apache/app-uwsgi.conf', scheme: 'uwsgi', modules: 'proxy proxy_uwsgi' },
  fastcgi: { path: 'apache/app-fcgi.conf', scheme: 'fcgi', modules: 'proxy proxy_fcgi' },
  scgi: { path: 'apache/app-scgi.conf', scheme: 'scgi', modules: 'proxy proxy_scgi' },
}

export function apacheSite(target: InitTarget): string {
  const { name, folder, listener, options } = target
  const { path, scheme, modules } = SAMPLES[listener.protocol]
  const [address, ...others] = listener.addresses
  refuseProxyProtocol(options, 'Apache')
  if (address !== undefined && speaksTls(options, [address])) {
    throw usageError([`--tls-cert: Apache speaks no TLS over ${scheme}://; take a Unix socket, or leave it out`])
  }
  const site = fillIn(
    sampleFile(path),
    [
      { pattern: /(?<=ProxyPass "\/" )"[^"]*"/, by: `"${escapeApache(backend(address, scheme, name))}"` },
      { pattern: /(?<=DocumentRoot )\/srv\/app\/public/, by: quoteApache(join(folder, 'public')) },
      { pattern: /(?<=<Directory )\/srv\/app\/public/, by: quoteApache(join(folder, 'public')) },
      { pattern: /(?<=ProxyTimeout )\d+/, by: String(patientSeconds(options.requestTimeoutMs)) },
      { pattern: /(?<=LimitRequestBody )\d+/, by: String(options.maxBodyBytes) },
    ],
    path,
  )
  return replaceIntroduction(site, [
    'For Apache httpd, in front of:',
    '',
    `    ${commandText(target)}`,
    `    a2enmod ${modules}`,
    '',
    `Save as /etc/apache2/sites-available/${name}.conf, change the lines below "yours", then:`,
    `    a2ensite ${name} && apachectl configtest && systemctl reload apache2`,
    ...(address?.kind === 'unix'
      ? ['Apache must be allowed to write to the socket: serve with --socket-group and the group of Apache.']
      : []),
    ...(others.length > 0 ? ['Only the first address is used here; for several see apache/load-balancing.conf.'] : []),
  ])
}

/** mod_proxy tells backends apart by the name after the scheme, also where a Unix socket makes it lead nowhere. */
function backend(address: BoundAddress | undefined, scheme: string, name: string): string {
  if (address?.kind === 'tcp') return `${scheme}://${connectHost(address.host)}:${address.port}/`
  return `unix:${address?.path ?? ''}|${scheme}://${name.replaceAll('_', '-')}/`
}

function quoteApache(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `"${escapeApache(text)}"`
}

function escapeApache(text: string): string {
  return text.replace(/["\\]/g, '\\$&')
}
