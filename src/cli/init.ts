/** `tsgi init TARGET`: prints a configuration that works for this application, with its addresses and limits filled in. */

import { basename, relative, resolve } from 'node:path'
import { nearest } from '../nearest.ts'
import { loadOptions } from '../options/load.ts'
import { usageError } from '../options/parse.ts'
import { OPTIONS, type OptionKey } from '../options/table.ts'
import { namedApplication } from './application-run.ts'
import { apacheSite } from './init-apache.ts'
import { composeFile } from './init-compose.ts'
import { nginxSite } from './init-nginx.ts'
import { systemdUnit } from './init-systemd.ts'
import { gatewayListener, type InitTarget } from './init-target.ts'
import { type Invocation, refuseExtras, type Subcommand, VISIBLE_OPTIONS } from './subcommand.ts'
import { print } from './terminal.ts'

const TARGETS: Readonly<Record<string, (target: InitTarget) => string>> = {
  nginx: nginxSite,
  apache: apacheSite,
  systemd: systemdUnit,
  compose: composeFile,
}

export const init: Subcommand = {
  name: 'init',
  operands: 'TARGET [APP]',
  summary: 'Print a configuration for nginx, Apache, systemd or Compose.',
  description:
    `Prints a working configuration for this application: TARGET is ${Object.keys(TARGETS).join(', ')}. Addresses, limits ` +
    'and timeouts come from the options, so give those that you serve with, or keep them in tsgi.config.ts.',
  options: VISIBLE_OPTIONS,
  extras: [
    {
      usage: '--files <DIR>',
      help: "Where the web server finds the files of tsgi's nginx folder. Without it, in the installed package.",
    },
  ],
  examples: [
    {
      command: 'tsgi init nginx app.ts --uwsgi /run/app/app.sock > /etc/nginx/conf.d/app.conf',
      explanation: 'A site for nginx.',
    },
    { command: 'tsgi init systemd app.ts --uwsgi /run/app/app.sock', explanation: 'A unit that starts at boot.' },
  ],
  run: async (invocation) => {
    const [name = '', ...operands] = invocation.operands
    const render = TARGETS[name]
    if (render === undefined) throw usageError([unknownTarget(name)])
    refuseExtras(invocation, 2, 'one target and one application')
    print(render(await describeTarget(invocation, operands)).trimEnd())
    return 0
  },
}

function unknownTarget(name: string): string {
  const names = Object.keys(TARGETS)
  if (name === '') return `a configuration for what? Say ${names.join(', ')}`
  const close = nearest(name, names)
  return `there is no target ${JSON.stringify(name)}; ${close === undefined ? `the targets are ${names.join(', ')}` : `did you mean ${close}?`}`
}

async function describeTarget({ input, extras }: Invocation, operands: readonly string[]): Promise<InitTarget> {
  const { options, sources } = await loadOptions(input)
  const folder = options.chdir ?? input.cwd
  const application = resolve(folder, namedApplication(operands, options) ?? 'app.ts')
  const name = basename(folder).replace(/[^\w-]+/g, '-') || 'app'
  const given = gatewayListener(options)
  const socket = `/run/${name}/app.sock`
  const words = (keys: readonly OptionKey[]) =>
    keys.flatMap((key) => flagWords(sources[key].name, input.flags.get(key)))
  const keys = [...input.flags.keys()]
  const otherFlags = words(keys.filter((key) => OPTIONS[key].section !== 'Listeners'))
  const listenerFlags = words(keys.filter((key) => OPTIONS[key].section === 'Listeners'))
  return {
    name,
    folder,
    application,
    options,
    listener: given ?? { protocol: 'uwsgi', addresses: [{ kind: 'unix', path: socket }] },
    command: [
      'serve',
      relative(folder, application),
      ...listenerFlags,
      ...(given === undefined ? ['--uwsgi', socket] : []),
      ...otherFlags,
    ],
    otherFlags,
    filesFolder: typeof extras['files'] === 'string' ? extras['files'] : undefined,
  }
}

/** `--env A=1 --env B=2` */
function flagWords(flag: string, value: string | boolean | readonly string[] | undefined): string[] {
  if (value === undefined || typeof value === 'boolean') return value === true ? [flag] : []
  return [value].flat().flatMap((text) => [flag, text])
}
