// A `Guard` alone, whose caller asks other servers: what is asked, and that no answer is taken for that about another request.

import assert from 'node:assert/strict'
import test from 'node:test'

import { Guard, isDenied, needsAnswer, Policy, reasonOf, statusOf } from 'hostbound'

import { coded, policyOf } from './support/policies.mjs'
import { claimsNow, newKey, tokenOf } from './support/tokens.mjs'

const KEY = newKey()
const NOW = claimsNow().iat
const ORIGIN = 'https://auth.example.com'
const COMMON = { issuer: 'https://auth.example/', audience: ['orders'] }
const KEYS = { algorithms: ['EdDSA'], types: ['at+jwt'], keys: { url: `${ORIGIN}/keys`, pins: 'none' } }
const OPAQUE = { introspection: { url: `${ORIGIN}/introspect`, client_id: 'a b', secret: { name: 'SECRET' } } }
const SECRETS = { SECRET: '12345678' }

const guardWith = async (section, options = {}) => {
  const egress = { allow: [ORIGIN], credentials: { [ORIGIN]: ['authorization'] } }
  const policy = await policyOf({ tokens: { access: { ...COMMON, ...section } }, egress, routes: [{ path: '/**', require: ['token:access'] }] })
  return new Guard(policy, { secrets: policy.secrets.length > 0 ? SECRETS : {}, ...options })
}

const request = (token, more = {}) => ({ method: 'GET', target: '/', headers: ['host', 'localhost', 'authorization', `Bearer ${token}`], now: NOW, ...more })
const answer = (body, more = {}) => ({ status: 200, contentType: 'application/json', body: new TextEncoder().encode(JSON.stringify(body)), ...more })
const active = (more = {}) => answer({ active: true, ...claimsNow(), ...more })

test('keys: the question, and what becomes of the answer', async () => {
  const guard = await guardWith(KEYS)
  const code = guard.inspect(request(tokenOf(KEY)))
  // Whoever does not know of questions denies.
  assert.deepEqual([needsAnswer(code), isDenied(code), statusOf(code), reasonOf(code)], [true, true, 500, null])
  const question = { section: 'access', url: `${ORIGIN}/keys`, authorization: null, body: null }
  assert.deepEqual([guard.question(), guard.question()], [question, question])
  assert.throws(() => guard.verdict(), coded('HOSTBOUND_REQUEST'))
  const nothing = { thumbprints: [], isNew: false, refreshAt: null }
  assert.deepEqual(guard.keepKeys('access', undefined, NOW), { error: 'no answer', ...nothing })
  assert.deepEqual([reasonOf(guard.judge(request(tokenOf(KEY)))), guard.clientHeader()], ['token_keys_unavailable', ['Retry-After', '30']])
  assert.equal(guard.question(), undefined)
  const kept = guard.keepKeys('access', answer(JSON.parse(KEY.keySet)), NOW + 40)
  assert.deepEqual({ ...kept, thumbprints: kept.thumbprints.length }, { error: null, thumbprints: 1, isNew: true, refreshAt: NOW + 340 })
  assert.equal(guard.judge(request(tokenOf(KEY), { now: NOW + 40 })), 0)
  // What cannot be used changes nothing.
  const refused = guard.keepKeys('access', answer({ keys: [] }), NOW + 60)
  assert.match(refused.error, /^a key set that may not be used/)
  assert.equal(refused.refreshAt, NOW + 90)
  assert.equal(guard.judge(request(tokenOf(KEY), { now: NOW + 61 })), 0)
  assert.deepEqual(guard.keepKeys('other', answer(JSON.parse(KEY.keySet))), { error: 'the policy has no such section', ...nothing })
})

test('`refreshing`: requests do with the keys that are held, and ask for no others', async () => {
  const guard = await guardWith(KEYS)
  const long = (now) => request(tokenOf(KEY, { exp: NOW + 9000 }), { now })
  guard.keepKeys('access', answer(JSON.parse(KEY.keySet)), NOW)
  assert.equal(needsAnswer(guard.judge(long(NOW + 600))), true)
  // Due after five minutes, until nobody is served by them; and if the clock went back, at once.
  assert.deepEqual([-61, -60, 0, 299, 300, 3599, 3600].map((after) => guard.isRefreshDue('access', NOW + after)), [true, false, false, false, true, true, false])
  assert.equal(guard.isRefreshDue('other', NOW + 600), false)
  guard.refreshing('access', NOW + 600)
  assert.equal(guard.isRefreshDue('access', NOW + 629), false)
  assert.equal(guard.judge(long(NOW + 601)), 0)
  assert.equal(reasonOf(guard.judge(request(tokenOf(newKey('other'), { exp: NOW + 9000 }), { now: NOW + 629 }))), 'token_key_unknown')
  assert.equal(needsAnswer(guard.judge(long(NOW + 630))), true)
  guard.refreshing('access', NOW + 3600)
  assert.equal(reasonOf(guard.judge(long(NOW + 3600))), 'token_keys_unavailable')
  guard.refreshing('other', NOW)
  ;(await guardOfNothing()).refreshing('access', NOW)
  assert.equal((await guardOfNothing()).isRefreshDue('access', NOW), false)
})

