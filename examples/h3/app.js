import { getRouterParam, H3, readBody } from 'h3'

const app = new H3()

app.get('/', () => 'Hello from h3!')

app.get('/users/:id', (event) => ({ id: getRouterParam(event, 'id') }))

app.post('/echo', async (event) => {
  event.res.status = 201
  return readBody(event)
})

export default app
