import { describe, expect, test } from 'vitest'
import { reportExit } from '../../src/master/report.ts'
import type { Phase, WorkerExit, WorkerView } from '../../src/master/roster.ts'
import { workerView } from './support/worker-view.ts'

function told(phase: Phase, exit: WorkerExit, known: Partial<WorkerView> = {}): string[] {
  const lines: string[] = []
  const taker = (level: string) => (_fields: object, message: string) => void lines.push(`${level} ${message}`)
  reportExit(
    { debug: taker('debug'), info: taker('info'), warn: taker('warn'), error: taker('error') },
    workerView({ phase, ...known }),
    exit,
  )
  return lines
}

test('Ctrl-C, which the terminal gives the workers too, is no error of one that is told to leave', () => {
  const interrupted = { code: null, signal: 'SIGINT' }
  expect(told('quitting', interrupted)).toEqual(['info worker 1 (pid 7) left'])
  expect(told('booting', interrupted)).toEqual(['error worker 1 (pid 7) died: SIGINT, not sent by tsgi'])
  expect(told('quitting', { code: null, signal: 'SIGSEGV' })).toEqual([
    'error worker 1 (pid 7) died: SIGSEGV, not sent by tsgi',
  ])
})

describe('a worker that was told to leave, and was not quick enough', () => {
  const killed = { signal: 'SIGKILL', why: 'told to leave, it did not', atMs: 500 } as const
  const bySignal = { code: null, signal: 'SIGKILL' }
  const left = ['info worker 1 (pid 7) left']

  test('has left where its own end came before that of the signal', () => {
    for (const phase of ['draining', 'quitting'] as const) {
      expect(told(phase, { code: 0, signal: null }, { killed })).toEqual(left)
      expect(told(phase, { code: 0, signal: null }, { killed, readyAtMs: 1 })).toEqual(left)
    }
  })

  test('has left where it was killed while it loaded the application, and died where it served', () => {
    expect(told('quitting', bySignal, { killed })).toEqual(left)
    const died = ['error worker 1 (pid 7) died: SIGKILL: told to leave, it did not']
    expect(told('quitting', bySignal, { killed, readyAtMs: 1 })).toEqual(died)
  })
})
