/** Networks and addresses, `10.0.0.0/8` or `192.0.2.7`, as lists in which an address is looked up. */

import { BlockList, isIPv6 } from 'node:net'

/** @throws Error of Node's for what is neither */
export function addNetwork(list: BlockList, cidr: string): void {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(cidr) ?? []
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (bits === undefined) list.addAddress(address, family)
  else list.addSubnet(address, Number(bits), family)
}

export function isListed(address: string, list: BlockList): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Who may connect over TCP, to the workers for requests and to the master for its numbers: this machine, and `--allow-from`. */
export function allowedPeers(cidrs: readonly string[]): BlockList {
  const allowed = new BlockList()
  for (const cidr of ['127.0.0.0/8', '::1', ...cidrs]) addNetwork(allowed, cidr)
  return allowed
}
