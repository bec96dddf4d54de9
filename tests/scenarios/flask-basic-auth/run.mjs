// The story of README.md, told by the real programs: `PYTHON=… node --test run.mjs`.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before, beforeEach } from 'node:test'
import { fileURLToPath } from 'node:url'

import { dnsServer } from '../../../bindings/node/test/support/dns.mjs'
import { programsIn, PYTHON } from '../support/programs.mjs'

const [BACKEND, ATTACKER] = ['127.0.0.2', '127.0.0.3']
const PASSWORD = 'correct horse battery staple'
const BASIC = `Basic ${Buffer.from(`shop:${PASSWORD}`).toString('base64')}`

const folder = mkdtempSync(join(tmpdir(), 'hostbound-scenario-'))
const programs = programsIn(fileURLToPath(new URL('.', import.meta.url)))
const closers = []
/** By address: what reached the server there. */
const seen = { [BACKEND]: { connections: 0, credentials: [] }, [ATTACKER]: { connections: 0, credentials: [] } }
/** What DNS says of `orders.internal` now. */
let answer = [BACKEND]
let bare
let guarded

before(async () => {
  const port = await listen(ATTACKER, await listen(BACKEND, 0))
  const dns = await dnsServer(undefined, (name, type) => (type === 'A' ? answer.map((data) => ({ type, data })) : []))
  closers.push(() => dns.close())
  const origin = `http://orders.internal:${port}`
  const policy = join(folder, 'hostbound.toml')
  writeFileSync(policy, `version = 1
[hosts]
allow = ["localhost"]
[egress]
allow = ["${origin}"]
addresses = ["${BACKEND}/32"]
credentials = { "${origin}" = ["authorization"] }
`)
  const forwarder = await programs.start(process.execPath, ['forwarder.mjs', policy, origin, dns.server])
  const env = { ORDERS_URL: origin, ORDERS_DNS: dns.server, ORDERS_PASSWORD: PASSWORD }
  bare = await programs.start(PYTHON, ['app.py'], env)
  guarded = await programs.start(PYTHON, ['app.py'], { ...env, ORDERS_VIA: `http://127.0.0.1:${forwarder}` })
})

after(async () => {
  await programs.end()
  for (const close of closers) close()
  rmSync(folder, { recursive: true })
})

beforeEach(() => {
  answer = [BACKEND]
  for (const record of Object.values(seen)) Object.assign(record, { connections: 0, credentials: [] })
})

test('both reach the backend while DNS is honest', async (t) => {
  for (const port of [bare, guarded]) assert.deepEqual(await shop(port), { status: 200, text: `orders at ${BACKEND}` })
  assert.deepEqual(seen[BACKEND].credentials, [BASIC, BASIC])
  assert.equal(seen[ATTACKER].connections, 0)
  t.diagnostic(`honest DNS: both shops show the orders of ${BACKEND}`)
})

test('bare, the attacker gets the password', async (t) => {
  answer = [ATTACKER]
  assert.deepEqual(await shop(bare), { status: 200, text: `orders at ${ATTACKER}` })
  assert.deepEqual(seen[ATTACKER].credentials, [BASIC])
  t.diagnostic(`poisoned DNS, bare: ${ATTACKER} got Authorization: ${BASIC.slice(0, 14)}…, and its orders are shown`)
})

test('through Hostbound, the attacker gets nothing', async (t) => {
  answer = [ATTACKER]
  const { status, text } = await shop(guarded)
  const { decision, reason, rule, detail } = JSON.parse(text)
  assert.deepEqual([status, decision, reason, rule], [502, 'deny', 'address_not_allowed', 'egress.addresses'])
  assert.deepEqual(seen[ATTACKER], { connections: 0, credentials: [] })
  t.diagnostic(`poisoned DNS, Hostbound: ${reason} (${rule}): ${detail}; ${ATTACKER} got no connection`)
})

test('through Hostbound, one poisoned address among good ones refuses the name', async () => {
  answer = [BACKEND, ATTACKER]
  const { status, text } = await shop(guarded)
  assert.deepEqual([status, JSON.parse(text).reason], [502, 'address_not_allowed'])
  assert.deepEqual([seen[BACKEND].connections, seen[ATTACKER].connections], [0, 0])
})

/** A server that calls itself `orders`. Connections end with their answer, so that every request is looked up. */
async function listen(address, port) {
  const server = createServer((request, response) => {
    seen[address].credentials.push(request.headers.authorization)
    response.writeHead(200, { connection: 'close' }).end(`orders at ${address}`)
  })
  server.on('connection', () => (seen[address].connections += 1))
  server.listen(port, address)
  await once(server, 'listening')
  closers.push(() => server.close())
  return server.address().port
}

async function shop(port) {
  const response = await fetch(`http://127.0.0.1:${port}/`)
  return { status: response.status, text: await response.text() }
}
