/** Values that a browser keeps for us and cannot change. The key is a secret that all replicas share. */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

const MIN_KEY_BYTES = 32

const key = readKey()

function readKey(): Buffer {
  const path = process.env['SESSION_KEY_FILE']
  if (path === undefined || path === '') {
    throw new Error(
      'SESSION_KEY_FILE is not set: name a file with a random key in it (openssl rand -hex 32 > session.key)',
    )
  }
  const found = readFileSync(path)
  if (found.length >= MIN_KEY_BYTES) return found
  throw new Error(
    `the key in ${path} has ${found.length} bytes: at least ${MIN_KEY_BYTES} are needed (openssl rand -hex 32)`,
  )
}

export function sign(value: string): string {
  const encoded = Buffer.from(value).toString('base64url')
  return `${encoded}.${mac(encoded).toString('base64url')}`
}

/** @returns undefined where the value is not one that we signed */
export function unsign(signed: string): string | undefined {
  const [encoded = '', given = ''] = signed.split('.')
  const wanted = mac(encoded)
  const found = Buffer.from(given, 'base64url')
  if (found.length !== wanted.length || !timingSafeEqual(found, wanted)) return undefined
  return Buffer.from(encoded, 'base64url').toString()
}

function mac(encoded: string): Buffer {
  return createHmac('sha256', key).update(encoded).digest()
}

export function cookie(header: string | undefined, name: string): string | undefined {
  // `; ` as browsers send it; `, ` as some front servers join repeated fields.
  const pair = header?.split(/[;,] */).find((each) => each.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}
