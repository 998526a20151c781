/** As much of Koa's types as is used here: the package has none. */
declare module 'koa' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  interface Context {
    readonly path: string
    readonly req: IncomingMessage
    readonly res: ServerResponse
    respond: boolean
  }
  class Koa {
    silent: boolean
    use(middleware: (context: Context) => Promise<void>): this
    listen(port: string | undefined): unknown
  }
  export default Koa
}
