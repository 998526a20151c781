/// <reference types="node" preserve="true" />
/** The public API of tsgi: re-exports only. TypeScript 6 and later look for the types of Node where they are asked for alone. */

export type * from './application.ts'
export { ERRORS, type ErrorCode, type ErrorKind, TsgiError } from './errors.ts'
export { byteString, pathText, rawPath, strictText, text } from './gateway/text.ts'
export {
  type AsyncApp,
  asyncApp,
  type HttpScope,
  type LifespanScope,
  type Receive,
  type Scope,
  type Send,
  UnsupportedScope,
  type WebSocketScope,
} from './interfaces/async/types.ts'
export { fromAsync, fromFetch, fromNode } from './interfaces/convert.ts'
export type { FetchContext, FetchEnv, FetchHandler } from './interfaces/fetch/fetch.ts'
export { fetchHandler, type NodeListener, nodeListener } from './interfaces/marks.ts'
export { toAsync } from './interfaces/to-async.ts'
export { toFetch } from './interfaces/to-fetch.ts'
export { toNode } from './interfaces/to-node.ts'
export { type BasicAuthOptions, basicAuth } from './middleware/basic-auth.ts'
export { type BodyObserver, closeBody, mapBody, tapBody } from './middleware/body.ts'
export { copyEnviron } from './middleware/copy-environ.ts'
export { dispatch, type Mounts } from './middleware/dispatch.ts'
export { type ErrorPageOptions, errorPage } from './middleware/error-page.ts'
export { headerOf, onHead, type ResponseHead, withoutHeaders } from './middleware/head.ts'
export { limitBody, limitTime } from './middleware/limits.ts'
export { lines } from './middleware/lines.ts'
export { type ProxyFixOptions, proxyFix } from './middleware/proxy-fix.ts'
export { currentRequestId, type RequestIdOptions, requestId } from './middleware/request-id.ts'
export { type StaticFilesOptions, staticFiles } from './middleware/static-files.ts'
export { status } from './middleware/status.ts'
export { applicationUri, hostName, requestUri, shiftPathInfo } from './middleware/url.ts'
export { type ValidateOptions, validate } from './middleware/validate.ts'
export { validateMiddleware } from './middleware/validate-middleware.ts'
export { type Config, defineConfig } from './options/define-config.ts'
