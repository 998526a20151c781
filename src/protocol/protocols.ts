/** Every gateway protocol, once. To add one: a file beside this, and a row here. */

import type { Protocol } from './codec.ts'
import { fastcgi } from './fastcgi.ts'
import { scgi } from './scgi.ts'
import { uwsgi } from './uwsgi.ts'

export const PROTOCOLS: Readonly<Record<Protocol['name'], Protocol>> = { uwsgi, fastcgi, scgi }
