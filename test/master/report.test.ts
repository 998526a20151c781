import { expect, test } from 'vitest'
import { reportExit } from '../../src/master/report.ts'
import type { Phase, WorkerExit } from '../../src/master/roster.ts'
import { workerView } from './support/worker-view.ts'

function told(phase: Phase, exit: WorkerExit): string[] {
  const lines: string[] = []
  const taker = (level: string) => (_fields: object, message: string) => void lines.push(`${level} ${message}`)
  reportExit(
    { debug: taker('debug'), info: taker('info'), warn: taker('warn'), error: taker('error') },
    workerView({ phase }),
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
