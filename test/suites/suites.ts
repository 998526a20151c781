/** The suites that `npm run test:suites` replays, and what of them differs on tsgi. */

import type { Suite } from './suite.ts'

/** Lint, coverage, documentation, releases. */
const TOOLS =
  /eslint|^nyc$|istanbul|^c8$|prettier|^globals$|^standard$|^benchmark$|^connect-redis$|neostandard|stylistic|@types|line-reporter|autocannon|^borp$|branch-comparer|concurrently|cross-env|tsconfig|markdown|tstyche|^tsd$|^typescript$|json-schema-to-ts|dependents|climem/

const mocha = (...parameters: readonly string[]) => ({ kind: 'mocha', parameters }) as const
const npm = (name: string, version: string) => ({ kind: 'npm', package: name, version }) as const
const debian = (name: string, version: string) => ({ kind: 'debian', package: name, version }) as const

const CLIENT_CONNECTION =
  'the connection of the client, and what is wrong with what it sends, are those of the front server: limits, time limits and error answers of its HTTP parser are set there'
const BEFORE_THE_HEAD =
  'nothing has been sent when the application destroys the connection: tsgi answers 500, where node:http closes it'
const RAW_BYTES = 'raw bytes are written to the socket of a request: a gateway protocol carries responses'
const NOT_CARRIED = 'no gateway protocol carries interim responses (103) and trailers: they are dropped'
const INTERIM_FINAL =
  'an interim status (102) as the final one: tsgi refuses it, for a front server would wait for the final one'
const UNKNOWN_LENGTH =
  'uwsgi has no end of a request body other than its length: the front server waits for the whole of a chunked one, so that a client which leaves before is never seen'
const CUT_SHORT =
  'a response of unknown length that breaks off looks complete with uwsgi over a Unix socket; over TCP it is reset'
const ONE_HOP_MORE =
  'the test counts on the other side having what was just sent: through a front server it takes a turn longer'
const ENDED_AT_ONCE =
  'a client that ends its side right after the request has left for node:http, which the front server is, unless it is answered in the same turn'
const NOT_RUN_BEHIND_IT = `${ENDED_AT_ONCE}; what follows in the file is not run, for its test waits without end`
const NO_HOST = 'a Host header that is no host, here a whole URL: front servers answer 400 themselves, and so does tsgi'
const CONTEXT =
  'a request has an async context of its own, and not that in which its server was made to listen: the test expects to be called within its own'
const UNIX_RESET = 'a Unix socket between front server and tsgi cannot be reset: the client sees its connection end'

