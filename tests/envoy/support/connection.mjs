// A connection to a listener: over its Unix socket, first the word of who the peer is, then TLS where the listener wants it.

import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'

import { proxyHeader } from './proxy_protocol.mjs'

/** Without a peer, or with `unix`, the socket itself is the peer. `protocol` is of ALPN. */
export async function connected({ path, tls }, peer, protocol) {
  // What breaks shows as a close.
  const socket = connect(path).on('error', () => {})
  await once(socket, 'connect')
  if (peer !== undefined && peer !== 'unix') socket.write(proxyHeader(peer))
  if (!tls) return socket
  const secure = connectTls({ socket, ALPNProtocols: [protocol], rejectUnauthorized: false }).on('error', () => {})
  await once(secure, 'secureConnect')
  return secure
}
