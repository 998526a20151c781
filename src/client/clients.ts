/** Every gateway protocol from the front server's side, by the name that `--uwsgi`, `--fastcgi` and `--scgi` use. */

import { createFastcgiResponseParser, encodeFastcgiRequest } from './fastcgi.ts'
import type { GatewayRequest, ResponseParser } from './request.ts'
import { createScgiResponseParser, encodeScgiRequest } from './scgi.ts'
import { createUwsgiResponseParser, encodeUwsgiRequest } from './uwsgi.ts'

interface GatewayClient {
  /** One request, alone on its connection. */
  readonly encodeRequest: (request: GatewayRequest) => Buffer[]
  /** @param bodiless the request was HEAD */
  readonly createResponseParser: (bodiless: boolean) => ResponseParser
}

export const CLIENTS: Readonly<Record<'uwsgi' | 'fastcgi' | 'scgi', GatewayClient>> = {
  uwsgi: {
    encodeRequest: (request) => encodeUwsgiRequest(request),
    createResponseParser: (bodiless) => createUwsgiResponseParser(bodiless),
  },
  fastcgi: {
    encodeRequest: (request) => encodeFastcgiRequest(request),
    createResponseParser: (bodiless) => createFastcgiResponseParser(bodiless),
  },
  scgi: {
    encodeRequest: encodeScgiRequest,
    createResponseParser: (bodiless) => createScgiResponseParser(bodiless),
  },
}
