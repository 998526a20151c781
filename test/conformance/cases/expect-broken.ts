import { expect } from 'vitest'
import type { LogRecord } from '../../support/tsgi.ts'
import type { Answer } from '../conversation.ts'
import type { Gateway } from '../gateway.ts'
import type { Row } from '../rows.ts'

/** A response without Content-Length that broke off after its head, as far as this row can show it. */
export function expectBroken(row: Row, answer: Answer): void {
  const { ended, problem } = answer
  if (row.brokenBodyShowsAs === 'reset') expect(ended).toBe('reset')
  else expect(ended).toBe('end')
  if (row.brokenBodyShowsAs === 'problem') expect(problem).toMatch(/given up|no response has/)
  if (row.brokenBodyShowsAs === 'nothing') expect(problem).toBeUndefined()
}

/** What was logged as the application's failure. */
export const failures = (gateway: Gateway, id: string): LogRecord[] =>
  gateway.said(id).filter(({ msg }) => msg === 'the application failed')
