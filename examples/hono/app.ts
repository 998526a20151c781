import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'

const app = new Hono()

app.get('/', (context) => context.text('Hello from Hono!'))

app.get('/users/:id', (context) => context.json({ id: context.req.param('id') }))

app.post('/echo', async (context) => context.json(await context.req.json(), 201))

app.get('/events', (context) =>
  streamSSE(context, async (stream) => {
    for (let id = 1; id <= 3; id++) {
      await stream.writeSSE({ id: String(id), data: `tick ${id}` })
      await stream.sleep(50)
    }
  }),
)

export default app
