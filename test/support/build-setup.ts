import { ensureBuilt } from '../../scripts/ensure-built.mjs'

/** Tests that start `dist` must not run yesterday's. TSGI_TEST_BUILT=1: take it as it is. */
export function setup(): void {
  if (process.env['TSGI_TEST_BUILT'] !== '1') ensureBuilt()
}
