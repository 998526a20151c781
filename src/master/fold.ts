/** What happened, folded into the roster: pure. It decides nothing (plan.ts does) and starts nothing. */

import { ERRORS } from '../errors.ts'
import type { WorkerMessage } from '../messages.ts'
import { MAX_WORKERS } from '../options/kinds.ts'
import { type Action, type Failure, LEAVE_MARGIN_MS, QUIT_GRACE_MS } from './actions.ts'
import { backOffAfter, FRESH } from './back-off.ts'
import type { Reload, Roster, Stop, WorkerExit, WorkerView } from './roster.ts'
import { describeExit, nameOf } from './words.ts'

export type Command =
  | { readonly kind: 'reload' }
  | { readonly kind: 'stop'; readonly how: 'graceful' | 'quick'; readonly why: string }
  | { readonly kind: 'more' }
  | { readonly kind: 'fewer' }
  | { readonly kind: 'scale'; readonly workers: number }

export type RosterEvent =
  | { readonly kind: 'message'; readonly id: number; readonly message: WorkerMessage }
  | { readonly kind: 'exited'; readonly id: number; readonly exit: WorkerExit }
  | { readonly kind: 'command'; readonly command: Command }
  /** The options of a reload were read and its sockets are bound. */
  | { readonly kind: 'configured'; readonly generation: number; readonly workers: number }
  | { readonly kind: 'not-configured'; readonly generation: number; readonly failure: Failure }
  /** An action of the plan was carried out. */
  | { readonly kind: 'acted'; readonly action: Action; readonly pid?: number | undefined }
  /** The whole process stood still (SIGSTOP, a frozen container): the workers were not the silent ones. */
  | { readonly kind: 'paused'; readonly pauseMs: number }

/** Five ticks of a worker. */
const LENIENT_MS = 5000

/** Two interrupts closer than this are one key press that came by two ways (the terminal and a parent process). */
const SAME_KEY_PRESS_MS = 100

export function fold(roster: Roster, event: RosterEvent, nowMs: number): Roster {
  switch (event.kind) {
    case 'message':
      return foldMessage(roster, event.id, event.message, nowMs)
    case 'exited':
      return foldExit(roster, event.id, event.exit, nowMs)
    case 'command':
      return foldCommand(roster, event.command, nowMs)
    case 'configured':
      return foldConfigured(roster, event.generation, event.workers)
    case 'not-configured':
      return failReload(roster, event.generation, event.failure)
    case 'acted':
      return foldAction(roster, event.action, event.pid, nowMs)
    case 'paused':
      return foldPause(roster, event.pauseMs, nowMs)
  }
}

function foldMessage(roster: Roster, id: number, message: WorkerMessage, nowMs: number): Roster {
  const before = roster.workers.find((worker) => worker.id === id)
  if (before === undefined) return roster
  const worker = { ...before, heardAtMs: nowMs }
  switch (message.kind) {
    case 'want-sockets':
    case 'bye':
      return withWorker(roster, worker)
    case 'tick':
      return withWorker(roster, { ...worker, tick: message.tick })
    case 'retire':
      return withWorker(roster, { ...worker, retire: worker.retire ?? message.why })
    case 'ready': {
      if (worker.phase !== 'booting') return withWorker(roster, worker)
      const ready = { phase: 'ready', readyAtMs: nowMs, bootMs: message.bootMs, interface: message.interface } as const
      return { ...withWorker(roster, { ...worker, ...ready }), everReady: true }
    }
    case 'failed': {
      const failure: Failure = { message: message.message, stack: message.stack, exitCode: message.exitCode }
      const leaving = { phase: 'quitting', failure, leaveByMs: nowMs + QUIT_GRACE_MS } as const
      const noted = noteDeath(withWorker(roster, { ...worker, ...leaving }), worker, nowMs)
      return foldFailure(noted, worker, failure, nowMs)
    }
  }
}

