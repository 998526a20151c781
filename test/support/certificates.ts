/** Certificates for one test run: an authority, and what it signed. */

import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandPath } from './peers.ts'
import { tempDir } from './temp-dir.ts'

export interface Identity {
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  /** Its certificate, for those who check. */
  readonly file: string
  /** @param name also the DNS name in the certificate */
  readonly sign: (name: string) => Identity
}

export function makeAuthority(): Authority {
  const directory = tempDir('tsgi-certificates-')
  const path = (name: string): string => join(directory, name)
  const openssl = (...args: string[]): void => {
    execFileSync(commandPath('openssl'), args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=tests')
  return {
    file: path('ca.pem'),
    sign: (name) => {
      const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.pem`]
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`)
      writeFileSync(path('names'), `subjectAltName=DNS:${name}\n`)
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
      openssl('x509', '-req', '-in', request, '-out', certificate, ...signer)
      chmodSync(path(key), 0o644)
      return { certificate: path(certificate), key: path(key) }
    },
  }
}
