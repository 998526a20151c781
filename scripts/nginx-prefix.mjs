/**
 * Runs the site files of nginx/ unchanged in a private nginx: a prefix directory that looks like Debian's /etc/nginx,
 * with the folder nginx/ in it as `tsgi` and the site files included from `sites-enabled`.
 */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const MIME_TYPES = `types {
  text/html                html;
  text/css                 css;
  text/plain               txt;
  text/javascript          js;
  application/json         json;
  image/png                png;
  image/svg+xml            svg;
}
`

/** Everything that Debian's package has compiled in as an absolute path is told anew, so that no file outside is touched. */
const mainConfig = ({ prefix, runsAsRoot, workerProcesses, logLevel, extraMain, extraHttp }) => `
${runsAsRoot ? 'user root;' : ''}
daemon off;
master_process on;
worker_processes ${workerProcesses};
pid ${prefix}/nginx.pid;
error_log stderr ${logLevel};
${extraMain}
events { worker_connections 4096; }
http {
  include mime.types;
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nodelay on;
  client_body_temp_path ${prefix}/temp/body;
  proxy_temp_path ${prefix}/temp/proxy;
  fastcgi_temp_path ${prefix}/temp/fastcgi;
  uwsgi_temp_path ${prefix}/temp/uwsgi;
  scgi_temp_path ${prefix}/temp/scgi;
${extraHttp}
  include ${prefix}/sites-enabled/*.conf;
}
`

/** Replaces exactly what a user would edit. @throws where a value to replace is not in the file (any more). */
export function substitute(text, substitutions, fileName) {
  let result = text
  for (const [original, replacement] of Object.entries(substitutions)) {
    if (!result.includes(original)) throw new Error(`${fileName} does not contain ${JSON.stringify(original)}`)
    result = result.replaceAll(original, () => replacement)
  }
  return result
}

/** @returns the arguments for nginx */
export function writeNginxPrefix({ prefix, siteFiles, substitutions, sharedDirectory, ...rest }) {
  const sites = join(prefix, 'sites-enabled')
  mkdirSync(sites, { recursive: true })
  mkdirSync(join(prefix, 'temp'), { recursive: true })
  cpSync(sharedDirectory, join(prefix, 'tsgi'), { recursive: true })
  writeFileSync(join(prefix, 'mime.types'), MIME_TYPES)
  for (const [index, file] of siteFiles.entries()) {
    const text = substitute(readFileSync(file, 'utf8'), substitutions[index] ?? {}, file)
    writeFileSync(join(sites, `${index}-${basename(file)}`), text)
  }
  const main = {
    prefix,
    runsAsRoot: process.getuid?.() === 0,
    workerProcesses: 1,
    logLevel: 'notice',
    extraMain: '',
    extraHttp: '',
    ...rest,
  }
  writeFileSync(join(prefix, 'nginx.conf'), mainConfig(main))
  return ['-p', prefix, '-c', join(prefix, 'nginx.conf'), '-e', 'stderr']
}
