/** The other end of the control socket: what `tsgi ctl` calls. */

import { connect } from 'node:net'
import { MessageChannel } from '../channel.ts'
import { errorCode, TsgiError } from '../errors.ts'
import { parseAddress } from '../options/address.ts'
import { type ControlCommand, type ControlOutcome, type ControlReply, parseControlReply } from './control-messages.ts'

/**
 * Sends one command and waits for its outcome, as long as that takes. A command that failed is an outcome, not an exception.
 * @param address as given to --control.
 * @throws TsgiError TSGI_RUN when nobody answers there, or the master dies before the outcome; TSGI_USAGE for what is no address.
 */
export function controlRequest(
  address: string,
  command: ControlCommand,
  onProgress: (text: string) => void,
): Promise<ControlOutcome> {
  return new Promise((resolve, reject) => {
    const where = parseAddress(address)
    if (typeof where === 'string') throw new TsgiError('TSGI_USAGE', where)
    if (where.kind !== 'unix') throw new TsgiError('TSGI_USAGE', `${address}: a control socket is a Unix socket`)
    let connected = false
    const socket = connect(where.path)
    socket.on('connect', () => {
      connected = true
    })
    const channel = new MessageChannel<ControlReply, ControlCommand>(socket, parseControlReply, {
      message: (reply) => {
        if (reply.kind === 'progress') return onProgress(reply.text)
        resolve(reply)
        channel.end()
      },
      close: (error) => reject(connected ? lost(address, error) : unreachable(address, error)),
    })
    channel.send(command)
  })
}

function unreachable(address: string, error: Error | undefined): TsgiError {
  const code = errorCode(error) ?? error?.message ?? 'closed'
  const remedy =
    code === 'EACCES'
      ? 'only the user who runs tsgi, and root, may use it'
      : 'is tsgi running, with --control at this address?'
  return new TsgiError('TSGI_RUN', `no tsgi answers on ${address} (${code}): ${remedy}`, { cause: error })
}

function lost(address: string, error: Error | undefined): TsgiError {
  if (error instanceof TsgiError && error.code === 'TSGI_PROTOCOL_MALFORMED') {
    const message = `${address} is no control socket of tsgi: is this what was given to --control? (it sent ${error.message})`
    return new TsgiError('TSGI_RUN', message, { cause: error })
  }
  const why = error === undefined ? 'it left before the outcome was known' : error.message
  return new TsgiError('TSGI_RUN', `the tsgi on ${address} did not finish the command: ${why}`, { cause: error })
}
