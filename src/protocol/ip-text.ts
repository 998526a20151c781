/** IP addresses between text and bytes, for where `node:net` must not be imported. */

/** `192.0.2.1` to four bytes; undefined for anything else, leading zeros included. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = parts.map((part) => (/^(0|[1-9][0-9]{0,2})$/.test(part) ? Number(part) : 256))
  return bytes.every((byte) => byte < 256) ? Uint8Array.from(bytes) : undefined
}

/** RFC 4291 section 2.2, all three forms, to 16 bytes; no zone, no brackets. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [front, back] = halves.map((half, index) => groupsOf(half, index === halves.length - 1))
  if (front === undefined || (halves.length === 2 && back === undefined)) return undefined
  const given = front.length + (back?.length ?? 0)
  if (back === undefined ? given !== 8 : given > 7) return undefined
  const groups = [...front, ...new Array<number>(8 - given).fill(0), ...(back ?? [])]
  const bytes = new Uint8Array(16)
  for (const [index, group] of groups.entries()) {
    bytes[2 * index] = group >>> 8
    bytes[2 * index + 1] = group & 0xff
  }
  return bytes
}

/** The 16-bit groups of one side of `::`; at the very end an IPv4 address may stand for two. */
function groupsOf(text: string, atEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (atEnd && index === parts.length - 1 && part.includes('.')) {
      const [a, b, c, d] = parseIpv4(part) ?? []
      if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
      groups.push((a << 8) | b, (c << 8) | d)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

export const formatIpv4 = (bytes: Uint8Array): string => bytes.join('.')

/** RFC 5952: lower case, the longest run of two or more zero groups as `::`. IPv4-mapped addresses keep their dots. */
export function formatIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(2 * index))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIpv4(bytes.subarray(12))}`
  }
  let runStart = 0
  let runLength = 0
  for (let start = 0; start < 8; start += 1) {
    let end = start
    while (end < 8 && groups[end] === 0) end += 1
    if (end - start > runLength) {
      runStart = start
      runLength = end - start
    }
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return runLength < 2 ? text(0, 8) : `${text(0, runStart)}::${text(runStart + runLength, 8)}`
}
