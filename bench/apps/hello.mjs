const body = [new TextEncoder().encode('Hello, World!')]

/** @type {import('tsgi').Application} */
export const application = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
  return body
}
