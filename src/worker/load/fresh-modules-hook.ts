/**
 * A module hook (node:module) for a second attempt at loading an application. Node 22 remembers every module of a graph that could
 * not be linked as failed, the sound ones included: under another URL each of them is a new one.
 */

import module, { type ResolveFnOutput, type ResolveHook } from 'node:module'

const MARK = 'tsx'
const MARKED = /[?&]tsx(?:&|$)/

/** The same file under another URL. */
export function freshUrl(url: string): string {
  return MARKED.test(url) ? url : `${url}${url.includes('?') ? '&' : '?'}${MARK}`
}

function fresh(resolved: ResolveFnOutput): ResolveFnOutput {
  const { url, format } = resolved
  // Packages are loaded as they are: one that is loaded already, tsgi itself among them, must not be there twice. CommonJS has a
  // memory of its own, which forgets what failed.
  const isOwn = url.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(distribution)
  return isOwn && format !== 'commonjs' ? { ...resolved, url: freshUrl(url) } : resolved
}

/** The folder of the compiled tsgi, or of its sources: an application in the same checkout imports it from there. */
const distribution = new URL('../..', import.meta.url).href

export const resolve: ResolveHook = async (specifier, context, nextResolve) =>
  fresh(await nextResolve(specifier, context))

/** To be called after the hooks of whoever finds the files. */
export function installFreshModules(): void {
  // Node 22.15 and later; in the thread that loads, where tsx has its hooks then.
  const { registerHooks }: Partial<Pick<typeof module, 'registerHooks'>> = module
  if (registerHooks !== undefined) {
    registerHooks({ resolve: (specifier, context, nextResolve) => fresh(nextResolve(specifier, context)) })
    return
  }
  module.register(import.meta.url)
}