const guardOfNothing = async () => new Guard(await policyOf())

test('introspection: the question has the token and the credentials, and the answer goes into the request', async () => {
  const guard = await guardWith(OPAQUE)
  assert.equal(needsAnswer(guard.inspect(request('a+/~='))), true)
  assert.deepEqual(guard.question(), {
    section: 'access',
    url: `${ORIGIN}/introspect`,
    authorization: `Basic ${btoa('a%20b:12345678')}`,
    body: 'token=a%2B%2F%7E%3D&token_type_hint=access_token',
  })
  assert.equal(guard.judge(request('a+/~=', { introspection: active({ sub: 'ada' }) })), 0)
  assert.equal(guard.verdict().identity.token.subject, 'ada')
  // Kept, for 30 seconds.
  assert.equal(guard.judge(request('a+/~=', { now: NOW + 29 })), 0)
  assert.equal(needsAnswer(guard.judge(request('a+/~=', { now: NOW + 30 }))), true)
  for (const [found, reason] of [
    [null, 'token_keys_unavailable'],
    [answer({ active: false }), 'token_inactive'],
    [active({ aud: 'other' }), 'audience_mismatch'],
    [active({}), null],
    [answer({ active: 'true' }), 'token_keys_unavailable'],
    [{ ...active(), status: 401 }, 'token_keys_unavailable'],
    [{ ...active(), contentType: undefined }, 'token_keys_unavailable'],
    [{ ...active(), contentType: 'text/html' }, 'token_keys_unavailable'],
  ]) {
    assert.equal(reasonOf(guard.judge(request(`t-${reason}`, { introspection: found }))), reason)
  }
})

test('an answer counts for the request that it came with, whatever happens to that', async () => {
  const guard = await guardWith(OPAQUE)
  const asked = () => needsAnswer(guard.judge(request('other')))
  const good = { introspection: active({ sub: 'ada' }) }
  for (const [what, fails] of [
    ['a body that is none', () => guard.judge(request('one', { ...good, body: 5 }))],
    ['a body that is none, to be claimed', () => guard.claim(request('one', { ...good, body: 5 }))],
    ['an outcome that is none', () => guard.answer(request('one', good), { outcome: 5, epoch: 0 })],
    ['a peer that is none', () => guard.inspect(request('one', { ...good, peer: 5 }))],
    ['an answer without a body', () => guard.inspect(request('one', { introspection: { status: 200, contentType: 'application/json' } }))],
    ['an answer whose body is text', () => guard.inspect(request('one', { introspection: { ...good.introspection, body: '{"active":true}' } }))],
    ['an answer without a status', () => guard.inspect(request('one', { introspection: { ...good.introspection, status: undefined } }))],
    ['a status that is text', () => guard.inspect(request('one', { introspection: { ...good.introspection, status: '200' } }))],
    ['a status out of all bounds', () => guard.inspect(request('one', { introspection: { ...good.introspection, status: 65_736 } }))],
    ['a type that is none', () => guard.inspect(request('one', { introspection: { ...good.introspection, contentType: ['application/json'] } }))],
  ]) {
    assert.throws(fails, undefined, what)
    assert.equal(asked(), true, what)
    assert.throws(() => guard.keepKeys('access', { status: '200' }), coded('HOSTBOUND_REQUEST'))
  }
  // One that needs none.
  guard.inspect({ method: 'GET', target: '/', headers: [], now: NOW, ...good })
  assert.equal(asked(), true)
  guard.inspect(request('one', good))
  guard.reload(guard.policy, { secrets: SECRETS })
  assert.equal(asked(), true)
})

test('without tokens there is nothing to ask, and answers are of no use', async () => {
  const guard = await guardOfNothing()
  assert.equal(guard.inspect({ method: 'GET', target: '/', headers: ['host', 'localhost'], introspection: active() }), 0)
  assert.equal(guard.question(), undefined)
  assert.equal(guard.keepKeys('access', undefined).error, 'the policy has no such section')
  const fresh = await guardWith(KEYS)
  assert.throws(() => fresh.question(), coded('HOSTBOUND_REQUEST'))
})

test('both verifiers come to the same, for tokens of each kind', async () => {
  const forged = tokenOf(newKey())
  const found = []
  for (const verifier of ['runtime', 'engine']) {
    const guard = await guardWith(KEYS, { verifier })
    guard.keepKeys('access', answer(JSON.parse(KEY.keySet)), NOW)
    const claims = { iat: NOW, exp: NOW + 60 }
    const tokens = [tokenOf(KEY, claims), forged, tokenOf(KEY, { ...claims, aud: 'x' }), `${tokenOf(KEY, claims)}A`, 'x.y.z']
    found.push(tokens.map((token) => guard.judge(request(token))))
  }
  assert.deepEqual(found[0], found[1])
  assert.deepEqual(found[0].map(reasonOf).slice(0, 3), [null, 'token_signature_mismatch', 'audience_mismatch'])
  await assert.rejects(guardWith(KEYS, { verifier: 'none' }), coded('HOSTBOUND_OPTION'))
  assert.ok((await Policy.fromObject({ version: 1, hosts: { allow: ['a'] } })).needsFetching === false)
})
