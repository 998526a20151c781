/** Keeps the platform's classes while it is loaded, as many libraries do. */

const { Request: KeptRequest, Response: KeptResponse } = globalThis

class Traced extends KeptRequest {
  readonly traceId: string = this.headers.get('X-Trace') ?? 'none'
}

export default async function handle(request: Request): Promise<Response> {
  const traced = new Traced(request, { headers: { 'X-Trace': 't1' } })
  const [path, text] = [new URL(traced.url).pathname, await new KeptRequest(traced).text()]
  return new KeptResponse(`${traced.method} ${path} ${traced.traceId} ${text}`)
}
