// The attacks of README.md, by the real programs: `PYTHON=… node --test run.mjs`.

import assert from 'node:assert/strict'
import { promises } from 'node:dns'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

// In an application: 'hostbound'.
import { Policy } from '../../../bindings/node/dist/index.node.js'
import { dnsServer } from '../../../bindings/node/test/support/dns.mjs'
import { attackTests, guardedProxies, honestTests, refusedTests } from '../support/attacks.mjs'
import { programsIn, PYTHON } from '../support/programs.mjs'
import { header, listening, send, thief } from '../support/wire.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const [LEDGER, ATTACKER] = ['127.0.0.2', '127.0.0.3']
const LEDGER_KEY = 'published-test-key-of-the-office-0123456'

const programs = programsIn(HERE)
const servers = []
/** What DNS says now. */
const zone = { 'ledger.internal': LEDGER, 'evil.test': ATTACKER }
const stands = { bare: undefined, guarded: undefined, counts: undefined }
const bank = { waiting: [], isHeld: false, onTwo: () => {} }
let client
let dns

before(async () => {
  dns = await dnsServer(undefined, (name, type) => (type === 'A' && zone[name] !== undefined ? [{ type, data: zone[name] }] : []))
  const { port: bankPort, server } = await listening(createServer(carryOut), '127.0.0.1')
  const environment = { CLIENT_RECIPE: 'host_nonce', CLIENT_ID: 'office', CLIENT_KEY: LEDGER_KEY, CLIENT_DNS: dns.server }
  const [port, clientPort] = await Promise.all([
    programs.start(PYTHON, ['app.py'], { LEDGER_ADDRESS: LEDGER, LEDGER_KEY, BANK_URL: `http://127.0.0.1:${bankPort}` }),
    programs.start(PYTHON, ['../support/client.py'], environment),
  ])
  client = clientPort
  const ledger = { address: LEDGER, port }
  const policyFor = ({ ledger }) => Policy.fromToml(readFileSync(`${HERE}hostbound.toml`, 'utf8').replaceAll(':8000', `:${ledger.port}`))
  const { proxies, counts } = await guardedProxies({ ledger }, { policyFor, secrets: { LEDGER_KEY } })
  // The attacker has a service of its own on the ledger's port, and one on another.
  const stand = async ({ ledger }) => ({ ledger, thief: await thief(ATTACKER, ledger.port), other: await thief(ATTACKER) })
  Object.assign(stands, { bare: await stand({ ledger }), guarded: await stand(proxies), counts })
  for (const { thief, other } of [stands.bare, stands.guarded]) servers.push(thief.server, other.server)
  servers.push(server, proxies.ledger.server)
})

after(async () => {
  await programs.end()
  for (const server of servers) server.close()
  dns.close()
})

honestTests(stands, [
  { name: 'a payment', done: 'paid bob 1', ask: (stand) => ask(stand, { method: 'POST', path: '/payments', body: 'bob 1' }) },
  { name: 'the same payment again', done: 'paid bob 1', ask: (stand) => ask(stand, { method: 'POST', path: '/payments', body: 'bob 1' }) },
  { name: 'a query', done: 'payments of 2025', ask: (stand) => ask(stand, { path: '/payments?year=2025' }) },
  { name: 'lines', done: "wrote 'rent': due\nsoon", ask: (stand) => ask(stand, { method: 'PUT', path: '/memos/rent', body: 'due\nsoon' }) },
])

