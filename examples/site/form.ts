/** A form, in tsgi's own interface: the name that was sent comes back in a signed cookie. */

import type { Application } from 'tsgi'
import { escapeHtml, page } from './html.ts'
import { cookie, sign, unsign } from './signed-cookie.ts'

const MAX_FORM_BYTES = 10_000

export const form: Application = async (environ, startResponse) => {
  if (environ.REQUEST_METHOD !== 'POST') {
    const signed = cookie(environ['HTTP_COOKIE'], 'name')
    startResponse('200 OK', [
      ['Content-Type', 'text/html; charset=utf-8'],
      ['Cache-Control', 'private'],
    ])
    return [formPage(signed === undefined ? undefined : unsign(signed))]
  }
  const body = await environ['tsgi.input'].read(MAX_FORM_BYTES)
  const name = new URLSearchParams(Buffer.from(body).toString()).get('name')?.trim() ?? ''
  if (name === '') {
    startResponse('422 Unprocessable Content', [['Content-Type', 'text/html; charset=utf-8']])
    return [page('The form', '<p>Which name? <a href="/form">Once more</a>.</p>')]
  }
  startResponse('303 See Other', [
    ['Location', environ.SCRIPT_NAME],
    ['Set-Cookie', `name=${sign(name)}; Path=/form; HttpOnly; SameSite=Lax`],
  ])
  return []
}

function formPage(name: string | undefined): Uint8Array {
  const greeting =
    name === undefined ? '<p>We have not met.</p>' : `<p id="greeting">Good day, ${escapeHtml(name)}!</p>`
  return page(
    'The form',
    `${greeting}
<form method="post" action="/form">
<label>Your name <input name="name" required maxlength="100"></label>
<button>Send</button>
</form>`,
  )
}
