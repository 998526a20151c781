import { describe, expect, test } from 'vitest'
import type { Action } from '../../src/master/actions.ts'
import { type Command, fold, type RosterEvent } from '../../src/master/fold.ts'
import { type PlanOptions, plan } from '../../src/master/plan.ts'
import { createRoster, type WorkerExit } from '../../src/master/roster.ts'
import type { WorkerMessage } from '../../src/messages.ts'

const DEFAULTS: PlanOptions = { gracefulTimeoutMs: 30_000, bootTimeoutMs: 60_000, heartbeatTimeoutMs: 30_000 }

/** A master without processes: events go in, the actions of the plan come out, each carried out by assumption. */
class Pool {
  roster
  nowMs = 0
  readonly options: PlanOptions

  constructor(workers: number, options: Partial<PlanOptions> = {}) {
    this.roster = createRoster(workers)
    this.options = { ...DEFAULTS, ...options }
  }

  /** Plans and acts until nothing is left to do; what was done, as words. */
  settle(): string[] {
    const done: string[] = []
    for (let round = 0; round < 50; round += 1) {
      const { actions } = plan(this.roster, this.options, this.nowMs)
      if (actions.length === 0) return done
      for (const action of actions) {
        done.push(words(action))
        const pid = action.kind === 'spawn' ? 1000 + action.id : undefined
        this.roster = fold(this.roster, { kind: 'acted', action, pid }, this.nowMs)
      }
    }
    throw new Error(`the plan never comes to rest: ${done.slice(-5).join(', ')}`)
  }

  hear(event: RosterEvent): string[] {
    this.roster = fold(this.roster, event, this.nowMs)
    return this.settle()
  }

  says(id: number, message: WorkerMessage): string[] {
    return this.hear({ kind: 'message', id, message })
  }

  ready(...ids: readonly number[]): string[] {
    return ids.flatMap((id) => this.says(id, { kind: 'ready', bootMs: 5, interface: 'tsgi' }))
  }

  fails(id: number, exitCode = 3): string[] {
    return this.says(id, {
      kind: 'failed',
      exitCode,
      message: 'no such export',
      stack: 'Error: no such export\n  at app',
    })
  }

  exits(id: number, exit: WorkerExit = { code: 0, signal: null }): string[] {
    return this.hear({ kind: 'exited', id, exit })
  }

  dies(id: number): string[] {
    return this.exits(id, { code: null, signal: 'SIGKILL' })
  }

  command(command: Command): string[] {
    return this.hear({ kind: 'command', command })
  }

  stop(how: 'graceful' | 'quick'): string[] {
    return this.command({ kind: 'stop', how, why: 'asked to' })
  }

  configured(generation: number, workers: number): string[] {
    return this.hear({ kind: 'configured', generation, workers })
  }

  /** Time passes; the workers named tick meanwhile, once a second as real ones do. */
  after(ms: number, ...ticking: readonly number[]): string[] {
    const done: string[] = []
    const end = this.nowMs + ms
    while (this.nowMs < end) {
      this.nowMs = Math.min(end, this.nowMs + 1000, Math.max(this.nowMs + 1, this.wakeAtMs()))
      for (const id of ticking) this.roster = fold(this.roster, { kind: 'message', id, message: TICK }, this.nowMs)
      done.push(...this.settle())
    }
    return done
  }

  wakeAtMs(): number {
    return plan(this.roster, this.options, this.nowMs).wakeAtMs
  }
}

const TICK: WorkerMessage = {
  kind: 'tick',
  tick: {
    connections: 0,
    requestsInFlight: 0,
    requestsTotal: 7,
    oldestRequestMs: 0,
    rssBytes: 1,
    eventLoopUtilization: 0,
    counters: [7, 1],
  },
}

function words(action: Action): string {
  switch (action.kind) {
    case 'spawn':
      return `spawn ${action.id} slot ${action.slot} gen ${action.generation}`
    case 'drain':
    case 'quit':
      return `${action.kind} ${action.id}`
    case 'kill':
      return `${action.signal} ${action.id}`
    case 'exit':
      return `exit ${action.code}`
    default:
      return `${action.kind} ${action.generation}`
  }
}

