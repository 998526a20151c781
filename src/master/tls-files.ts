/** Certificate and key, read as the master: workers may run as a user who must not read them. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { asError, TsgiError } from '../errors.ts'
import type { TlsIdentity } from '../messages.ts'
import type { Options } from '../options/table.ts'

/** As node:tls wants them. */
const TICKET_KEY_BYTES = 48

/** @throws TsgiError TSGI_USAGE that names the file: missing, unreadable, no PEM, or a key of another certificate */
export function readTlsFiles(options: Pick<Options, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>): TlsIdentity | undefined {
  const { tlsCert, tlsKey, tlsClientCa } = options
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  const identity: TlsIdentity = {
    cert: readPem(tlsCert, '--tls-cert'),
    key: readPem(tlsKey, '--tls-key'),
    ticketKeys: randomBytes(TICKET_KEY_BYTES).toString('base64'),
    ...(tlsClientCa !== undefined && { clientCa: readPem(tlsClientCa, '--tls-client-ca') }),
  }
  try {
    createSecureContext({ cert: identity.cert, key: identity.key, ca: identity.clientCa })
  } catch (error) {
    const files = [tlsCert, tlsKey, tlsClientCa].filter((file) => file !== undefined).join(', ')
    throw new TsgiError('TSGI_USAGE', `TLS cannot be set up from ${files}: ${asError(error).message}`, { cause: error })
  }
  return identity
}

function readPem(file: string, flag: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch (error) {
    throw new TsgiError('TSGI_USAGE', `${flag}: ${file} cannot be read: ${asError(error).message}`, { cause: error })
  }
}