attackTests(stands, [
  {
    name: 'rebinding, by a program',
    done: /^paid mallory 2$/,
    reason: 'host_not_allowed',
    attack: async (stand) => [await rebound(stand, await capture(stand, { name: 'evil.test', method: 'POST', path: '/payments', body: 'mallory 2' }))],
  },
  {
    name: 'rebinding, by a page in a browser',
    done: /^paid mallory 3$/,
    reason: 'host_not_allowed',
    attack: async (stand) => {
      const taken = await capture(stand, { name: 'evil.test', method: 'POST', path: '/payments', body: 'mallory 3' })
      const origin = `http://${header(taken, 'host')}`
      const page = { origin, referer: `${origin}/`, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
      return [await rebound(stand, taken, page)]
    },
  },
  {
    name: "host swapped: the attacker's behind X-Forwarded-Host",
    done: /^paid mallory 4$/,
    reason: 'signature_mismatch',
    attack: async (stand) => {
      const taken = await capture(stand, { name: 'evil.test', method: 'POST', path: '/payments', body: 'mallory 4' })
      return [await send(stand.ledger, taken, { headers: { host: `ledger.internal:${stand.ledger.port}`, 'x-forwarded-host': header(taken, 'host') } })]
    },
  },
  {
    name: 'host swapped: signed for another port',
    done: /^paid mallory 5$/,
    reason: 'host_not_allowed',
    attack: async (stand) => [await send(stand.ledger, await capture(stand, { to: stand.other, method: 'POST', path: '/payments', body: 'mallory 5' }))],
  },
  {
    name: 'replayed, with the host in capitals',
    done: /^paid bob 6$/,
    reason: 'nonce_replayed',
    attack: async (stand) => {
      const taken = await capture(stand, { method: 'POST', path: '/payments', body: 'bob 6' })
      return [await send(stand.ledger, taken), await send(stand.ledger, taken, { headers: { host: header(taken, 'host').toUpperCase() } })]
    },
  },
  {
    name: 'replayed, two at once',
    done: /^paid bob 7$/,
    reason: 'nonce_replayed',
    attack: async (stand) => {
      const taken = await capture(stand, { method: 'POST', path: '/payments', body: 'bob 7' })
      const two = hold()
      const answers = [send(stand.ledger, taken), send(stand.ledger, taken)]
      await Promise.race([two, ...answers])
      release()
      return Promise.all(answers)
    },
  },
  {
    name: 'delivered an hour later',
    done: /^paid bob 8$/,
    reason: 'signature_expired',
    attack: async (stand) => [await send(stand.ledger, await capture(stand, { method: 'POST', path: '/payments', body: 'bob 8', ago: 3600 }))],
  },
  {
    name: 'newline moved, `%0A` in the path',
    done: /^wrote 'rent\\n\d+\\n[\w-]{32}': pay mallory$/,
    reason: 'route_not_allowed',
    attack: async (stand) => {
      // `…/memos/rent` T NONCE, NOW OWN `pay mallory` reads in two ways.
      const [now, own] = [String(Math.floor(Date.now() / 1000)), `chosen-by-mallory-${stand.ledger.port}`]
      const taken = await capture(stand, { method: 'PUT', path: '/memos/rent', body: `${now}\n${own}\npay mallory` })
      const target = `/memos/rent%0A${header(taken, 'x-timestamp')}%0A${header(taken, 'x-nonce')}`
      return [await send(stand.ledger, taken, { target, headers: { 'x-timestamp': now, 'x-nonce': own }, body: 'pay mallory' })]
    },
  },
])

refusedTests(stands, [
  { name: 'another body', reason: 'signature_mismatch', attack: async (stand) => send(stand.ledger, await capture(stand, { method: 'POST', path: '/payments', body: 'bob 9' }), { body: 'mallory 9' }) },
  { name: 'another query', reason: 'signature_mismatch', attack: async (stand) => send(stand.ledger, await capture(stand, { path: '/payments?year=2025' }), { target: '/payments?year=2026' }) },
  {
    name: 'replayed as it was',
    reason: 'nonce_replayed',
    attack: async (stand) => {
      const taken = await capture(stand, { path: '/payments' })
      assert.equal((await send(stand.ledger, taken)).status, 200)
      return send(stand.ledger, taken)
    },
  },
  {
    name: 'no signature',
    reason: 'signature_missing',
    attack: (stand) => send(stand.ledger, { method: 'GET', target: '/payments', headers: ['host', `ledger.internal:${stand.ledger.port}`], body: '' }),
  },
])

/** What the client says of the answer that it got. */
async function ask(stand, { name = 'ledger.internal', to = stand.ledger, method = 'GET', path, ...more }) {
  const told = { method, url: `http://${name}:${to.port}${path}`, ...more }
  const answer = await fetch(`http://127.0.0.1:${client}/`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(told) })
  return answer.json()
}

/** A request of the client as the attacker gets it: for its own name, or for the ledger's by a poisoned cache. */
async function capture(stand, request) {
  const { to = stand.thief } = request
  zone['ledger.internal'] = ATTACKER
  const answer = await ask(stand, { ...request, to })
  zone['ledger.internal'] = LEDGER
  assert.deepEqual(answer, { status: 200, text: 'thanks' })
  return to.taken.pop()
}

/** Sends to `evil.test`, which now leads to the ledger. */
async function rebound(stand, taken, headers = {}) {
  zone['evil.test'] = LEDGER
  const resolver = new promises.Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([dns.server])
  const [address] = await resolver.resolve4('evil.test')
  zone['evil.test'] = ATTACKER
  return send({ address, port: stand.ledger.port }, taken, { headers })
}

/** The bank: it carries out a payment when it is not held. */
function carryOut(request, response) {
  request.resume()
  bank.waiting.push(() => response.end('done'))
  if (!bank.isHeld) release()
  else if (bank.waiting.length === 2) bank.onTwo()
}

/** Holds the bank; done when two payments wait. */
function hold() {
  bank.isHeld = true
  return new Promise((resolve) => (bank.onTwo = resolve))
}

function release() {
  bank.isHeld = false
  for (const answer of bank.waiting.splice(0)) answer()
}
