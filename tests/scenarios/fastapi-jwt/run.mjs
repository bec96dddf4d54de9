// The attacks of README.md, by the real programs: `PYTHON=… node --test run.mjs`.

import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'

import { certificates } from '../../../bindings/node/test/support/ca.mjs'
import { dnsServer } from '../../../bindings/node/test/support/dns.mjs'
import { attackTests, guardedProxies, honestTests, keyFetching, refusedTests } from '../support/attacks.mjs'
import { programsIn, PYTHON } from '../support/programs.mjs'
import { header, listening, send, thief } from '../support/wire.mjs'
import { issuerOf, keyServer } from './issuer.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const [ORDERS, AUTHORIZATION] = ['127.0.0.2', '127.0.0.5']
/** The attacker has two servers: one made its own certificate, the other was given one by the authority, for a name that led to it. */
const [SELF_MADE, CERTIFIED] = ['127.0.0.3', '127.0.0.4']
const [MINUTE, YEAR] = [60, 365 * 24 * 60 * 60]

const made = certificates({ after })
const programs = programsIn(HERE)
const closers = []
const honest = issuerOf('2026-11')
/** The attacker's own key, under the same name. */
const forger = issuerOf('2026-11')
/** What DNS says of `auth.internal` now. */
let answer = AUTHORIZATION
/** By what the guard has been told: the truth, or from its start one or the other of the attacker's addresses. */
const stands = { honest: stand(), selfMade: stand(), certified: stand() }

before(async () => {
  made.authority('ca')
  made.issue('auth', 'ca', 'DNS:auth.internal')
  made.issue('stolen', 'ca', 'DNS:auth.internal')
  made.authority('mallory')
  made.issue('forged', 'mallory', 'DNS:auth.internal')
  const port = await keysAt(AUTHORIZATION, honest, 'auth')
  await keysAt(SELF_MADE, forger, 'forged', port)
  await keysAt(CERTIFIED, forger, 'stolen', port)
  const dns = await dnsOf(() => answer)
  const environment = { APP_ADDRESS: ORDERS, APP_DNS: dns.server, JWKS_URL: `https://auth.internal:${port}/jwks.json` }
  const orders = { address: ORDERS, port: await programs.start(PYTHON, ['app.py'], environment) }
  // Of the attacker, a service of its own, which has clients with tokens for it.
  const weather = await thief(SELF_MADE)
  closers.push(() => weather.server.close())
  for (const stand of Object.values(stands)) stand.bare = { orders, weather }
  await guard(stands.honest, dns, port)
  await guard(stands.selfMade, await dnsOf(() => SELF_MADE), port)
  await guard(stands.certified, await dnsOf(() => CERTIFIED), port)
})

after(async () => {
  await programs.end()
  for (const close of closers) close()
})

honestTests(stands.honest, [
  { name: 'a shop reads its orders', done: 'the orders of shop', ask: (stand) => ask(stand, '/orders', honest.token(claims())) },
  { name: 'an admin reads the customers', done: 'all customers, for ada', ask: (stand) => ask(stand, '/customers', honest.token(claims({ sub: 'ada', scope: 'orders:read admin' }))) },
])

attackTests(stands.honest, [
  {
    name: 'for another audience',
    done: /^the orders of shop$/,
    reason: 'audience_mismatch',
    attack: async (stand) => {
      await send(stand.weather, asking('/today', honest.token(claims({ aud: 'https://weather.test' }))))
      const token = header(stand.weather.taken.pop(), 'authorization').replace('Bearer ', '')
      return [await ask(stand, '/orders', token)]
    },
  },
  {
    name: 'an ID token',
    done: /^the orders of shop$/,
    reason: 'token_type_not_allowed',
    attack: async (stand) => {
      const { scope, client_id, ...identity } = claims({ aud: 'weather', nonce: randomUUID() })
      return [await ask(stand, '/orders', honest.token(identity, { typ: 'JWT' }))]
    },
  },
  {
    name: 'good for ten years',
    done: /^the orders of shop$/,
    reason: 'token_lifetime_too_long',
    attack: async (stand) => [await ask(stand, '/orders', honest.token(claims({}, { ago: 3 * YEAR, lifetime: 10 * YEAR })))],
  },
  {
    name: 'poisoned DNS, with the keys held: a forged token of an admin',
    done: /^all customers, for mallory$/,
    reason: 'token_signature_mismatch',
    attack: async (stand) => [await ask(stand, '/orders', honest.token(claims())), await poisoned(stand, SELF_MADE)],
  },
])

