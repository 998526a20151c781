/** Seeded damage to byte streams: the same seed gives the same stream, so a failure can be run again. */

/** mulberry32: 32 bits of state, good enough to choose where to break things. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Bytes that lie at the edges of lengths, types and digits. */
const TELLING = [0, 1, 2, 4, 5, 8, 9, 11, 0x2c, 0x30, 0x39, 0x3a, 0x7f, 0x80, 0xff]

/** A copy of `bytes` with one to four places changed, cut out, doubled or filled in. */
export function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  let result = Buffer.from(bytes)
  for (let left = 1 + random(4); left > 0; left -= 1) {
    const at = random(result.length + 1)
    const count = 1 + random(12)
    switch (random(6)) {
      case 0:
        if (at < result.length) result[at] = random(256)
        break
      case 1:
        if (at < result.length) result[at] = TELLING[random(TELLING.length)] ?? 0
        break
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + count)])
        break
      case 3:
        result = Buffer.concat([result.subarray(0, at + count), result.subarray(at)])
        break
      case 4: {
        const noise = Buffer.from(Array.from({ length: count }, () => random(256)))
        result = Buffer.concat([result.subarray(0, at), noise, result.subarray(at)])
        break
      }
      default:
        result = result.subarray(0, at)
    }
  }
  return result
}

/** `bytes` in up to five pieces. */
export function cutAtRandom(bytes: Buffer, random: (below: number) => number): Buffer[] {
  const cuts = Array.from({ length: random(5) }, () => random(bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
}
