/** Every framework that the tests run, and what they run with it: docs/frameworks.md is made from this table. */

/** What can be run; the tests have one function for each. */
export const CHECKS = {
  greets: 'GET, HEAD',
  echoes: 'JSON in and out',
  knows: 'route parameters and the address of the client',
  notFound: 'its own 404',
  fails: 'its own answer to an error of a handler',
  gigantic: '5 MB in and out',
  events: 'streamed events',
  leaves: 'events as they happen, a client that leaves',
  uploads: 'file uploads',
  webSocket: 'WebSocket over uwsgi and SCGI, closed with 1001 when the worker drains, 501 over FastCGI',
  socketIo: 'WebSocket over uwsgi, polling over uwsgi and FastCGI',
  graphql: 'queries, mutations, refused queries, subscriptions',
  nextjs:
    'the standalone server.js: a page, JSON in and out, a form with a server action, static files, a streamed page, its own 404',
} as const

export type Check = keyof typeof CHECKS

export interface Framework {
  readonly name: string
  /** In node_modules; undefined: a part of Node. */
  readonly packageName?: string
  /** Below examples/. */
  readonly example: string
  /** It has packages of its own and is built by scripts/build-nextjs.mjs: served is what came of that. */
  readonly isBuilt?: true
  /** The body of `GET /`. */
  readonly greeting?: string
  readonly checks: readonly Check[]
}

export const FRAMEWORKS: readonly Framework[] = [
  { name: 'node:http', example: 'node-http/server.ts', checks: ['gigantic'] },
  { name: 'node:http, Server-Sent Events', example: 'sse/app.ts', checks: ['leaves'] },
  {
    name: 'Express 5',
    packageName: 'express',
    example: 'express/app.ts',
    greeting: 'Hello from Express 5!',
    checks: ['greets', 'echoes', 'knows', 'notFound', 'fails'],
  },
  {
    name: 'Express 4',
    packageName: 'express4',
    example: 'express4/app.js',
    greeting: 'Hello from Express 4!',
    checks: ['greets', 'echoes', 'knows', 'notFound', 'fails'],
  },
  { name: 'multer', packageName: 'multer', example: 'upload/app.ts', checks: ['uploads'] },
  { name: 'busboy', packageName: 'busboy', example: 'upload/app.ts', checks: ['uploads'] },
  {
    name: 'Koa',
    packageName: 'koa',
    example: 'koa/app.js',
    greeting: 'Hello from Koa!',
    checks: ['greets', 'echoes'],
  },
  {
    name: 'Fastify',
    packageName: 'fastify',
    example: 'fastify/server.ts',
    greeting: 'Hello from Fastify!',
    checks: ['greets', 'echoes', 'knows', 'notFound'],
  },
  {
    name: 'NestJS on Express',
    packageName: '@nestjs/core',
    example: 'nestjs/express.ts',
    greeting: 'Hello from NestJS!',
    checks: ['greets', 'echoes', 'knows', 'notFound', 'fails'],
  },
  {
    name: 'NestJS on Fastify',
    packageName: '@nestjs/core',
    example: 'nestjs/fastify.ts',
    greeting: 'Hello from NestJS!',
    checks: ['greets', 'echoes', 'knows', 'notFound', 'fails'],
  },
  {
    name: 'Hono',
    packageName: 'hono',
    example: 'hono/app.ts',
    greeting: 'Hello from Hono!',
    checks: ['greets', 'echoes', 'events'],
  },
  { name: 'h3', packageName: 'h3', example: 'h3/app.js', greeting: 'Hello from h3!', checks: ['greets', 'echoes'] },
  { name: 'Next.js', packageName: 'next', example: 'nextjs/app/page.jsx', isBuilt: true, checks: ['nextjs'] },
  { name: 'GraphQL Yoga', packageName: 'graphql-yoga', example: 'graphql/app.ts', checks: ['graphql'] },
  { name: 'ws', packageName: 'ws', example: 'ws-chat/server.ts', checks: ['webSocket'] },
  { name: 'Socket.IO', packageName: 'socket.io', example: 'socket-io/server.ts', checks: ['socketIo'] },
]