/** A pool of `workers` that serves. */
function serving(workers: number, options: Partial<PlanOptions> = {}): Pool {
  const pool = new Pool(workers, options)
  pool.settle()
  pool.ready(...Array.from({ length: workers }, (_, index) => index + 1))
  return pool
}

describe('the first start', () => {
  test('fills every place at once', () => {
    expect(new Pool(3).settle()).toEqual(['spawn 1 slot 1 gen 1', 'spawn 2 slot 2 gen 1', 'spawn 3 slot 3 gen 1'])
  })

  test('ends with the exit code of an application that does not load', () => {
    const pool = new Pool(2)
    pool.settle()
    expect(pool.fails(1)).toEqual(['quit 2'])
    expect(pool.exits(2)).toEqual([])
    expect(pool.exits(1, { code: 3, signal: null })).toEqual(['exit 3'])
  })

  test('that was given up kills who still loads, and is not heard, half a second later', () => {
    const pool = new Pool(2)
    pool.settle()
    expect(pool.fails(1, 4)).toEqual(['quit 2'])
    expect(pool.after(500)).toEqual(['SIGKILL 2'])
    expect(pool.roster.workers[1]).toMatchObject({ id: 2, phase: 'quitting', killed: { signal: 'SIGKILL' } })
    expect(pool.exits(2)).toEqual([])
    expect(pool.exits(1, { code: 4, signal: null })).toEqual(['exit 4'])
    expect(pool.roster.history.died).toBe(1)
  })

  test('tells nobody to leave who is killed already: that died of the boot timeout', () => {
    const pool = new Pool(2, { bootTimeoutMs: 5000 })
    pool.settle()
    expect(pool.after(5000)).toEqual(['SIGKILL 1', 'SIGKILL 2'])
    expect(pool.dies(1)).toEqual([])
    expect(pool.roster.workers).toMatchObject([{ id: 2, phase: 'booting' }])
    expect(pool.dies(2)).toEqual(['exit 3'])
  })

  test('ends with 3 when the worker dies while it loads', () => {
    const pool = new Pool(1)
    pool.settle()
    expect(pool.exits(1, { code: 7, signal: null })).toEqual(['exit 3'])
  })

  test('ends with 3 when the application is not up within the boot timeout', () => {
    const pool = new Pool(1, { bootTimeoutMs: 5000 })
    pool.settle()
    expect(pool.wakeAtMs()).toBe(5000)
    expect(pool.after(5000)).toEqual(['SIGKILL 1'])
    expect(pool.dies(1)).toEqual(['exit 3'])
  })

  test('waits for ever without a boot timeout', () => {
    const pool = new Pool(1, { bootTimeoutMs: 0 })
    pool.settle()
    expect(pool.wakeAtMs()).toBe(Number.POSITIVE_INFINITY)
    expect(pool.after(600_000)).toEqual([])
  })

  test('is over as soon as one worker is ready: another that fails then is tried again', () => {
    const pool = new Pool(2)
    pool.settle()
    pool.ready(1)
    expect(pool.fails(2)).toEqual([])
    expect(pool.exits(2, { code: 3, signal: null })).toEqual([])
    expect(pool.after(999, 1)).toEqual([])
    expect(pool.after(1, 1)).toEqual(['spawn 3 slot 2 gen 1'])
  })

  test('can be stopped, and is then no failure', () => {
    const pool = new Pool(1)
    pool.settle()
    expect(pool.stop('graceful')).toEqual(['quit 1'])
    expect(pool.exits(1)).toEqual(['exit 0'])
  })
})

