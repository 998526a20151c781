/**
 * What is under way, in the order in which it began. Joining and leaving allocate nothing: a Set or a Map of V8 makes itself a new
 * table whenever it becomes empty, which a worker that is not flooded does after each request (1 to 2 us, Node 20).
 */

/**
 * A member, of one chain at a time. An interface and no class to extend: to go through `super` costs each request a call (Node 20).
 */
export interface ChainLink<Member extends ChainLink<Member>> {
  chain: Chain<Member> | undefined
  previous: Member | undefined
  next: Member | undefined
}

export class Chain<Member extends ChainLink<Member>> {
  #first: Member | undefined
  #last: Member | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param member of no chain */
  add(member: Member): void {
    member.chain = this
    member.previous = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.next = member
    this.#last = member
    this.#size++
  }

  /** @returns whether it was in this one */
  delete(member: Member): boolean {
    if (member.chain !== this) return false
    const { previous, next } = member
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    member.chain = member.previous = member.next = undefined
    this.#size--
    return true
  }

  /** As they are now: whoever goes through them may take any of them out. */
  members(): Member[] {
    const members: Member[] = []
    for (let member = this.#first; member !== undefined; member = member.next) members.push(member)
    return members
  }
}
