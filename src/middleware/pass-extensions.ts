import type { Environ, StartResponse } from '../application.ts'

/**
 * Extensions refuse a startResponse that is not the server's, so that no middleware which put its own in its place is bypassed.
 * One that loses nothing by it says so here. The environ may be the caller's: to others the extensions do what they did.
 * @param wrapped what stands in for `given`
 * @param onUpgrade the connection is the application's from here on
 */
export function passExtensions(
  environ: Environ,
  wrapped: StartResponse,
  given: StartResponse,
  onUpgrade?: () => void,
): void {
  const { 'tsgi.early_hints': earlyHints, 'tsgi.upgrade': upgrade } = environ
  const unwrap = (start: StartResponse) => (start === wrapped ? given : start)
  if (earlyHints !== undefined) environ['tsgi.early_hints'] = (start, headers) => earlyHints(unwrap(start), headers)
  if (upgrade === undefined) return
  environ['tsgi.upgrade'] = async (start) => {
    const upgraded = await upgrade(unwrap(start))
    onUpgrade?.()
    return upgraded
  }
}