describe('a worker that dies', () => {
  test('is replaced at once in its place', () => {
    const pool = serving(2)
    expect(pool.dies(2)).toEqual(['spawn 3 slot 2 gen 1'])
  })

  test('again and again is replaced after 1 s, 2 s, 4 s, up to 60 s', () => {
    const pool = serving(1)
    const delays: number[] = []
    for (let id = 1; id <= 10; id += 1) {
      const diedAtMs = pool.nowMs
      let done = pool.dies(id)
      while (done.length === 0) done = pool.after(1000)
      delays.push(pool.nowMs - diedAtMs)
      pool.ready(id + 1)
    }
    expect(delays).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('before it was ready waits even the first time', () => {
    const pool = serving(1)
    pool.dies(1)
    pool.ready(2)
    pool.after(10_000, 2)
    expect(pool.dies(2)).toEqual(['spawn 3 slot 1 gen 1'])
    expect(pool.exits(3, { code: 1, signal: null })).toEqual([])
    expect(pool.wakeAtMs()).toBe(pool.nowMs + 1000)
  })

  test('after ten seconds of service counts as healthy again', () => {
    const pool = serving(1)
    pool.dies(1)
    pool.ready(2)
    pool.after(9999, 2)
    expect(pool.dies(2)).toEqual([])
    expect(pool.after(1000)).toEqual(['spawn 3 slot 1 gen 1'])
    pool.ready(3)
    pool.after(10_000, 3)
    expect(pool.dies(3)).toEqual(['spawn 4 slot 1 gen 1'])
  })

  test('by its own exit code 0 is replaced too', () => {
    expect(serving(1).exits(1)).toEqual(['spawn 2 slot 1 gen 1'])
  })

  test('leaves its counters to the sums', () => {
    const pool = serving(1)
    pool.says(1, TICK)
    pool.dies(1)
    pool.ready(2)
    pool.says(2, TICK)
    pool.dies(2)
    expect(pool.roster.history).toMatchObject({ spawned: 2, died: 2, requestsTotal: 14, counters: [14, 2] })
  })

  test('of another master is nobody of ours', () => {
    expect(serving(1).dies(99)).toEqual([])
  })
})

describe('a hung worker', () => {
  test('is aborted when its ticks stop, then killed', () => {
    const pool = serving(2, { heartbeatTimeoutMs: 5000 })
    expect(pool.after(4999, 2)).toEqual([])
    expect(pool.after(1, 2)).toEqual(['SIGABRT 1'])
    expect(pool.after(1999, 2)).toEqual([])
    expect(pool.after(1, 2)).toEqual(['SIGKILL 1'])
    expect(pool.after(10_000, 2)).toEqual([])
    expect(pool.dies(1)).toEqual(['spawn 3 slot 1 gen 1'])
    expect(pool.roster.history).toMatchObject({ died: 1, hung: 1, hungBySlot: new Map([[1, 1]]) })
  })

  test('is left alone where the heartbeat is off', () => {
    expect(serving(1, { heartbeatTimeoutMs: 0 }).after(600_000)).toEqual([])
  })

  test('is not what a worker is whose master stood still', () => {
    const pool = serving(1, { heartbeatTimeoutMs: 5000 })
    pool.nowMs += 60_000
    expect(pool.hear({ kind: 'paused', pauseMs: 60_000 })).toEqual([])
    expect(pool.after(4000)).toEqual([])
  })

  test('is not what it is right after a pause, when it was about to report; one that really hangs is aborted soon', () => {
    const pool = serving(2, { heartbeatTimeoutMs: 2000 })
    pool.after(1900)
    pool.nowMs += 40_000
    expect(pool.hear({ kind: 'paused', pauseMs: 40_000 })).toEqual([])
    expect(pool.after(4900)).toEqual([])
    expect(pool.says(2, TICK)).toEqual([])
    expect(pool.after(100, 2)).toEqual(['SIGABRT 1'])
  })

  test('is found also where its master stands still now and then', () => {
    const pool = serving(1, { heartbeatTimeoutMs: 5000 })
    const done: string[] = []
    for (let round = 0; round < 10; round += 1) {
      pool.nowMs += 1000
      done.push(...pool.hear({ kind: 'paused', pauseMs: 800 }), ...pool.after(2000))
    }
    expect(done).toContain('SIGABRT 1')
  })
})

test('a pause does not count against who drains, boots, or waits for the configuration', () => {
  const draining = serving(1, { gracefulTimeoutMs: 5000 })
  expect(draining.stop('graceful')).toEqual(['drain 1'])
  const booting = new Pool(1, { bootTimeoutMs: 7000 })
  expect(booting.settle()).toEqual(['spawn 1 slot 1 gen 1'])
  const configuring = serving(1, { bootTimeoutMs: 7000 })
  expect(configuring.command({ kind: 'reload' })).toEqual(['configure 2'])
  for (const pool of [draining, booting, configuring]) {
    pool.after(1000, 1)
    pool.nowMs += 40_000
    expect(pool.hear({ kind: 'paused', pauseMs: 40_000 })).toEqual([])
    expect(pool.after(5900, 1)).toEqual([])
  }
  expect(draining.after(100)).toEqual(['SIGKILL 1'])
  expect(booting.after(100)).toEqual(['SIGKILL 1'])
  expect(configuring.after(100, 1)).toEqual(['fail-reload 2', 'drop-reload 2'])
})

describe('a reload', () => {
  test('has every new worker up before any old one drains', () => {
    const pool = serving(2)
    expect(pool.command({ kind: 'reload' })).toEqual(['configure 2'])
    expect(pool.configured(2, 2)).toEqual(['spawn 3 slot 1 gen 2', 'spawn 4 slot 2 gen 2'])
    expect(pool.ready(3)).toEqual([])
    expect(pool.ready(4)).toEqual(['commit-reload 2', 'drain 1', 'drain 2'])
    expect(pool.exits(1)).toEqual([])
    expect(pool.exits(2)).toEqual([])
    expect(pool.roster).toMatchObject({ generation: 2, reload: undefined, history: { reloads: 1, died: 0 } })
  })

  test('whose application does not load leaves the old generation serving; who was up serves what it has', () => {
    const pool = serving(2)
    pool.command({ kind: 'reload' })
    pool.configured(2, 2)
    pool.ready(3)
    expect(pool.fails(4)).toEqual(['drain 3', 'drop-reload 2'])
    expect(pool.exits(3)).toEqual([])
    expect(pool.exits(4, { code: 3, signal: null })).toEqual([])
    expect(pool.roster.workers.map(({ id, phase }) => `${id} ${phase}`)).toEqual(['1 ready', '2 ready'])
    expect(pool.roster.history.failedReloads).toBe(1)
    expect(pool.dies(1)).toEqual(['spawn 5 slot 1 gen 1'])
  })

  test('whose options cannot be read spawns nothing', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    const failure = { message: 'unknown key wrokers', stack: '', exitCode: 2 }
    expect(pool.hear({ kind: 'not-configured', generation: 2, failure })).toEqual(['drop-reload 2'])
  })

  test('whose configuration never ends to load is given up after the boot timeout', () => {
    const pool = serving(1, { bootTimeoutMs: 5000 })
    pool.command({ kind: 'reload' })
    expect(pool.after(5000, 1)).toEqual(['fail-reload 2', 'drop-reload 2'])
    expect(pool.configured(2, 1)).toEqual([])
  })

  test('whose new worker is not up within the boot timeout fails', () => {
    const pool = serving(1, { bootTimeoutMs: 5000 })
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    expect(pool.after(5000, 1)).toEqual(['SIGKILL 2'])
    expect(pool.dies(2)).toEqual(['drop-reload 2'])
  })

  test('during which a new worker dies fails, were it ready or not', () => {
    const pool = serving(2)
    pool.command({ kind: 'reload' })
    pool.configured(2, 2)
    pool.ready(3)
    expect(pool.dies(3)).toEqual(['quit 4', 'drop-reload 2'])
  })

  test('during which an old worker dies goes on; nothing of the old generation is started from the new code', () => {
    const pool = serving(2)
    pool.command({ kind: 'reload' })
    pool.configured(2, 2)
    expect(pool.dies(1)).toEqual([])
    expect(pool.ready(3, 4)).toEqual(['commit-reload 2', 'drain 2'])
  })

  test('that fails after an old worker died fills the place again', () => {
    const pool = serving(2)
    pool.command({ kind: 'reload' })
    pool.configured(2, 2)
    pool.dies(1)
    expect(pool.fails(3)).toEqual(['quit 4', 'drop-reload 2', 'spawn 5 slot 1 gen 1'])
  })

  test('asked for during a reload happens once afterwards', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    expect(pool.command({ kind: 'reload' })).toEqual([])
    expect(pool.command({ kind: 'reload' })).toEqual([])
    pool.configured(2, 1)
    expect(pool.ready(2)).toEqual(['commit-reload 2', 'configure 3', 'drain 1'])
    pool.configured(3, 1)
    expect(pool.ready(3)).toEqual(['commit-reload 3', 'drain 2'])
  })

  test('asked for during one that fails happens too, under a new number', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    pool.command({ kind: 'reload' })
    expect(pool.fails(2)).toEqual(['drop-reload 2', 'configure 3'])
  })

  test('asked for before the first worker is ready waits until it is', () => {
    const pool = new Pool(1)
    pool.settle()
    expect(pool.command({ kind: 'reload' })).toEqual([])
    expect(pool.ready(1)).toEqual(['configure 2'])
  })

  test('takes a new number of workers from the configuration', () => {
    const pool = serving(2)
    pool.command({ kind: 'reload' })
    expect(pool.configured(2, 1)).toEqual(['spawn 3 slot 1 gen 2'])
    expect(pool.ready(3)).toEqual(['commit-reload 2', 'drain 1', 'drain 2'])
  })

  test('keeps a pool that was scaled by hand as it is', () => {
    const pool = serving(1)
    pool.command({ kind: 'scale', workers: 2 })
    pool.ready(2)
    pool.command({ kind: 'reload' })
    expect(pool.configured(2, 1)).toEqual(['spawn 3 slot 1 gen 2', 'spawn 4 slot 2 gen 2'])
  })

  test('can be scaled while it runs', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    expect(pool.command({ kind: 'more' })).toEqual(['spawn 3 slot 2 gen 2'])
    expect(pool.ready(2)).toEqual([])
    expect(pool.ready(3)).toEqual(['commit-reload 2', 'drain 1'])
  })

  test('ends at once when the master stops', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    expect(pool.stop('graceful')).toEqual(['drop-reload 2', 'drain 1', 'quit 2'])
  })

  test('kills an old worker that does not leave in its grace', () => {
    const pool = serving(1, { gracefulTimeoutMs: 1000 })
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    pool.ready(2)
    expect(pool.after(2999, 1, 2)).toEqual([])
    expect(pool.after(1, 1, 2)).toEqual(['SIGKILL 1'])
  })
})

