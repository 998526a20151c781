/** A stream of server-sent events, as a fetch handler; `/events` shows them, `/events/stream` is them. */

import { setTimeout as delay } from 'node:timers/promises'
import { fetchHandler } from 'tsgi'
import { page } from './html.ts'

const EVENTS = 5
const INTERVAL_MS = 200

export const events = fetchHandler((request: Request) => {
  if (!new URL(request.url).pathname.endsWith('/stream')) {
    return new Response(page('Events', SCRIPT), { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
  }
  return new Response(ReadableStream.from(ticks(request.signal)), {
    headers: {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // nginx sends on what comes, when it comes.
      'X-Accel-Buffering': 'no',
    },
  })
})

async function* ticks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let count = 1; count <= EVENTS && !signal.aborted; count += 1) {
    yield Buffer.from(`data: event ${count} of ${EVENTS}\n\n`)
    await delay(INTERVAL_MS)
  }
}

const SCRIPT = `<ol id="events"></ol>
<script type="module">
const source = new EventSource('/events/stream')
source.onmessage = ({ data }) => {
  const item = document.createElement('li')
  item.textContent = data
  document.querySelector('#events').append(item)
  if (data.endsWith('5 of 5')) source.close()
}
</script>`
