// What outbound requests meet in the tests: servers on several loopback addresses that say what reached them.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { promises } from 'node:dns'

import { hostboundEgress } from 'hostbound/egress'

/**
 * The same service on each of the addresses, all on one port. `seen` has, by address, the number of connections and what was
 * asked for.
 */
export async function services(t, addresses, listener = (request, response) => response.end(`${request.headers.host}${request.url}`), make = createServer) {
  const seen = {}
  let port = 0
  for (const address of addresses) {
    const record = { connections: 0, requests: [] }
    seen[address] = record
    const server = make((request, response) => {
      record.requests.push({ method: request.method, url: request.url, headers: request.headers })
      listener(request, response)
    })
    server.on('connection', () => (record.connections += 1))
    server.listen(port, address)
    await once(server, 'listening')
    port = server.address().port
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
  }
  return { port, seen, connections: () => Object.fromEntries(Object.entries(seen).map(([address, { connections }]) => [address, connections])) }
}

/** An egress guard whose log is a list of objects. */
export async function guarded(t, policy, options = {}) {
  const log = []
  const document = typeof policy === 'string' || policy.version ? policy : { version: 1, hosts: { allow: ['localhost'] }, egress: policy }
  const egress = await hostboundEgress({ policy: document, log: (line) => log.push(JSON.parse(line)), timeout: 3000, ...options })
  t.after(() => egress.close())
  return { egress, log }
}

/** A resolver that asks one server on loopback, once. */
export function resolverAt(server) {
  const resolver = new promises.Resolver({ timeout: 150, tries: 1 })
  resolver.setServers([server])
  return resolver
}

/** How a refusal looks. */
export function refusal(reason) {
  return (error) => {
    if (error.code === 'HOSTBOUND_EGRESS' && error.reason === reason && error instanceof Error) return true
    throw new Error(`wanted ${reason}`, { cause: error })
  }
}
