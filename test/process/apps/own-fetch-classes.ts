/** What polyfills and some adapters do: their own classes in place of the platform's, before anything has read those. */

class Mine {}

for (const key of ['Request', 'Headers']) {
  Object.defineProperty(globalThis, key, { value: Mine, configurable: true, writable: true })
}

export default {
  fetch: async (request: Request): Promise<Response> =>
    Response.json({
      body: await request.clone().text(),
      header: [...request.headers].find(([name]) => name === 'x-asked')?.[1],
      replaced: [globalThis.Request, globalThis.Headers].map(({ name }) => name),
    }),
}
