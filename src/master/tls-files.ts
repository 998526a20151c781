/** Certificate and key, read as the master: workers may run as a user who must not read them. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { asError, TsgiError } from '../errors.ts'
import type { TlsIdentity } from '../messages.ts'
import type { Options } from '../options/table.ts'

/** PKCS #8, and what was before it. */
const ENCRYPTED = /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m
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
    throw new TsgiError('TSGI_USAGE', whyNot(asError(error), tlsCert, tlsKey, tlsClientCa), { cause: error })
  }
  return identity
}

function whyNot(error: Error & { readonly code?: string }, cert: string, key: string, clientCa?: string): string {
  if (error.code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return `--tls-key: ${key} is not the key of ${cert}`
  const files = [cert, key, clientCa].filter((file) => file !== undefined).join(', ')
  return `TLS cannot be set up from ${files}: ${error.message}`
}

function readPem(file: string, flag: string): string {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    throw new TsgiError('TSGI_USAGE', `${flag}: ${file} cannot be read: ${asError(error).message}`, { cause: error })
  }
  // An empty file would be accepted, and fail every handshake.
  if (!text.includes('-----BEGIN ')) throw new TsgiError('TSGI_USAGE', `${flag}: ${file} is no PEM file`)
  if (ENCRYPTED.test(text)) {
    const remedy = `nobody is there to type its passphrase; decrypt it with openssl pkey -in ${file}`
    throw new TsgiError('TSGI_USAGE', `${flag}: ${file} is encrypted, and ${remedy}`)
  }
  return text
}
