import { describe, expect, it } from 'vitest'
import { Chain, type ChainLink } from '../src/chain.ts'

class Member implements ChainLink<Member> {
  chain: Chain<Member> | undefined = undefined
  previous: Member | undefined = undefined
  next: Member | undefined = undefined
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

function chainOf(...names: string[]): { chain: Chain<Member>; members: Member[] } {
  const chain = new Chain<Member>()
  const members = names.map((name) => new Member(name))
  for (const member of members) chain.add(member)
  return { chain, members }
}

const namesIn = (chain: Chain<Member>): string[] => chain.members().map(({ name }) => name)

describe('a chain', () => {
  it('keeps its members in the order in which they joined', () => {
    const { chain } = chainOf('a', 'b', 'c')
    expect(namesIn(chain)).toEqual(['a', 'b', 'c'])
    expect(chain.size).toBe(3)
  })

  it.each([
    { place: 'first', index: 0, left: ['b', 'c', 'd'] },
    { place: 'middle', index: 1, left: ['a', 'c', 'd'] },
    { place: 'last', index: 2, left: ['a', 'b', 'd'] },
  ])('lets its $place member leave, and another one join after it', ({ index, left }) => {
    const { chain, members } = chainOf('a', 'b', 'c')
    const leaving = members[index]
    expect(leaving && chain.delete(leaving)).toBe(true)
    chain.add(new Member('d'))
    expect(namesIn(chain)).toEqual(left)
    expect(chain.size).toBe(3)
  })

  it('is empty when its only member has left, who may join again and holds nobody', () => {
    const { chain, members } = chainOf('a')
    for (const member of members) {
      chain.delete(member)
      expect(namesIn(chain)).toEqual([])
      expect(chain.size).toBe(0)
      chain.add(member)
    }
    expect(namesIn(chain)).toEqual(['a'])
  })

  it('leaves alone who is not in it, or no more, or in another one', () => {
    const { chain, members } = chainOf('a', 'b')
    const other = chainOf('c')
    const [first] = members
    for (const stranger of [...other.members, new Member('d')]) expect(chain.delete(stranger)).toBe(false)
    expect(first && chain.delete(first)).toBe(true)
    expect(first && chain.delete(first)).toBe(false)
    expect([namesIn(chain), namesIn(other.chain)]).toEqual([['b'], ['c']])
    expect([chain.size, other.chain.size]).toEqual([1, 1])
  })

  it('holds nobody through who has left', () => {
    const { chain, members } = chainOf('a', 'b', 'c')
    const [, middle] = members
    if (middle !== undefined) chain.delete(middle)
    expect(middle).toMatchObject({ chain: undefined, previous: undefined, next: undefined })
  })

  it('may lose members while somebody goes through them', () => {
    const { chain, members } = chainOf('a', 'b', 'c')
    const seen: string[] = []
    for (const member of chain.members()) {
      seen.push(member.name)
      for (const each of members) chain.delete(each)
    }
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(chain.size).toBe(0)
  })
})
