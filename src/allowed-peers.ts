/** Who may connect over TCP, to the workers for requests and to the master for its numbers. */

import { BlockList, isIPv6 } from 'node:net'

/** This machine, and what `--allow-from` names. */
export function allowedPeers(cidrs: readonly string[]): BlockList {
  const allowed = new BlockList()
  allowed.addSubnet('127.0.0.0', 8, 'ipv4')
  allowed.addAddress('::1', 'ipv6')
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) allowed.addAddress(address, family)
    else allowed.addSubnet(address, Number(bits), family)
  }
  return allowed
}

export function mayConnect(peer: string, allowed: BlockList): boolean {
  return allowed.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4')
}