function foldExit(roster: Roster, id: number, exit: WorkerExit, nowMs: number): Roster {
  const worker = roster.workers.find((one) => one.id === id)
  if (worker === undefined) return roster
  const expected = (worker.phase === 'draining' || worker.phase === 'quitting') && worker.failure === undefined
  const without: Roster = {
    ...roster,
    workers: roster.workers.filter((one) => one.id !== id),
    history: {
      ...roster.history,
      died: roster.history.died + (expected ? 0 : 1),
      requestsTotal: roster.history.requestsTotal + (worker.tick?.requestsTotal ?? 0),
      counters: addCounters(roster.history.counters, worker.tick?.counters ?? []),
    },
  }
  if (expected || worker.failure !== undefined) return without
  const message = `${nameOf(worker)} died: ${describeExit(worker, exit)}`
  return foldFailure(
    noteDeath(without, worker, nowMs),
    worker,
    { message, stack: '', exitCode: ERRORS.TSGI_LOAD.exitCode },
    nowMs,
  )
}

function noteDeath(roster: Roster, worker: WorkerView, nowMs: number): Roster {
  if (worker.generation !== roster.generation) return roster
  const livedMs = worker.readyAtMs === undefined ? undefined : nowMs - worker.readyAtMs
  const backOff = backOffAfter(roster.backOffs.get(worker.slot) ?? FRESH, livedMs, nowMs)
  return { ...roster, backOffs: new Map(roster.backOffs).set(worker.slot, backOff) }
}

/** What one worker's failure means to all: the end at the first start, the end of a reload, or nothing. */
function foldFailure(roster: Roster, worker: WorkerView, failure: Failure, nowMs: number): Roster {
  if (!roster.everReady && roster.stop === undefined) {
    const stop: Stop = {
      kind: 'quick',
      exitCode: failure.exitCode,
      sinceMs: nowMs,
      why: failure.exitCode === ERRORS.TSGI_LOAD.exitCode ? 'the application did not load' : 'the first start failed',
      failure,
    }
    return { ...roster, stop }
  }
  return worker.phase === 'booting' || worker.phase === 'ready'
    ? failReload(roster, worker.generation, failure)
    : roster
}

function failReload(roster: Roster, generation: number, failure: Failure): Roster {
  const reload = roster.reload
  if (reload === undefined || reload.generation !== generation || reload.failure !== undefined) return roster
  return { ...roster, reload: { ...reload, failure } }
}

function foldConfigured(roster: Roster, generation: number, workers: number): Roster {
  const reload = roster.reload
  if (reload?.phase !== 'configuring' || reload.generation !== generation) return roster
  if (reload.failure !== undefined) return roster
  // A pool that was scaled by hand stays so until the configuration itself says another number.
  const target = workers === roster.configuredWorkers ? roster.target : workers
  return { ...roster, reload: { ...reload, phase: 'booting', configuredWorkers: workers, target } }
}

function foldCommand(roster: Roster, command: Command, nowMs: number): Roster {
  switch (command.kind) {
    case 'reload':
      return roster.stop === undefined ? { ...roster, reloadWanted: true } : roster
    case 'more':
      return scale(roster, wanted(roster) + 1)
    case 'fewer':
      return scale(roster, wanted(roster) - 1)
    case 'scale':
      return scale(roster, command.workers)
    case 'stop':
      return { ...roster, reloadWanted: false, stop: nextStop(roster.stop, command.how, command.why, nowMs) }
  }
}

/** A stop may become quicker, never slower. */
function nextStop(stop: Stop | undefined, how: 'graceful' | 'quick', why: string, nowMs: number): Stop {
  if (stop === undefined) return { kind: how, exitCode: 0, sinceMs: nowMs, why }
  if (how === 'graceful' || stop.kind === 'immediate') return stop
  if (stop.kind === 'graceful') return { ...stop, kind: 'quick', sinceMs: nowMs, why }
  return nowMs - stop.sinceMs < SAME_KEY_PRESS_MS ? stop : { ...stop, kind: 'immediate', sinceMs: nowMs, why }
}

function wanted(roster: Roster): number {
  return roster.reload?.phase === 'booting' ? roster.reload.target : roster.target
}

function scale(roster: Roster, workers: number): Roster {
  const target = Math.min(MAX_WORKERS, Math.max(1, workers))
  const reload = roster.reload?.phase === 'booting' ? { ...roster.reload, target } : roster.reload
  return { ...roster, target, reload }
}

