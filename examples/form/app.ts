// A form: shown on GET, read from tsgi.input on POST.

import { type Application, type Environ, status } from 'tsgi'

const MAX_FORM_BYTES = 64 * 1024

export const application: Application = async (environ, startResponse) => {
  const headers = [['Content-Type', 'text/html; charset=utf-8']] as const
  switch (environ.REQUEST_METHOD) {
    case 'GET':
    case 'HEAD':
      startResponse('200 OK', headers)
      return page('')
    case 'POST': {
      if (!/^application\/x-www-form-urlencoded\b/i.test(environ.CONTENT_TYPE ?? '')) {
        startResponse(status(415), headers)
        return page('<p>This form is sent urlencoded.</p>')
      }
      const form = await readForm(environ)
      if (form === undefined) {
        startResponse(status(413), headers)
        return page(`<p>That is more than ${MAX_FORM_BYTES} bytes.</p>`)
      }
      startResponse('200 OK', headers)
      return page(`<p>${escapeHtml(form.get('name') ?? 'Nobody')} says: ${escapeHtml(form.get('message') ?? '')}</p>`)
    }
    default:
      startResponse(status(405), [['Allow', 'GET, HEAD, POST']])
      return []
  }
}

/** Undefined for a form that is too large: one byte more than allowed is read, and no more. */
async function readForm(environ: Environ): Promise<URLSearchParams | undefined> {
  const body = await environ['tsgi.input'].read(MAX_FORM_BYTES + 1)
  return body.length > MAX_FORM_BYTES ? undefined : new URLSearchParams(new TextDecoder().decode(body))
}

function page(answer: string): Uint8Array[] {
  const html = `<!doctype html>
<title>A form</title>
${answer}
<form method="post">
  <p><label>Name <input name="name" required></label></p>
  <p><label>Message <textarea name="message"></textarea></label></p>
  <button>Send</button>
</form>
`
  return [new TextEncoder().encode(html)]
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
