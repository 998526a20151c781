/** The end of a worker, after its last response: the application closes what it has open, then the process ends. */

import type { Socket } from 'node:net'
import type { MessageChannel } from '../channel.ts'
import { asError } from '../errors.ts'
import type { LoadedApplication } from '../interfaces/registry.ts'
import type { Log } from '../log/logger.ts'
import type { MasterMessage, WorkerMessage } from '../messages.ts'
import type { Termination } from './termination.ts'

export interface Leaving {
  readonly channel: MessageChannel<MasterMessage, WorkerMessage>
  /** What the channel runs over. */
  readonly socket: Socket
  readonly loaded: LoadedApplication
  readonly termination: Termination
  readonly log: Log
  /** How long the application may take over its SIGTERM. */
  readonly limitMs: number
}

export async function leave({ channel, socket, loaded, termination, log, limitMs }: Leaving): Promise<void> {
  const end = (): void => channel.send({ kind: 'bye' }, () => process.exit(0))
  try {
    await loaded.shutdown?.()
  } catch (error) {
    log.error({ err: asError(error) }, 'the application failed to shut down')
  }
  if (!termination.deliver()) {
    end()
    return
  }
  // As without tsgi: it is over when the application says so, or when there is nothing left that it waits for.
  socket.unref()
  process.channel?.unref()
  process.once('beforeExit', end)
  setTimeout(() => {
    log.warn(`the application has not ended ${Math.round(limitMs)} ms after its SIGTERM: leaving it as it is`)
    end()
  }, limitMs).unref()
}
