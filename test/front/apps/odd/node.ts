import { createServer } from 'node:http'
import { RAW, WATCHED } from './handlers.ts'

createServer((request, response) => {
  const handler = { ...RAW, ...WATCHED }[(request.url ?? '').slice(1)]
  if (handler !== undefined) handler(request, response)
  else {
    response.statusCode = 404
    response.end()
  }
}).listen(process.env['PORT'])