function foldAction(roster: Roster, action: Action, pid: number | undefined, nowMs: number): Roster {
  switch (action.kind) {
    case 'spawn': {
      const { id, slot, generation } = action
      const before = roster.history
      const history = { ...before, spawned: before.spawned + 1, spawnedBySlot: oneMore(before.spawnedBySlot, slot) }
      const worker: WorkerView = { ...BLANK, id, slot, generation, pid, spawnedAtMs: nowMs, heardAtMs: nowMs }
      return { ...roster, lastId: id, history, workers: [...roster.workers, worker] }
    }
    case 'drain':
      return change(roster, action.id, { phase: 'draining', leaveByMs: nowMs + action.graceMs + LEAVE_MARGIN_MS })
    case 'quit':
      return change(roster, action.id, { phase: 'quitting', leaveByMs: nowMs + action.graceMs })
    case 'kill': {
      const killed = change(roster, action.id, { killed: { signal: action.signal, why: action.why, atMs: nowMs } })
      // The signal for a worker that hangs, and for no other.
      const hung = action.signal === 'SIGABRT' ? roster.workers.find(({ id }) => id === action.id) : undefined
      if (hung === undefined) return killed
      const before = roster.history
      const history = { ...before, hung: before.hung + 1, hungBySlot: oneMore(before.hungBySlot, hung.slot) }
      return { ...killed, history }
    }
    case 'configure': {
      const { generation } = action
      const reload: Reload = { phase: 'configuring', generation, sinceMs: nowMs }
      return { ...roster, reloadWanted: false, lastGeneration: generation, reload }
    }
    case 'fail-reload':
      return failReload(roster, action.generation, action.failure)
    case 'commit-reload': {
      const { reload, history } = roster
      if (reload?.phase !== 'booting') return roster
      const { generation, target, configuredWorkers } = reload
      const done = { ...history, reloads: history.reloads + 1 }
      return { ...roster, generation, target, configuredWorkers, reload: undefined, backOffs: new Map(), history: done }
    }
    case 'drop-reload': {
      const history = { ...roster.history, failedReloads: roster.history.failedReloads + 1 }
      return { ...roster, reload: undefined, history }
    }
    case 'exit':
      return { ...roster, exited: true }
  }
}

const BLANK = {
  phase: 'booting',
  readyAtMs: undefined,
  leaveByMs: undefined,
  killed: undefined,
  failure: undefined,
  retire: undefined,
  tick: undefined,
  bootMs: undefined,
  interface: undefined,
} as const

function change(roster: Roster, id: number, changes: Partial<WorkerView>): Roster {
  return {
    ...roster,
    workers: roster.workers.map((worker) => (worker.id === id ? { ...worker, ...changes } : worker)),
  }
}

function withWorker(roster: Roster, changed: WorkerView): Roster {
  return change(roster, changed.id, changed)
}

/**
 * The pause does not count, and for as long again nobody is late. A machine so busy that its master stands still half of the
 * time must not keep a worker that hangs, so the second is bounded by the first.
 */
function foldPause(roster: Roster, pauseMs: number, nowMs: number): Roster {
  const { reload } = roster
  return {
    ...roster,
    lenientUntilMs: Math.max(roster.lenientUntilMs, nowMs + Math.min(pauseMs, LENIENT_MS)),
    reload: reload === undefined ? undefined : { ...reload, sinceMs: reload.sinceMs + pauseMs },
    workers: roster.workers.map((worker) => later(worker, pauseMs, nowMs)),
  }
}

/** What was heard after the pause was heard now, not in the future. */
function later(worker: WorkerView, pauseMs: number, nowMs: number): WorkerView {
  const leaveByMs = worker.leaveByMs === undefined ? undefined : worker.leaveByMs + pauseMs
  const spawnedAtMs = worker.phase === 'booting' ? Math.min(nowMs, worker.spawnedAtMs + pauseMs) : worker.spawnedAtMs
  return { ...worker, heardAtMs: Math.min(nowMs, worker.heardAtMs + pauseMs), spawnedAtMs, leaveByMs }
}

/** Element by element; the longer one gives the length. */
function addCounters(one: readonly number[], other: readonly number[]): readonly number[] {
  const [longer, shorter] = one.length >= other.length ? [one, other] : [other, one]
  return longer.map((value, index) => value + (shorter[index] ?? 0))
}

function oneMore(counts: ReadonlyMap<number, number>, slot: number): ReadonlyMap<number, number> {
  return new Map(counts).set(slot, (counts.get(slot) ?? 0) + 1)
}
