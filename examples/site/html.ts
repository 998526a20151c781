/** The frame that all pages share. */

const LINKS = { '/': 'Home', '/form': 'Form', '/events': 'Events', '/chat': 'Chat' }

const version = process.env['SITE_VERSION']
const VERSION = version === undefined ? 'The example site of tsgi' : `The example site of tsgi, version ${version}`

export function page(title: string, content: string): Uint8Array {
  const links = Object.entries(LINKS).map(([path, name]) => `<a href="${path}">${name}</a>`)
  return Buffer.from(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="stylesheet" href="/static/site.css">
<header><img src="/static/logo.svg" alt="" width="40" height="40"><nav>${links.join('\n')}</nav></header>
<main>
<h1>${title}</h1>
${content}
</main>
<footer>${escapeHtml(VERSION)}</footer>
`)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}
