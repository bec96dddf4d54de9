// Forwards every request to one service, through Hostbound: `node forwarder.mjs <policy> <origin> <resolver>`.

import { promises } from 'node:dns'
import { createServer } from 'node:http'

// In an application: 'hostbound/egress'.
import { EgressError, hostboundEgress } from '../../../bindings/node/dist/egress.js'

const [, , policy, origin, dns] = process.argv
const resolver = new promises.Resolver({ timeout: 2000, tries: 1 })
resolver.setServers([dns])
const egress = await hostboundEgress({ policy, resolver })

const server = createServer(async (request, response) => {
  const { method, url, headers: { authorization } } = request
  try {
    const answer = await egress.fetch(origin + url, { method, headers: authorization === undefined ? {} : { authorization } })
    response.writeHead(answer.status).end(await answer.text())
  } catch (error) {
    if (!(error instanceof EgressError)) throw error
    response.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify(error.verdict))
  }
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
