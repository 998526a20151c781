/** The last words of a run: which tests were skipped and why, and one line that counts them all. */

import type { Reporter, TestModule } from 'vitest/node'

export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0
    let failed = unhandledErrors.length
    const skipped: string[] = []
    for (const module of modules) {
      // A file that does not load has no tests and would otherwise count as nothing.
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed += 1
        else if (result.state === 'skipped') {
          const note = result.note === undefined ? '' : `: ${result.note}`
          skipped.push(`[${test.project.name}] ${test.module.relativeModuleId} > ${test.fullName}${note}`)
        } else failed += 1
      }
    }
    // After the summary of the default reporter, which is written in the same turn.
    process.once('exit', () => {
      for (const line of skipped) process.stdout.write(`skipped ${line}\n`)
      process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`)
    })
  }
}
