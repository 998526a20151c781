import { extname } from 'node:path'

/**
 * A module of ours that is run, or handed to Node, and not imported: with the ending that this one has, compiled or in a checkout.
 * @param path from src on, without its ending: `worker/main`
 */
export function ownModule(path: string): URL {
  return new URL(`./${path}${extname(import.meta.url)}`, import.meta.url)
}
