/** The order in which a body is closed, and how long that may take. */

import { expect, test } from 'vitest'
import { type Closing, closeBody } from '../../src/gateway/close-body.ts'

interface Recorded extends Closing {
  readonly reported: string[]
}

const recorded = (closeTimeoutMs = 1000): Recorded => {
  const reported: string[] = []
  return {
    closeTimeoutMs,
    reported,
    closingFailed: (error) => reported.push(error instanceof Error ? error.message : String(error)),
  }
}

test('an iterator that is not done is returned first, then the body is closed', async () => {
  const steps: string[] = []
  const body = { close: () => steps.push('close') }
  const iterator = { return: () => steps.push('return') }
  expect(closeBody(body, iterator, false, recorded()), 'nothing to wait for').toBeUndefined()
  expect(steps).toEqual(['return', 'close'])
})

test('an iterator that is done is not returned, and what has no method is not closed', () => {
  const steps: string[] = []
  const iterator = { return: () => steps.push('return') }
  expect(closeBody({}, iterator, true, recorded())).toBeUndefined()
  expect(closeBody([], undefined, false, recorded())).toBeUndefined()
  expect(closeBody(undefined, undefined, false, recorded())).toBeUndefined()
  expect(steps).toEqual([])
})

test('each step waits for the one before it, and an error in one does not keep the next from running', async () => {
  const steps: string[] = []
  const closing = recorded()
  const iterator = {
    return: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      steps.push('return')
      throw new Error('in return')
    },
  }
  const body = {
    close: () => {
      steps.push('close')
      throw new Error('in close')
    },
  }
  await closeBody(body, iterator, false, closing)
  expect(steps).toEqual(['return', 'close'])
  expect(closing.reported).toEqual(['in return', 'in close'])
})

test('a step that hangs is abandoned, and the next one runs', async () => {
  const steps: string[] = []
  const closing = recorded(20)
  const iterator = { return: () => new Promise(() => undefined) }
  await closeBody({ close: () => steps.push('close') }, iterator, false, closing)
  expect(steps).toEqual(['close'])
  expect(closing.reported).toEqual([expect.stringContaining('did not close within 20 ms')])
})

test('`this` is the body', () => {
  class Body {
    closed = false
    close(): void {
      this.closed = true
    }
  }
  const body = new Body()
  closeBody(body, undefined, false, recorded())
  expect(body.closed).toBe(true)
})

test('without a limit a step may take as long as it takes', async () => {
  const steps: string[] = []
  const closing = recorded(0)
  const close = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    steps.push('closed')
  }
  await closeBody({ close }, undefined, false, closing)
  expect({ steps, reported: closing.reported }).toEqual({ steps: ['closed'], reported: [] })
})
