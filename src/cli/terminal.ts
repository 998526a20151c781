/** What the command prints: the only place that writes to standard output and standard error. */

import { styleText } from 'node:util'

/** One block of text and a line end. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`)
}

/**
 * Bytes as they are. Resolves when there is room for more; false: nobody reads any more (`| head`), and nobody has to be
 * told.
 */
export function printBytes(bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const refused = () => resolve(false)
    process.stdout.once('error', refused)
    process.stdout.write(bytes, (error) => {
      if (error) return
      process.stdout.off('error', refused)
      resolve(true)
    })
  })
}

export function isTerminal(): boolean {
  return process.stdout.isTTY
}

type Style = Parameters<typeof styleText>[0]

/** Styled where standard output is a terminal that shows colours (NO_COLOR is honoured). */
export function paint(style: Style, text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text
}

export function paintError(style: Style, text: string): string {
  return process.stderr.isTTY && process.stderr.hasColors() ? styleText(style, text) : text
}

/** Columns separated by two spaces, each as wide as its widest cell; the last is not padded. */
export function columns(rows: readonly (readonly string[])[]): string {
  const count = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

const DEFAULT_WIDTH = 80

/** As `columns`, with the last of two cells broken at blanks to the width of the terminal. */
export function wrappedColumns(rows: readonly (readonly [string, string])[]): string {
  const indent = Math.max(0, ...rows.map(([first]) => first.length)) + 2
  const width = Math.max(20, (process.stdout.columns ?? DEFAULT_WIDTH) - indent)
  return columns(
    rows.flatMap(([first, text]) => wrap(text, width).map((line, index) => [index === 0 ? first : '', line])),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
