import { expect, test } from 'vitest'
import { NameMemory } from '../../src/protocol/name-memory.ts'

const read = (memory: NameMemory, block: Buffer): string =>
  memory.read(0, block, 0, block.length, block.toString('latin1'), 0)

test('a name is what stands there now, also when the memory of the last read is used again', () => {
  const memory = new NameMemory()
  const buffer = Buffer.from('HTTP_ONE')
  expect(read(memory, buffer)).toBe('HTTP_ONE')
  buffer.write('HTTP_TWO', 'latin1')
  expect(read(memory, buffer)).toBe('HTTP_TWO')
})
