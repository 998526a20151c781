/** The results of a group as an SVG picture: a bar for each median, a whisker from the least to the greatest sample. */

import type { Contender } from './contender.ts'
import type { Result } from './measure.ts'
import { type Summary, summarize } from './statistics.ts'

export interface Plot {
  readonly title: string
  /** Under what conditions, on one line. */
  readonly subtitle: string
}

interface Bar {
  readonly contender: Contender
  readonly rate: Summary
  readonly cpu: Summary
}

const WIDTH = 1120
const LABEL_WIDTH = 330
const PANEL_WIDTH = 350
const PANEL_GAP = 40
const TOP = 104
const ROW = 34
const BAR = 20
const BOTTOM = 44
/** Room in a panel, right of the longest whisker, for the number that belongs to it. */
const VALUE_WIDTH = 62

const COLORS: Readonly<Record<Contender['kind'], string>> = { tsgi: '#2563a8', peer: '#9aa4b0', floor: '#d9b45b' }
const KINDS: Readonly<Record<Contender['kind'], string>> = { tsgi: 'tsgi', peer: 'peers', floor: 'floor' }

export function plot(results: readonly Result[], { title, subtitle }: Plot): string {
  const bars = results.filter(({ samples }) => samples.length > 0).map(barOf)
  const height = TOP + bars.length * ROW + BOTTOM
  const second = LABEL_WIDTH + PANEL_WIDTH + PANEL_GAP
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    '  font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif" font-size="13" fill="#1d2733">',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(20, 32, title, 'font-size="19" font-weight="bold"'),
    text(20, 54, subtitle, 'fill="#55606c"'),
    ...bars.map(({ contender }, row) =>
      text(LABEL_WIDTH - 12, middle(row) + 4.5, contender.label, 'text-anchor="end"'),
    ),
    ...panel(LABEL_WIDTH, 'requests/s (more is better)', bars, ({ rate }) => rate, height),
    ...panel(second, 'CPU per request, us (less is better)', bars, ({ cpu }) => cpu, height),
    ...legend(height - 16, new Set(bars.map(({ contender }) => contender.kind))),
    '</svg>',
    '',
  ].join('\n')
}

const barOf = ({ contender, samples }: Result): Bar => ({
  contender,
  rate: summarize(samples.map((sample) => sample.requestsPerSecond)),
  cpu: summarize(samples.map((sample) => sample.cpuUs)),
})

const middle = (row: number): number => TOP + row * ROW + ROW / 2

function panel(
  left: number,
  heading: string,
  bars: readonly Bar[],
  of: (bar: Bar) => Summary,
  height: number,
): string[] {
  const most = Math.max(1, ...bars.map((bar) => of(bar).max))
  const step = niceStep(most / 4)
  const scale = (PANEL_WIDTH - VALUE_WIDTH) / most
  const at = (value: number): number => left + value * scale
  const lines = [text(left, TOP - 26, heading, 'font-weight="bold"')]
  for (let tick = 0; tick <= most; tick += step) {
    const x = at(tick)
    lines.push(`<path d="M${round(x)} ${TOP}V${height - BOTTOM}" stroke="#e1e5ea"/>`)
    lines.push(text(x, TOP - 7, shown(tick), 'text-anchor="middle" font-size="11" fill="#55606c"'))
  }
  for (const [row, bar] of bars.entries()) {
    const { median, min, max } = of(bar)
    const y = middle(row)
    const color = COLORS[bar.contender.kind]
    lines.push(
      `<rect x="${left}" y="${y - BAR / 2}" width="${round(median * scale)}" height="${BAR}" fill="${color}"/>`,
      `<path d="M${round(at(min))} ${y}H${round(at(max))}M${round(at(min))} ${y - 5}v10M${round(at(max))} ${y - 5}v10" stroke="#1d2733" stroke-width="1.3" fill="none"/>`,
      text(at(max) + 7, y + 4.5, shown(median), 'font-weight="bold" font-size="12"'),
    )
  }
  return lines
}

function legend(y: number, shownKinds: ReadonlySet<Contender['kind']>): string[] {
  let x = LABEL_WIDTH
  const lines: string[] = []
  for (const kind of ['tsgi', 'peer', 'floor'] as const) {
    if (!shownKinds.has(kind)) continue
    lines.push(`<rect x="${x}" y="${y - 10}" width="12" height="12" fill="${COLORS[kind]}"/>`)
    lines.push(text(x + 18, y, KINDS[kind], 'font-size="12"'))
    x += 80
  }
  lines.push(text(x, y, 'bar: median of the rounds; whisker: least and greatest', 'font-size="12" fill="#55606c"'))
  return lines
}

/** 1, 2 or 5 times a power of ten, not below `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((factor) => power * factor >= least) ?? 10)
}

const shown = (value: number): string =>
  value >= 10_000
    ? `${(value / 1000).toFixed(value % 1000 === 0 ? 0 : 1)}k`
    : value.toFixed(Number.isInteger(value) || value >= 1000 ? 0 : 1)

const round = (value: number): string => value.toFixed(1)

const text = (x: number, y: number, content: string, attributes: string): string =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(content)}</text>`

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const escapeXml = (content: string): string => content.replace(/[&<>]/g, (character) => ENTITIES[character] ?? '')
