/**
 * Express under OpenTelemetry, as its documentation says: instrumented before anything else is loaded.
 * `GET /spans` gives what was recorded until then.
 */

import { createRequire } from 'node:module'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'

const exporter = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
for (const instrumentation of [new HttpInstrumentation(), new ExpressInstrumentation()]) {
  instrumentation.setTracerProvider(tracerProvider)
  instrumentation.enable()
}

const require = createRequire(import.meta.url)
// Both are patched as they are required.
require('node:http')
const express: typeof import('express') = require('express')

const app = express()
app.get('/users/:id', (_request, response) => void response.status(203).send('found'))
app.get('/spans', (_request, response) => {
  const spans = exporter.getFinishedSpans()
  response.json(spans.map(({ name, kind, attributes }) => ({ name, kind, attributes })))
})

export default app
