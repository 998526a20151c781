import { extname } from 'node:path'

/** The folder of these modules. A master moves on to those of another release, see master/own-files.ts. */
let home = new URL('.', import.meta.url)

export const ownHome = (): URL => home

export function moveOwnHome(to: URL): void {
  home = to
}

/**
 * A module of ours that is run, or handed to Node, and not imported: with the ending that this one has, compiled or in a checkout.
 * @param path from src on, without its ending: `worker/main`
 */
export function ownModule(path: string): URL {
  return new URL(`./${path}${extname(import.meta.url)}`, home)
}
