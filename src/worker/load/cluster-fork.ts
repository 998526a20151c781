/** Applications that start processes of their own kind (node:cluster), to listen in each of them. */

import cluster, { type Worker } from 'node:cluster'
import { syncBuiltinESMExports } from 'node:module'
import { describe, TsgiError } from '../../errors.ts'

/**
 * `cluster.fork()` runs what the process was started with: here tsgi's own program, which is none without a master. Another
 * program, named by setupPrimary, is the application's matter.
 */
export function refuseClusterFork(file: string): void {
  const { fork } = cluster
  cluster.fork = (env?: unknown): Worker => {
    const { exec } = cluster.settings
    if (exec !== undefined && exec !== process.argv[1]) return fork.call(cluster, env)
    throw new TsgiError(
      'TSGI_LOAD',
      `cluster.fork() in ${describe(file)}: its processes are the workers of tsgi (--workers), and each runs the file. ` +
        'Let it listen without node:cluster, or name the file that a forked process would run',
    )
  }
  syncBuiltinESMExports()
}
