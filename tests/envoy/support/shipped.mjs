// The configurations in policies/envoy, as they are but for addresses and files.

import { readFileSync } from 'node:fs'

import { POLICIES } from './filter.mjs'

/** Where the upstream server of every shipped configuration is. */
const SERVER = 'socket_address: { address: 127.0.0.1, port_value: 3000 }'

/**
 * A shipped configuration before a server on a Unix socket, with its listener at a port of Envoy's choice on loopback. `places` says what stands for what;
 * nothing of it may be missing.
 */
export function shipped(name, { server, files, places = {} }) {
  let text = readFileSync(`${POLICIES}envoy/${name}`, 'utf8')
  const put = (from, to) => {
    const parts = text.split(from)
    if (parts.length === 1) throw new Error(`${name} has no \`${from}\``)
    text = parts.join(to)
  }
  const [, listener] = /^ {4}address: \{ (.*) \}$/m.exec(text)
  put(listener, 'socket_address: { address: 127.0.0.1, port_value: 0 }')
  if (server !== undefined) put(SERVER, `pipe: { path: ${server} }`)
  put('/etc/envoy', files)
  for (const [from, to] of Object.entries(places)) put(from, to)
  return text
}
