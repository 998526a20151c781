/** `npm run test:suites`: apart from `npm test`, because it fetches what it runs. */

import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from '../support/closing-line-reporter.ts'

export default defineConfig({
  test: {
    name: 'suites',
    root: join(import.meta.dirname, '..', '..'),
    include: ['test/suites/suites.test.ts'],
    reporters: ['default', new ClosingLineReporter()],
    globalSetup: ['test/support/build-setup.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
