/** Networks and addresses, `10.0.0.0/8` or `192.0.2.7`, as lists in which an address is looked up. */

import { BlockList } from 'node:net'

/** @throws Error of Node's for what is neither */
export function addNetwork(list: BlockList, cidr: string): void {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(cidr) ?? []
  if (bits === undefined) list.addAddress(address, familyOf(address))
  else list.addSubnet(address, Number(bits), familyOf(address))
}

export function isListed(address: string, list: BlockList): boolean {
  return list.check(address, familyOf(address))
}

/** Of what is an address: isIPv6 of Node compiles a regular expression for 15 ms when it is first asked. */
const familyOf = (address: string): 'ipv4' | 'ipv6' => (address.includes(':') ? 'ipv6' : 'ipv4')

/** Who may connect over TCP, to the workers for requests and to the master for its numbers: this machine, and `--allow-from`. */
export function allowedPeers(cidrs: readonly string[]): BlockList {
  const allowed = new BlockList()
  for (const cidr of ['127.0.0.0/8', '::1', ...cidrs]) addNetwork(allowed, cidr)
  return allowed
}
