/** A stack as V8 writes it -> places in files, and the source around the one that counts. */

import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface StackFrame {
  /** `listArticles`, or `` at the top of a module. */
  readonly name: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** In the application, and not in Node or in node_modules. */
  readonly own: boolean
}

interface CodeLine {
  readonly number: number
  readonly text: string
  readonly marked: boolean
}

const FRAME = /^\s*at (?:(.+?) \()?((?:file:\/\/|\/|[A-Za-z]:\\|node:)[^()]*?):(\d+):(\d+)\)?$/

/** What stands in the message is no frame, however much it looks like one: it may be what a client sent. */
export function parseStack({ stack = '', message }: Error): StackFrame[] {
  const at = stack.indexOf(message)
  const frames = at < 0 ? stack : stack.slice(at + message.length)
  return frames.split('\n').flatMap((text) => {
    const [, name = '', place, line, column] = FRAME.exec(text) ?? []
    if (place === undefined) return []
    const file = place.startsWith('file:') ? pathOf(place) : place
    const own = !file.startsWith('node:') && !/[/\\]node_modules[/\\]/.test(file) && !isGateway(file)
    return [{ name, file, line: Number(line), column: Number(column), own }]
  })
}

/** Nothing else is shown, whatever a stack names: an application may have put together one of its own. */
const SOURCE = /\.[cm]?[jt]sx?$/
const MAX_SOURCE_BYTES = 16 * 1024 * 1024

/** The lines around a place; none where the file cannot be read, which is no reason for a second error. */
export async function codeAround({ file, line }: StackFrame, reach = 5): Promise<CodeLine[]> {
  const source = await readSource(file).catch(() => '')
  return source
    .split('\n')
    .slice(0, line + reach)
    .map((text, index) => ({ number: index + 1, text, marked: index + 1 === line }))
    .slice(Math.max(0, line - 1 - reach))
    .filter(() => source !== '')
}

async function readSource(file: string): Promise<string> {
  if (!SOURCE.test(file)) return ''
  const status = await stat(file)
  // A pipe would be waited for, without end.
  return status.isFile() && status.size <= MAX_SOURCE_BYTES ? readFile(file, 'utf8') : ''
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url.replace(/[?#].*$/, ''))
  } catch {
    // A URL of another machine, as a source map may name it: shown as it is.
    return url
  }
}

const home = pathOf(new URL('..', import.meta.url).href)

/** tsgi itself: what calls an application is in every stack. */
function isGateway(file: string): boolean {
  return file.startsWith(home)
}