attackTests(stands.selfMade, [
  {
    name: 'poisoned DNS, from the start: a forged token of an admin',
    done: /^all customers, for mallory$/,
    reason: 'token_keys_unavailable',
    attack: async (stand) => [await poisoned(stand, SELF_MADE)],
  },
])

attackTests(stands.certified, [
  {
    name: 'poisoned DNS, from the start, with a certificate: a forged token of an admin',
    done: /^all customers, for mallory$/,
    reason: 'token_keys_unavailable',
    attack: async (stand) => [await poisoned(stand, CERTIFIED)],
  },
])

refusedTests(stands.honest, [
  { name: 'forged, while DNS is honest', reason: 'token_signature_mismatch', attack: (stand) => ask(stand, '/customers', forged()) },
  {
    name: 'HS256 with the public key for a secret',
    reason: 'token_algorithm_not_allowed',
    attack: (stand) => ask(stand, '/customers', honest.confusedToken(claims({ scope: 'orders:read admin' }))),
  },
  { name: 'expired', reason: 'token_expired', attack: (stand) => ask(stand, '/orders', honest.token(claims({}, { ago: 10 * MINUTE }))) },
  { name: 'no token', reason: 'token_missing', attack: (stand) => send(stand.orders, asking('/orders')) },
  { name: 'the customers, for a shop', status: 403, reason: 'scope_insufficient', attack: (stand) => ask(stand, '/customers', honest.token(claims())) },
])

function stand() {
  return { bare: undefined, guarded: undefined, counts: undefined }
}

/** Puts Hostbound before the service, by hostbound.toml with the port and the key of the authorization server. */
async function guard(stand, dns, port) {
  const policy = made.path('hostbound.toml')
  writeFileSync(policy, readFileSync(`${HERE}hostbound.toml`, 'utf8').replaceAll(':8443', `:${port}`).replace('THUMBPRINT', honest.thumbprint))
  const { orders, weather } = stand.bare
  const { proxies, counts } = await guardedProxies({ orders }, { policyFor: () => policy, secrets: {}, ...keyFetching(dns) })
  closers.push(() => proxies.orders.server.close())
  Object.assign(stand, { guarded: { orders: proxies.orders, weather }, counts })
}

/** A forged token, at a service that is told that `auth.internal` is the attacker. */
async function poisoned(stand, attacker) {
  answer = attacker
  try {
    return await ask(stand, '/customers', forged())
  } finally {
    answer = AUTHORIZATION
  }
}

function forged() {
  return forger.token(claims({ sub: 'mallory', scope: 'orders:read admin' }))
}

/** The claims of an access token (RFC 9068) for a shop, but for the changes. */
function claims(changes = {}, { ago = 0, lifetime = 5 * MINUTE } = {}) {
  const iat = Math.floor(Date.now() / 1000) - ago
  const who = { sub: 'shop', client_id: 'shop', scope: 'orders:read' }
  return { iss: 'https://auth.internal/', aud: 'https://orders.internal', jti: randomUUID(), iat, exp: iat + lifetime, ...who, ...changes }
}

async function ask(stand, target, token) {
  return send(stand.orders, asking(target, token))
}

/** A request as `send` takes it. */
function asking(target, token) {
  const credentials = token === undefined ? [] : ['authorization', `Bearer ${token}`]
  return { method: 'GET', target, headers: ['host', 'orders.internal', ...credentials], body: '' }
}

/** Shows the keys of an issuer, with a certificate for `auth.internal`; done with the port. */
async function keysAt(address, issuer, certificate, port = 0) {
  const tls = { key: made.read(`${certificate}.key`), cert: made.read(`${certificate}.pem`) }
  const { server, port: got } = await listening(keyServer(issuer, tls), address, port)
  closers.push(() => server.close())
  return got
}

async function dnsOf(address) {
  const dns = await dnsServer(undefined, (name, type) => (type === 'A' && name === 'auth.internal' ? [{ type, data: address() }] : []))
  closers.push(() => dns.close())
  return dns
}
