/** `tsgi init nginx`: a site file for nginx, made from the samples in nginx/. */

import { join } from 'node:path'
import { usageError } from '../options/parse.ts'
import {
  commandText,
  connectHost,
  fillIn,
  type GatewayProtocol,
  type InitTarget,
  lastingPackagePath,
  patientSeconds,
  type Replacement,
  refuseProxyProtocol,
  replaceIntroduction,
  sampleFile,
  speaksTls,
  webServerSize,
} from './init-target.ts'

const SAMPLES: Readonly<Record<GatewayProtocol, string>> = {
  uwsgi: 'nginx/app.conf',
  fastcgi: 'nginx/fastcgi.conf',
  scgi: 'nginx/scgi.conf',
}

export function nginxSite(target: InitTarget): string {
  const { name, folder, listener, options } = target
  refuseProxyProtocol(options, 'nginx')
  const path = SAMPLES[listener.protocol]
  const sample = sampleFile(path)
  const upstream = /^upstream (\w+)/m.exec(sample)?.[1] ?? 'tsgi_app'
  const servers = listener.addresses.map((address) =>
    address.kind === 'unix'
      ? `    server ${quoteNginx(`unix:${address.path}`)};`
      : `    server ${connectHost(address.host)}:${address.port};`,
  )
  const group = name.replace(/\W/g, '_')
  const files = target.filesFolder ?? lastingPackagePath('nginx', target)
  const site = fillIn(
    sample,
    [
      { pattern: new RegExp(`\\b${upstream}\\b`, 'g'), by: group },
      // After it: what the operator names is not to be renamed.
      ...tlsDirectives(target, group),
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

const TLS_SAMPLE = 'nginx/tls.conf'

/**
 * The lines about TLS of its sample, in the place of a plain uwsgi_pass.
 * @throws TsgiError TSGI_USAGE
 */
function tlsDirectives({ listener, options }: InitTarget, upstream: string): Replacement[] {
  const { protocol, addresses } = listener
  const { tlsCert, tlsClientCa } = options
  if (tlsCert === undefined || !speaksTls(options, addresses)) return []
  if (protocol !== 'uwsgi') {
    throw usageError([`--tls-cert: nginx speaks no TLS over ${protocol}_pass; take --uwsgi, or a Unix socket`])
  }
  if (addresses.some(({ kind }) => kind === 'unix')) {
    throw usageError([
      '--tls-cert: nginx speaks TLS to all addresses or to none, and tsgi none on Unix sockets; name those of one kind',
    ])
  }
  const trusted = `${quoteNginx(tlsCert)};    # yours: who signed this certificate; it itself, where nobody else has`
  const lines = fillIn(
    sampleFile(TLS_SAMPLE),
    [
      { pattern: /^.*^(?= {8}uwsgi_pass )/ms, by: '' },
      { pattern: /(?<=^ {8}uwsgi_ssl_session_reuse on;$).*/ms, by: '' },
      { pattern: /(?<=suwsgi:\/\/)\w+/, by: upstream },
      { pattern: /(?<=uwsgi_ssl_trusted_certificate ).*/, by: trusted },
      ...(tlsClientCa === undefined ? [{ pattern: /^ +# The certificate of nginx.*?\n\n/ms, by: '' }] : []),
    ],
    TLS_SAMPLE,
  )
  return [{ pattern: /^ {8}uwsgi_pass .*$/m, by: lines }]
}

/** A dollar sign cannot be escaped: where nginx knows variables (root), it begins one. */
function quoteNginx(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}
