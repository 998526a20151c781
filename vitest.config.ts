import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts'

/** vitest takes one less than there are processors: one of two would have nothing to do. */
const FILES_AT_A_TIME = Math.max(2, availableParallelism() - 1)

/** Real servers and whole process trees, on built code. */
const realServers = [
  'test/conformance/**/*.test.ts',
  'test/front/**/*.test.ts',
  'test/process/**/*.test.ts',
  'test/examples/**/*.test.ts',
]

/** Many reloads, gigabytes, thousands of clients: heavy, so once, and alone. */
const load = ['test/load/**/*.test.ts']

/** tsgi takes a connection in one of two ways (src/worker): everything has to hold on both. */
const withAccept = (accept: 'fast' | 'documented', order: number, include: readonly string[] = realServers) => ({
  extends: true as const,
  test: {
    name: include === load ? 'load' : accept,
    include: [...include],
    env: { TSGI_ACCEPT: accept },
    ...(include === load ? { fileParallelism: false } : { maxWorkers: FILES_AT_A_TIME }),
    globalSetup: ['test/support/build-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { groupOrder: order },
  },
})

export default defineConfig({
  resolve: { alias: { tsgi: new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    reporters: ['default', new ClosingLineReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          // These have configurations of their own: npm run test:docker, npm run test:suites.
          exclude: [...realServers, ...load, 'test/docker/**', 'test/suites/suites.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: FILES_AT_A_TIME,
          sequence: { groupOrder: 0 },
        },
      },
      withAccept('fast', 1),
      withAccept('documented', 2),
      withAccept('fast', 3, load),
    ],
  },
})
