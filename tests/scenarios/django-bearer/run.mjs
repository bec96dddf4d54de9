// The attacks of README.md, by the real programs: `PYTHON=… node --test run.mjs`.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as start } from 'node:https'
import { after, before, mock } from 'node:test'
import { fileURLToPath } from 'node:url'

import { certificates } from '../../../bindings/node/test/support/ca.mjs'
import { dnsServer } from '../../../bindings/node/test/support/dns.mjs'
import { attackTests, guardedProxies, honestTests, keyFetching, refusedTests } from '../support/attacks.mjs'
import { programsIn, PYTHON } from '../support/programs.mjs'
import { header, listening, send, text, thief } from '../support/wire.mjs'
import { authorizationServer } from './authorization.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const [INVOICES, ATTACKER, AUTHORIZATION] = ['127.0.0.2', '127.0.0.3', '127.0.0.5']
const INTROSPECTION_SECRET = 'published-test-secret-of-invoices-0123456789'
const [MINUTE, YEAR] = [60, 365 * 24 * 60 * 60]
const CLIENTS = {
  invoices: { secret: INTROSPECTION_SECRET },
  office: { secret: 'published-test-secret-of-the-office', username: 'olga', scope: 'read write', lifetime: 10 * MINUTE },
  auditor: { secret: 'published-test-secret-of-the-auditor', username: 'anna', scope: 'read', lifetime: 10 * MINUTE },
  nightly: { secret: 'published-test-secret-of-the-night', username: 'nightly', scope: 'read write', lifetime: 10 * YEAR },
}

const made = certificates({ after })
const programs = programsIn(HERE)
const servers = []
const stands = { bare: undefined, guarded: undefined, counts: undefined }
let authorization
let dns

before(async () => {
  made.authority('ca')
  made.issue('auth', 'ca', `DNS:auth.internal,IP:${AUTHORIZATION}`)
  const tls = { key: made.read('auth.key'), cert: made.read('auth.pem') }
  authorization = await listening(authorizationServer({ issuer: 'https://auth.internal/', clients: CLIENTS, tls }), AUTHORIZATION)
  dns = await dnsServer(undefined, (name, type) => (type === 'A' && name === 'auth.internal' ? [{ type, data: AUTHORIZATION }] : []))
  const environment = {
    APP_ADDRESS: INVOICES,
    INTROSPECTION_URL: `https://${AUTHORIZATION}:${authorization.port}/introspect`,
    INTROSPECTION_CA: made.path('ca.pem'),
    INTROSPECTION_SECRET,
  }
  const invoices = { address: INVOICES, port: await programs.start(PYTHON, ['app.py'], environment) }
  // Of the attacker, a service of its own, which has clients with tokens for it.
  const weather = await thief(ATTACKER)
  servers.push(authorization.server, weather.server)
  stands.bare = { invoices, weather }
  await guard({ invoices, weather })
})

after(async () => {
  await programs.end()
  for (const server of servers) server.close()
  dns.close()
})

honestTests(stands, [
  { name: 'a payment', done: 'olga paid bob 1', ask: async (stand) => send(stand.invoices, payment(await issued('office'), 'bob 1')) },
  { name: 'the invoices', done: 'the invoices, for anna', ask: async (stand) => send(stand.invoices, reading(await issued('auditor'))) },
])

attackTests(stands, [
  {
    name: 'revoked, half a minute after it was used',
    done: /^olga paid mallory 2$/,
    reason: 'token_inactive',
    attack: async (stand) => {
      const token = await issued('office')
      const used = await send(stand.invoices, reading(token))
      await revoke(token)
      return [used, await later(31, () => send(stand.invoices, payment(token, 'mallory 2')))]
    },
  },
  {
    name: 'expired, an hour after it was used',
    done: /^olga paid mallory 3$/,
    reason: 'token_inactive',
    attack: async (stand) => {
      const token = await issued('office')
      const used = await send(stand.invoices, reading(token))
      return [used, await later(60 * MINUTE, () => send(stand.invoices, payment(token, 'mallory 3')))]
    },
  },
  {
    name: 'revoked, never used',
    done: /^the invoices, for somebody$/,
    reason: 'token_inactive',
    attack: async (stand) => {
      const token = await issued('office')
      await revoke(token)
      return [await send(stand.invoices, reading(token))]
    },
  },
  {
    name: 'made up',
    done: /^the invoices, for somebody$/,
    reason: 'token_inactive',
    attack: async (stand) => [await send(stand.invoices, reading('let-me-in'))],
  },
  {
    name: 'for another audience',
    done: /^olga paid mallory 4$/,
    reason: 'audience_mismatch',
    attack: async (stand) => {
      await send(stand.weather, { ...reading(await issued('office', 'https://weather.test')), target: '/today' })
      const token = header(stand.weather.taken.pop(), 'authorization').replace('Bearer ', '')
      return [await send(stand.invoices, payment(token, 'mallory 4'))]
    },
  },
  {
    name: 'good for ten years',
    done: /^nightly paid mallory 5$/,
    reason: 'token_lifetime_too_long',
    attack: async (stand) => [await send(stand.invoices, payment(await issued('nightly'), 'mallory 5'))],
  },
])

refusedTests(stands, [
  { name: 'no token', reason: 'token_missing', attack: (stand) => send(stand.invoices, asking('GET', '/invoices')) },
  { name: 'a password', reason: 'token_missing', attack: (stand) => send(stand.invoices, asking('GET', '/invoices', `Basic ${btoa('olga:olga')}`)) },
  { name: 'a token to read, for a payment', status: 403, reason: 'scope_insufficient', attack: async (stand) => send(stand.invoices, payment(await issued('auditor'), 'mallory 6')) },
])

/** Puts Hostbound before the service, by hostbound.toml with the port that the authorization server has got. */
async function guard({ invoices, weather }) {
  const policy = made.path('hostbound.toml')
  writeFileSync(policy, readFileSync(`${HERE}hostbound.toml`, 'utf8').replaceAll(':8443', `:${authorization.port}`))
  const { proxies, counts } = await guardedProxies({ invoices }, { policyFor: () => policy, secrets: { INTROSPECTION_SECRET }, ...keyFetching(dns) })
  servers.push(proxies.invoices.server)
  Object.assign(stands, { guarded: { invoices: proxies.invoices, weather }, counts })
}

function payment(token, body) {
  return asking('POST', '/payments', `Bearer ${token}`, body)
}

function reading(token) {
  return asking('GET', '/invoices', `Bearer ${token}`)
}

/** A request as `send` takes it. */
function asking(method, target, authorization, body = '') {
  const credentials = authorization === undefined ? [] : ['authorization', authorization]
  return { method, target, headers: ['host', 'invoices.internal', ...credentials], body }
}

/** A token for a client, by the authorization server. */
async function issued(client, resource = 'https://invoices.internal') {
  return (await post('/token', client, { grant_type: 'client_credentials', resource })).access_token
}

function revoke(token) {
  return post('/revoke', 'office', { token })
}

async function post(path, client, form) {
  const { address, port } = authorization
  const sent = start({ host: address, port, servername: 'auth.internal', ca: made.read('ca.pem'), method: 'POST', path, auth: `${client}:${CLIENTS[client].secret}`, agent: false })
  sent.end(new URLSearchParams(form).toString())
  const [answer] = await once(sent, 'response')
  return JSON.parse(await text(answer))
}

/** Does something when the clock of the guard and of the authorization server has gone on: without the wait. */
async function later(seconds, act) {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + seconds * 1000 })
  try {
    return await act()
  } finally {
    mock.timers.reset()
  }
}
