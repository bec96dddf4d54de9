// The attacks of README.md, by the real programs: `PYTHON=… node --test run.mjs`.

import assert from 'node:assert/strict'
import { promises } from 'node:dns'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

// In an application: 'hostbound/egress'.
import { EgressError, hostboundEgress } from '../../../bindings/node/dist/egress.js'
import { dnsServer } from '../../../bindings/node/test/support/dns.mjs'
import { attackTests, guardedProxies, honestTests, refusedTests } from '../support/attacks.mjs'
import { programsIn, PYTHON } from '../support/programs.mjs'
import { header, listening, send, text, thief } from '../support/wire.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const [ORDERS, ARCHIVE, ATTACKER] = ['127.0.0.2', '127.0.0.4', '127.0.0.3']
const SECRETS = { SHOP_KEY: 'published-test-key-of-the-shop-0123456789', AUDIT_KEY: 'published-test-key-of-audit-0123456789ab' }
const DAY = 24 * 60 * 60

const folder = mkdtempSync(join(tmpdir(), 'hostbound-scenario-'))
const programs = programsIn(HERE)
const servers = []
/** What DNS says now. */
const zone = { 'orders.internal': ORDERS, 'archive.internal': ARCHIVE }
const stands = { bare: undefined, guarded: undefined, counts: undefined }
const clients = { shop: undefined, audit: undefined }
let dns

before(async () => {
  dns = await dnsServer(undefined, (name, type) => (type === 'A' && zone[name] !== undefined ? [{ type, data: zone[name] }] : []))
  const app = async (name, address) => ({ address, port: await programs.start(PYTHON, ['app.py'], { APP_NAME: name, APP_ADDRESS: address, ...SECRETS }) })
  const client = (id) => programs.start(PYTHON, ['../support/client.py'], { CLIENT_RECIPE: 'service_scoped', CLIENT_ID: id, CLIENT_KEY: SECRETS[`${id.toUpperCase()}_KEY`], CLIENT_DNS: dns.server })
  const [orders, archive, shop, audit] = await Promise.all([app('orders', ORDERS), app('archive', ARCHIVE), client('shop'), client('audit')])
  Object.assign(clients, { shop, audit })
  const { proxies, counts } = await guardedProxies({ orders, archive }, { policyFor: () => `${HERE}hostbound.toml`, secrets: SECRETS })
  servers.push(...Object.values(proxies).map(({ server }) => server))
  const stand = async (services) => ({ ...services, thief: await thief(ATTACKER, services.orders.port) })
  Object.assign(stands, { bare: await stand({ orders, archive }), guarded: await stand(proxies), counts })
  servers.push(stands.bare.thief.server, stands.guarded.thief.server)
})

after(async () => {
  await programs.end()
  for (const server of servers) server.close()
  dns.close()
  rmSync(folder, { recursive: true })
})

honestTests(stands, [
  { name: 'the shop orders', done: 'orders: ordered 3 lamps', ask: (stand) => ask(stand, { method: 'POST', path: '/orders', body: '3 lamps' }) },
  { name: 'the shop reads its orders', done: 'orders: the orders of shop', ask: (stand) => ask(stand, { path: '/orders' }) },
  { name: 'the shop leaves a note', done: 'orders: wrote memo: ring | twice', ask: (stand) => ask(stand, { method: 'PUT', path: '/notes/memo', body: 'ring | twice' }) },
  { name: 'the auditors read the archive', done: 'archive: the orders of audit', ask: (stand) => ask(stand, { client: 'audit', service: 'archive', path: '/orders' }) },
])

attackTests(stands, [
  {
    name: 'delivered to another service',
    done: /^archive: ordered 4 lamps$/,
    reason: 'signature_service_mismatch',
    attack: async (stand) => [await send(stand.archive, await capture(stand, { method: 'POST', path: '/orders', body: '4 lamps' }), { headers: { host: `archive.internal:${stand.archive.port}` } })],
  },
  {
    name: "delivered under the attacker's name",
    done: /^orders: ordered 5 lamps$/,
    reason: 'host_not_allowed',
    attack: async (stand) => [await send(stand.orders, await capture(stand, { method: 'POST', path: '/orders', body: '5 lamps' }), { headers: { host: 'evil.test' } })],
  },
  {
    name: 'delivered twice, a write',
    done: /^orders: ordered 6 lamps$/,
    reason: 'nonce_replayed',
    attack: async (stand) => twice(stand, await capture(stand, { method: 'POST', path: '/orders', body: '6 lamps' })),
  },
  {
    name: 'delivered twice, a read',
    done: /^orders: diary says: $/,
    reason: 'nonce_replayed',
    attack: async (stand) => twice(stand, await capture(stand, { path: '/notes/diary' })),
  },
  {
    name: 'delivered an hour later',
    done: /^orders: ordered 7 lamps$/,
    reason: 'signature_expired',
    attack: async (stand) => [await send(stand.orders, await capture(stand, { method: 'POST', path: '/orders', body: '7 lamps', ago: 3600 }))],
  },
  {
    name: 'delimiter moved, `|` in the path',
    done: /^orders: wrote memo\|\d+: pay mallory$/,
    reason: 'signature_malformed',
    attack: (stand) => shifted(stand, { bar: '|', later: 0 }),
  },
  {
    name: 'delimiter moved, `%7C` in the path',
    done: /^orders: wrote memo\|\d+: pay mallory$/,
    reason: 'signature_mismatch',
    attack: (stand) => shifted(stand, { bar: '%7C', later: 0 }),
  },
  {
    name: 'delimiter moved, with a timestamp of tomorrow',
    done: /^orders: wrote memo\|\d+: pay mallory$/,
    reason: 'signature_not_yet_valid',
    attack: (stand) => shifted(stand, { bar: '%7C', later: DAY - 60 }),
  },
  {
    name: 'a query added',
    done: /^orders: the orders of audit$/,
    reason: 'signature_mismatch',
    attack: async (stand) => [await send(stand.orders, await capture(stand, { path: '/orders' }), { target: '/orders?account=audit' })],
  },
])