describe('a stop', () => {
  test('lets workers finish, kills them after the graceful timeout, and ends with 0', () => {
    const pool = serving(2, { gracefulTimeoutMs: 10_000 })
    expect(pool.stop('graceful')).toEqual(['drain 1', 'drain 2'])
    expect(pool.exits(1)).toEqual([])
    expect(pool.after(12_000, 2)).toEqual(['SIGKILL 2'])
    expect(pool.dies(2)).toEqual(['exit 0'])
  })

  test('asked for twice gracefully is one', () => {
    const pool = serving(1)
    pool.stop('graceful')
    expect(pool.stop('graceful')).toEqual([])
  })

  test('becomes quick with an interrupt, and immediate with a second', () => {
    const pool = serving(1)
    pool.stop('graceful')
    expect(pool.stop('quick')).toEqual(['quit 1'])
    expect(pool.after(500)).toEqual([])
    expect(pool.stop('quick')).toEqual(['SIGKILL 1'])
    expect(pool.stop('quick')).toEqual([])
    expect(pool.dies(1)).toEqual(['exit 0'])
  })

  test('is not made immediate by one key press that arrives twice', () => {
    const pool = serving(1)
    expect(pool.stop('quick')).toEqual(['quit 1'])
    pool.nowMs += 20
    expect(pool.stop('quick')).toEqual([])
  })

  test('that is quick does not become graceful again', () => {
    const pool = serving(1)
    pool.stop('quick')
    expect(pool.stop('graceful')).toEqual([])
    expect(pool.roster.stop?.kind).toBe('quick')
  })

  test('that is quick kills who has not left after two seconds', () => {
    const pool = serving(1)
    pool.stop('quick')
    expect(pool.after(2000)).toEqual(['SIGKILL 1'])
  })

  test('replaces nobody who dies meanwhile', () => {
    const pool = serving(2)
    pool.stop('graceful')
    expect(pool.dies(1)).toEqual([])
  })

  test('forgets a reload that was asked for', () => {
    const pool = serving(1)
    pool.stop('graceful')
    expect(pool.command({ kind: 'reload' })).toEqual([])
    expect(pool.exits(1)).toEqual(['exit 0'])
    expect(pool.settle()).toEqual([])
  })
})

