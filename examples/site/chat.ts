/** A WebSocket and its page, in the async interface. It passes nginx over uwsgi and SCGI; Apache and FastCGI have no way for it. */

import { asyncApp } from 'tsgi'
import { page } from './html.ts'

export const chat = asyncApp({
  http: async (_scope, _receive, send) => {
    const headers = [['Content-Type', 'text/html; charset=utf-8']] as const
    await send({ type: 'http.response.start', status: 200, headers })
    await send({ type: 'http.response.body', body: page('Chat', SCRIPT) })
  },
  websocket: async (_scope, receive, send) => {
    await receive()
    await send({ type: 'websocket.accept' })
    for (;;) {
      const message = await receive()
      if (message.type !== 'websocket.receive') return
      await send({ type: 'websocket.send', text: `you said: ${'text' in message ? message.text : 'some bytes'}` })
    }
  },
})

const SCRIPT = `<p id="answer">Connecting ...</p>
<script type="module">
const answer = document.querySelector('#answer')
const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/\\/*$/, '/socket'))
socket.onopen = () => socket.send('hello')
socket.onmessage = ({ data }) => { clearTimeout(patience); answer.textContent = data }
// Some front servers refuse, some never say a word.
const giveUp = () => { answer.textContent = 'This front server has no WebSockets for us.' }
const patience = setTimeout(giveUp, 3000)
socket.onerror = () => { clearTimeout(patience); giveUp() }
</script>`
