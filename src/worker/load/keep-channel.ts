/** Node's channel to the process that started this one: the sockets come through it. */

import { syncBuiltinESMExports } from 'node:module'

/** For an application that closes it when it shuts down, as a child of pm2 or of node:cluster does. */
export function keepChannel(say: (message: string) => void): void {
  process.disconnect = (): void => {
    say('process.disconnect(): the channel is what brings this worker its sockets, and stays open')
  }
  syncBuiltinESMExports()
}
