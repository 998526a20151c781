export interface Peer {
  readonly command?: string
  readonly file?: string
  readonly package: string
}
export const PEERS: readonly Peer[]
export function findCommand(name: string): string | undefined
export function isInstalled(peer: Peer): boolean
