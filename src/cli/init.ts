/** `tsgi init TARGET`: prints a configuration that works for this application, with its addresses and limits filled in. */

import { basename, relative, resolve } from 'node:path'
import { nearest } from '../nearest.ts'
import { type LoadInput, loadOptions } from '../options/load.ts'
import { usageError } from '../options/parse.ts'
import type { Parsed } from '../options/parsed.ts'
import { OPTIONS } from '../options/table.ts'
import { namedApplication } from './application-run.ts'
import { apacheSite } from './init-apache.ts'
import { composeFile } from './init-compose.ts'
import { nginxSite } from './init-nginx.ts'
import { systemdUnit } from './init-systemd.ts'
import { type GivenOption, gatewayListener, type InitTarget, isListener } from './init-target.ts'
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
  const parsed = await loadOptions(input)
  const { options } = parsed
  const folder = options.chdir ?? input.cwd
  const application = resolve(folder, namedApplication(operands, options) ?? 'app.ts')
  const name = siteName(folder)
  const known = gatewayListener(options)
  const socket = `/run/${name}/app.sock`
  const given = givenOptions(parsed, input)
  const words = (wanted: (option: GivenOption) => boolean) => given.filter(wanted).flatMap((option) => option.words)
  return {
    name,
    startFolder: input.cwd,
    folder,
    application,
    options,
    listener: known ?? { protocol: 'uwsgi', addresses: [{ kind: 'unix', path: socket }] },
    command: [
      'serve',
      relative(folder, application),
      ...words(({ key }) => isListener(key)),
      ...(known === undefined ? ['--uwsgi', socket] : []),
      ...words(({ key }) => !isListener(key)),
    ],
    given,
    filesFolder: typeof extras['files'] === 'string' ? extras['files'] : undefined,
  }
}

/** Begins and ends with a letter or a digit: systemctl takes `-x` for options, YAML `-` for a list, Compose neither for a name. */
function siteName(folder: string): string {
  return (
    basename(folder)
      .replace(/[^\w-]+/g, '-')
      .replace(/^[-_]+|[-_]+$/g, '') || 'app'
  )
}

/** Variables become flags: whatever starts tsgi later has an environment of its own. What a file says, it will say then too. */
function givenOptions({ options, sources }: Parsed, { flags, environment }: LoadInput): GivenOption[] {
  const variables = VISIBLE_OPTIONS.filter(({ key }) => sources[key].kind === 'variable')
  return [
    ...[...flags].map(([key, value]) => ({ key, words: flagWords(OPTIONS[key].flag, value) })),
    ...variables.map(({ key, flag, variable, kind }) => {
      const text = environment[variable] ?? ''
      const isSwitch = kind.placeholder === ''
      const value = kind.separator === undefined ? text : text.split(kind.separator).filter((part) => part !== '')
      return { key, words: flagWords(flag, isSwitch ? options[key] === true : value) }
    }),
  ]
}

/** `--env A=1 --env B=2` */
function flagWords(flag: string, value: string | boolean | readonly string[]): string[] {
  if (typeof value === 'boolean') return value ? [flag] : []
  return [value].flat().flatMap((text) => [flag, text])
}