refusedTests(stands, [
  { name: 'another body', reason: 'signature_mismatch', attack: async (stand) => send(stand.orders, await capture(stand, { method: 'POST', path: '/orders', body: '8 lamps' }), { body: '9 lamps' }) },
  { name: 'another caller', reason: 'signature_service_mismatch', attack: async (stand) => send(stand.orders, await capture(stand, { path: '/orders' }), { headers: { 'x-service-id': 'audit' } }) },
  {
    name: 'no signature',
    reason: 'signature_missing',
    attack: (stand) => send(stand.orders, { method: 'GET', target: '/orders', headers: ['host', `orders.internal:${stand.orders.port}`], body: '' }),
  },
])

test('relayed at once, unaltered: only the client can see that, through hostbound/egress', async (t) => {
  const stand = stands.guarded
  const relayed = await capture(stand, { method: 'POST', path: '/orders', body: '10 lamps' })
  assert.deepEqual(await send(stand.orders, relayed), { status: 200, text: 'orders: ordered 10 lamps' })

  const via = await forwarder(stand.orders.port)
  const order = { via, method: 'POST', path: '/orders', body: '11 lamps' }
  assert.deepEqual(await ask(stand, order), { status: 200, text: 'orders: ordered 11 lamps' })
  zone['orders.internal'] = ATTACKER
  const { status, text } = await ask(stand, { ...order, body: '12 lamps' })
  zone['orders.internal'] = ORDERS
  assert.deepEqual([status, text, stand.thief.taken], [502, 'address_not_allowed', []])
  t.diagnostic(`poisoned, through hostbound/egress: ${text}; the attacker gets nothing`)
})

/** What the client says of the answer that it got. */
async function ask(stand, { client = 'shop', service = 'orders', method = 'GET', path, ...more }) {
  const url = `http://${service}.internal:${stand[service].port}${path}`
  const answer = await fetch(`http://127.0.0.1:${clients[client]}/`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ method, url, ...more }) })
  return answer.json()
}

/** A request of the shop as the attacker gets it, who has poisoned the cache. */
async function capture(stand, request) {
  zone['orders.internal'] = ATTACKER
  const answer = await ask(stand, request)
  zone['orders.internal'] = ORDERS
  assert.deepEqual(answer, { status: 200, text: 'thanks' })
  return stand.thief.taken.pop()
}

async function twice(stand, taken) {
  return [await send(stand.orders, taken), await send(stand.orders, taken)]
}

/** Of a note that somebody had the shop leave, another note: `…|/notes/memo|T|LATER|pay mallory` reads in two ways. */
async function shifted(stand, { bar, later }) {
  const timestamp = String(Math.floor(Date.now() / 1000) + later)
  const taken = await capture(stand, { method: 'PUT', path: '/notes/memo', body: `${timestamp}|pay mallory` })
  const target = `/notes/memo${bar}${header(taken, 'x-timestamp')}`
  return [await send(stand.orders, taken, { target, headers: { 'x-timestamp': timestamp }, body: 'pay mallory' })]
}

/** Hands requests for `orders.internal` to Hostbound, which resolves the name as the shop does. */
async function forwarder(port) {
  const origin = `http://orders.internal:${port}`
  const policy = join(folder, 'shop.toml')
  writeFileSync(policy, readFileSync(`${HERE}shop.toml`, 'utf8').replaceAll('http://orders.internal:8000', origin))
  const resolver = new promises.Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([dns.server])
  const egress = await hostboundEgress({ policy, resolver, log: false })
  const signed = ['x-signature', 'x-timestamp', 'x-service-id']
  const server = createServer(async (request, response) => {
    const headers = signed.map((name) => [name, request.headers[name]])
    try {
      const answer = await egress.fetch(origin + request.url, { method: request.method, headers, body: await text(request) })
      response.writeHead(answer.status).end(await answer.text())
    } catch (error) {
      response.writeHead(502).end(error instanceof EgressError ? error.reason : String(error))
    }
  })
  servers.push(server)
  return `http://127.0.0.1:${(await listening(server, '127.0.0.1')).port}`
}
