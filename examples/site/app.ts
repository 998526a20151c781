/** One small site of several applications, each written for another interface, mounted side by side. */

import { join } from 'node:path'
import { dispatch, errorPage, fromAsync, fromFetch, fromNode, staticFiles } from 'tsgi'
import { api } from './api.ts'
import { chat } from './chat.ts'
import { events } from './events.ts'
import { form } from './form.ts'
import { pages } from './pages.ts'

export const application = errorPage(
  dispatch({
    '/': pages,
    '/form': form,
    '/events': fromFetch(events),
    '/chat': fromAsync(chat),
    '/api': fromNode(api),
    // Behind a front server nobody asks here: it has the files itself.
    '/static': staticFiles(join(import.meta.dirname, 'public', 'static')),
  }),
)
