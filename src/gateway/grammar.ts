/** Grammar of HTTP that more than one place asks for. */

/** RFC 9110 section 5.6.2: a method, the name of a header, a subprotocol. */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** A Content-Length that is exact as a number (RFC 9110 section 8.6 has no bound). */
export const LENGTH = /^[0-9]{1,15}$/
