/**
 * SCRIPT_NAME and PATH_INFO (RFC 3875 sections 4.1.13 and 4.1.5). Front servers disagree on them: nginx's uwsgi_params
 * sends the whole path as PATH_INFO, its fastcgi_params as SCRIPT_NAME, its scgi_params only as DOCUMENT_URI; Apache adds
 * a slash to SCRIPT_NAME when PATH_INFO is `/`.
 */

import type { ByteString } from '../application.ts'

interface ResolvedPath {
  /** `''` or `/x`, no slash at its end. */
  readonly scriptName: ByteString
  /** Starts with `/`, or `''` beside a script name, or `*` (OPTIONS). */
  readonly pathInfo: ByteString
}

/** What front servers say of the path. */
interface SentPath {
  readonly scriptName: ByteString
  /** Undefined where it was not sent; where it was, be it empty, the script name is one and not the whole path. */
  readonly pathInfo: ByteString | undefined
  readonly uri: ByteString
  readonly documentUri: ByteString
}

/** Undefined when the path is outside the grammar: answered 400. `..` and `//` are not touched: front servers did that. */
export function resolvePath(sent: SentPath): ResolvedPath | undefined {
  const scriptName = trimSlash(sent.scriptName)
  const { pathInfo } = sent
  if (pathInfo !== undefined && pathInfo !== '') return checked(scriptName, pathInfo)
  if (pathInfo === '' && scriptName !== '') return scriptName.startsWith('/') ? { scriptName, pathInfo } : undefined
  const path = sent.scriptName || sent.documentUri || percentDecoded(pathOfTarget(sent.uri))
  // Decoded here: a %00 that the front server would have refused, had it decoded the path itself.
  if (path.includes('\0')) return undefined
  return checked('', path === '' ? '/' : path)
}

function checked(scriptName: ByteString, pathInfo: ByteString): ResolvedPath | undefined {
  if (scriptName !== '' && !scriptName.startsWith('/')) return undefined
  if (!pathInfo.startsWith('/') && pathInfo !== '*') return undefined
  return { scriptName, pathInfo }
}

function trimSlash(path: ByteString): ByteString {
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end--
  return end === path.length ? path : path.slice(0, end)
}

const SLASH = 0x2f

/** A request target without scheme and authority: a client may send them (RFC 9112 section 3.2.2), and Apache passes them on. */
export function withoutOrigin(target: ByteString): ByteString {
  const origin = target.startsWith('/') ? null : /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/.exec(target)
  return origin === null ? target : target.slice(origin[0].length) || '/'
}

/** The path of a request target, as it stands there: neither origin nor query nor fragment. */
export function pathOfTarget(target: ByteString): ByteString {
  const end = target.search(/[?#]/)
  return withoutOrigin(end < 0 ? target : target.slice(0, end))
}

/** The bytes that are meant, one character each; a percent sign that begins no escape stays. */
export function percentDecoded(path: ByteString): ByteString {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/**
 * Moves the longest mount that ends at a slash from PATH_INFO to SCRIPT_NAME.
 * @param mounts longest first
 */
export function applyMount(path: ResolvedPath, mounts: readonly string[]): ResolvedPath {
  for (const mount of mounts) {
    const rest = path.pathInfo.slice(mount.length)
    if (path.pathInfo.startsWith(mount) && (rest === '' || rest.startsWith('/'))) {
      return { scriptName: path.scriptName + mount, pathInfo: rest }
    }
  }
  return path
}