export const SUITES: readonly Suite[] = [
  {
    name: 'Express 5',
    source: debian('node-express', '5.'),
    runner: mocha('--require', 'test/support/env', '--check-leaks', 'test/', 'test/acceptance/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'Express 4',
    source: debian('node-express', '4.'),
    runner: mocha('--require', 'test/support/env', '--check-leaks', 'test/', 'test/acceptance/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      {
        why: NO_HOST,
        tests: ['when accepting html > should escape the url', 'when accepting text > should encode the url'].map(
          (title) => `test/res.redirect.js > res > ${title}`,
        ),
      },
    ],
  },
  {
    name: 'Fastify 5',
    source: npm('fastify', '5'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      {
        why: CLIENT_CONNECTION,
        tests: [
          'test/404s.test.js > Unknown method',
          'test/client-timeout.test.js > requestTimeout should return 408',
          'test/close-pipelining.test.js > Should close the socket abruptly - pipelining - return503OnClosing: false',
          'test/header-overflow.test.js > Should return 431 if request header fields are too large',
          'test/header-overflow.test.js > Should return 431 if URI is too long',
          'test/max-requests-per-socket.test.js > maxRequestsPerSocket',
          'test/reply-error.test.js > Should reply 400 on client error',
          'test/reply-error.test.js > Should set the response from client error handler',
          'test/request-error.test.js > default clientError replies with bad request on reused keep-alive connection',
          'test/request-error.test.js > non-numeric content-length is rejected before Fastify body parsing',
          'test/request-header-host.test.js > Return 200 when Host header is missing and http.requireHostHeader = false',
          'test/request-header-host.test.js > Return 200 when Host header is missing and http.requireHostHeader = false with trust proxy',
        ],
      },
      {
        why: BEFORE_THE_HEAD,
        tests: [
          'test/hooks.test.js > onTimeout should be triggered',
          'test/route-hooks.test.js > onTimeout on route',
          'test/reply-error.test.js > fallback error handler aborts the response when headers were already sent',
          'test/reply-error.test.js > fallback error handler aborts the response when writeHead throws ERR_HTTP_HEADERS_SENT',
          'test/request-error.test.js > customErrorHandler should not call handler for in-stream error',
          'test/url-rewriting.test.js > Should throw an error',
        ],
      },
      {
        why: RAW_BYTES,
        tests: ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler'].map(
          (hook) =>
            `test/skip-reply-send.test.js > Hijacking inside ${hook} skips all the following hooks and handler execution > Sending a response using req.socket => onResponse not called`,
        ),
      },
      {
        why: NOT_CARRIED,
        tests: [
          'test/reply-early-hints.test.js > sends early hints',
          ...['a Readable stream', 'a web ReadableStream', 'a pre-ended Readable stream'].map(
            (payload) =>
              `test/reply-trailers.test.js > trailers over a real socket > send trailers when payload is ${payload}`,
          ),
        ],
      },
      {
        why: CUT_SHORT,
        over: 'uwsgi',
        tests: [
          'test/handler-timeout.test.js > streaming response exceeding handlerTimeout aborts instead of crashing',
        ],
      },
    ],
  },
  {
    name: 'connect',
    source: debian('node-connect', '3.'),
    runner: mocha('--require', 'test/support/env', '--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'finalhandler',
    source: debian('node-finalhandler', '1.'),
    runner: mocha('--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'send',
    source: debian('node-send', ''),
    runner: mocha('--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'serve-static',
    source: debian('node-serve-static', ''),
    runner: mocha('--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'body-parser',
    source: debian('node-body-parser', ''),
    runner: mocha('--require', 'test/support/env', '--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'compression',
    source: debian('node-compression', '1.'),
    runner: mocha('--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: 'morgan',
    source: debian('node-morgan', '1.'),
    runner: mocha('--check-leaks', 'test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      { why: INTERIM_FINAL, tests: ['test/morgan.js > morgan() > formats > dev > should not color 1xx'] },
      {
        why: UNKNOWN_LENGTH,
        over: 'uwsgi',
        tests: [':status', ':url'].map(
          (token) => `test/morgan.js > morgan() > tokens > ${token} > should not exist for aborted request`,
        ),
      },
    ],
  },
  {
    name: 'multer',
    source: debian('node-multer', ''),
    runner: mocha('test/'),
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: '@fastify/static',
    source: npm('@fastify/static', '10'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [{ why: CONTEXT, tests: ['test/dir-list.test.js > dir list html format - extended info > dirs'] }],
  },
  {
    name: '@fastify/express',
    source: npm('@fastify/express', '4'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: '@fastify/middie',
    source: npm('@fastify/middie', '9'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      {
        why: ENDED_AT_ONCE,
        tests: [
          'absolute-form request targets cannot bypass path-scoped middleware',
          'absolute-form targets cannot bypass parameterized middleware',
          'absolute-form targets cannot bypass middleware inherited by a child scope',
        ].map((title) => `test/security-absolute-form-bypass.test.js > ${title}`),
      },
    ],
  },
  {
    name: '@fastify/compress',
    source: npm('@fastify/compress', '9'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [],
  },
  {
    name: '@fastify/websocket',
    source: npm('@fastify/websocket', '11'),
    runner: { kind: 'node:test' },
    without: TOOLS,
    protocols: ['fastcgi', 'uwsgi'],
    differences: [
      {
        why: ONE_HOP_MORE,
        tests: ['test/base.test.js > Should Handle WebSocket errors to avoid Node.js crashes'],
      },
      {
        why: NOT_RUN_BEHIND_IT,
        tests: [
          'Should not hijack reply for a normal http request in the internal onError hook',
          'Should run async hooks and still deliver quickly sent messages',
          'Should not hijack reply for an normal request to a websocket route that is sent a normal HTTP response in a hook',
          'Should not hijack reply for an WS request to a WS route that gets sent a normal HTTP response in a hook',
        ].map((title) => `test/hooks.test.js > ${title}`),
      },
    ],
  },
  {
    name: 'ws',
    source: debian('node-ws', '8.'),
    runner: mocha('test/*.test.js'),
    without: TOOLS,
    // Upgrades go over uwsgi in any case.
    protocols: ['uwsgi'],
    differences: [
      {
        why: CLIENT_CONNECTION,
        tests: [
          "test/websocket-server.test.js > WebSocketServer > #close > emits the 'close' event after the server closes",
          'test/websocket-server.test.js > WebSocketServer > Connection establishing > fails if the Upgrade header field value cannot be read',
        ],
      },
      {
        why: UNIX_RESET,
        tests: ['test/websocket.test.js > WebSocket > Events > does not re-emit `net.Socket` errors'],
      },
    ],
  },
]