describe('the size of the pool', () => {
  test('grows and shrinks by one, the last place first, and never below one', () => {
    const pool = serving(1)
    expect(pool.command({ kind: 'more' })).toEqual(['spawn 2 slot 2 gen 1'])
    pool.ready(2)
    expect(pool.command({ kind: 'fewer' })).toEqual(['drain 2'])
    expect(pool.command({ kind: 'fewer' })).toEqual([])
    expect(pool.roster.target).toBe(1)
  })

  test('is what scale says', () => {
    const pool = serving(2)
    expect(pool.command({ kind: 'scale', workers: 4 })).toEqual(['spawn 3 slot 3 gen 1', 'spawn 4 slot 4 gen 1'])
    expect(pool.command({ kind: 'scale', workers: 1 })).toEqual(['drain 2', 'quit 3', 'quit 4'])
  })
})

describe('a worker that asks to be replaced', () => {
  const retire = { kind: 'retire', why: '1000 requests' } as const

  test('drains only when its replacement is ready', () => {
    const pool = serving(1)
    expect(pool.says(1, retire)).toEqual(['spawn 2 slot 1 gen 1'])
    expect(pool.says(1, retire)).toEqual([])
    expect(pool.ready(2)).toEqual(['drain 1'])
    expect(pool.exits(1)).toEqual([])
  })

  test('waits for its turn: one at a time', () => {
    const pool = serving(3)
    expect(pool.says(1, retire)).toEqual(['spawn 4 slot 1 gen 1'])
    expect(pool.says(2, retire)).toEqual([])
    expect(pool.says(3, retire)).toEqual([])
    expect(pool.ready(4)).toEqual(['drain 1', 'spawn 5 slot 2 gen 1'])
    expect(pool.ready(5)).toEqual(['drain 2', 'spawn 6 slot 3 gen 1'])
  })

  test('goes on serving while its replacement fails, which is tried again with back-off', () => {
    const pool = serving(1)
    pool.says(1, retire)
    expect(pool.fails(2)).toEqual([])
    expect(pool.exits(2, { code: 3, signal: null })).toEqual([])
    expect(pool.after(1000, 1)).toEqual(['spawn 3 slot 1 gen 1'])
    expect(pool.roster.workers.map(({ id }) => id)).toEqual([1, 3])
  })

  test('that dies first is replaced by the one already coming', () => {
    const pool = serving(1)
    pool.says(1, retire)
    expect(pool.dies(1)).toEqual([])
    expect(pool.ready(2)).toEqual([])
  })

  test('is replaced by a reload instead when one is under way', () => {
    const pool = serving(1)
    pool.command({ kind: 'reload' })
    pool.configured(2, 1)
    expect(pool.says(1, retire)).toEqual([])
    expect(pool.ready(2)).toEqual(['commit-reload 2', 'drain 1'])
  })
})
