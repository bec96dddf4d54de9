// PROXY protocol, version 2: what says who the peer of a connection is.

import { isIPv4, isIPv6 } from 'node:net'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const PORT = 49_152

/** The bytes that go first on a connection from `peer`, an address as text. */
export function proxyHeader(peer) {
  const family = isIPv4(peer) ? 0x11 : 0x21
  const source = bytesOf(peer)
  const destination = Buffer.alloc(source.length, 1)
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(PORT, 0)
  ports.writeUInt16BE(443, 2)
  const addresses = Buffer.concat([source, destination, ports])
  const head = Buffer.from(`${SIGNATURE}21${family.toString(16)}0000`, 'hex')
  head.writeUInt16BE(addresses.length, 14)
  return Buffer.concat([head, addresses])
}

function bytesOf(peer) {
  if (isIPv4(peer)) return Buffer.from(peer.split('.').map(Number))
  if (!isIPv6(peer)) throw new Error(`\`${peer}\` is no address`)
  // The parser of URLs writes every group in hex, and IPv4 at the end too.
  const [before, after] = new URL(`http://[${peer}]`).hostname.slice(1, -1).split('::')
  const groups = (text) => (text ? text.split(':') : [])
  const zeros = Array(after === undefined ? 0 : 8 - groups(before).length - groups(after).length).fill('0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...groups(before), ...zeros, ...groups(after)].entries()) bytes.writeUInt16BE(parseInt(group, 16), 2 * index)
  return bytes
}
