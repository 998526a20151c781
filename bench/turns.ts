/**
 * Contenders measured in turns, A B C ... C B A ...: what slows the machine down for a while slows all of them, and what one
 * leaves behind (a log still to be written, connections in TIME_WAIT) does not meet the same other one each time.
 */

/** A contender in a run, and what has come of it so far. */
export interface Entry<Contender, Sample> {
  readonly contender: Contender
  readonly samples: Sample[]
  /** Why it is not measured: this machine does not have it. */
  absent?: string
  /** Why it is not measured any more: it should have run. */
  failure?: string
}

export interface Outcome<Contender, Sample> {
  readonly contender: Contender
  /** One for each round; none where it did not run. */
  readonly samples: readonly Sample[]
  readonly absent?: string
  readonly failure?: string
}

type AnyEntry = Entry<{ readonly label: string }, unknown>
type SampleOf<E extends AnyEntry> = E['samples'][number]
type OutcomeOf<E extends AnyEntry> = Outcome<E['contender'], SampleOf<E>>

interface Turns<E extends AnyEntry> {
  readonly rounds: number
  /** Before the first round. */
  readonly warmUp?: (entry: E) => Promise<void>
  /** @param round from 1 */
  readonly sample: (entry: E, round: number) => Promise<SampleOf<E>>
  readonly say: (line: string) => void
}

export async function inTurns<E extends AnyEntry>(
  entries: readonly E[],
  { rounds, warmUp, sample, say }: Turns<E>,
): Promise<OutcomeOf<E>[]> {
  if (warmUp !== undefined) {
    for (const entry of entries) {
      await attempt(entry, async () => {
        say(`warming up ${entry.contender.label}`)
        await warmUp(entry)
      })
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const entry of round % 2 === 1 ? entries : entries.toReversed()) {
      await attempt(entry, async () => entry.samples.push(await sample(entry, round)))
    }
    say(`round ${round} of ${rounds}`)
  }
  return entries.map(outcomeOf)
}

/** One that fails is out; the others go on. */
export async function attempt(entry: AnyEntry, step: () => Promise<unknown>): Promise<void> {
  if (entry.failure !== undefined || entry.absent !== undefined) return
  try {
    await step()
  } catch (error) {
    entry.failure = error instanceof Error ? error.message : String(error)
  }
}

const outcomeOf = <E extends AnyEntry>({ contender, samples, absent, failure }: E): OutcomeOf<E> => ({
  contender,
  samples: failure === undefined ? samples : [],
  ...(absent === undefined ? {} : { absent }),
  ...(failure === undefined ? {} : { failure }),
})
