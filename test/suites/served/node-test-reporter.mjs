/** For `node:test`: one line of JSON for each test into the file that TSGI_SUITE_RESULTS names; groups and skipped ones are left out. */

import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'

// biome-ignore lint/correctness/useYield: a reporter is a generator of what is printed, which is nothing
export default async function* report(source) {
  let names = []
  for await (const { type, data } of source) {
    if (type !== 'test:start' && type !== 'test:pass' && type !== 'test:fail') continue
    names = [...names.slice(0, data.nesting), data.name]
    const isSkipped = data.skip !== undefined || data.todo !== undefined
    if (type === 'test:start' || isSkipped || data.details?.type === 'suite') continue
    const id = [relative(process.cwd(), data.file ?? ''), ...names].join(' > ')
    const error = data.details?.error?.cause ?? data.details?.error
    const outcome = { id, passed: type === 'test:pass', error: error && String(error.message ?? error) }
    // At once: a process that a failed test keeps alive is killed.
    appendFileSync(process.env.TSGI_SUITE_RESULTS, `${JSON.stringify(outcome)}\n`)
  }
}
