import { createServer } from 'node:http'

createServer((_request, response) => response.end('the site')).listen(3000)
createServer((_request, response) => response.end('the figures')).listen(9100)
