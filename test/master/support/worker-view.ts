import type { WorkerView } from '../../../src/master/roster.ts'

/** Worker 1 as it is when it was just started, but for `known`. */
export const workerView = (known: Partial<WorkerView>): WorkerView => ({
  id: 1,
  slot: 1,
  generation: 1,
  pid: 7,
  phase: 'booting',
  spawnedAtMs: 0,
  readyAtMs: undefined,
  heardAtMs: 0,
  leaveByMs: undefined,
  killed: undefined,
  failure: undefined,
  retire: undefined,
  tick: undefined,
  bootMs: undefined,
  interface: undefined,
  ...known,
})
