/** `npm run test:docker`: apart from `npm test`, because it wants root, a Docker engine and some minutes. */

import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from '../support/closing-line-reporter.ts'

export default defineConfig({
  test: {
    name: 'docker',
    root: join(import.meta.dirname, '..', '..'),
    include: ['test/docker/**/*.test.ts'],
    reporters: ['default', new ClosingLineReporter()],
    globalSetup: ['test/docker/support/global-setup.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
