/** What the options say about every request. */

import { deployedVariables } from '../gateway/sent-variables.ts'
import type { Options } from '../options/table.ts'
import { splitOnce } from '../split-once.ts'
import { fileWrapper } from './file-wrapper.ts'
import type { RequestSettings } from './requests.ts'

export function exchangeSettings(options: Options): RequestSettings {
  return {
    environ: {
      variables: deployedVariables(options.environ.map((pair) => splitOnce(pair, '='))),
      mounts: [...options.mount].sort((one, other) => other.length - one.length),
      multiprocess: options.workers > 1,
      concurrent: options.maxConcurrency !== 1,
    },
    extensions: [['tsgi.file_wrapper', fileWrapper]],
    maxBodyBytes: options.maxBodyBytes,
    closeTimeoutMs: options.closeTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs,
    maxConcurrency: options.maxConcurrency,
  }
}
