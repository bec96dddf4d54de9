// Other people's libraries on npm: what they sign the guard allows, what is signed here they verify; and neither takes a tampered twin.

import assert from 'node:assert/strict'
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import test from 'node:test'

import { Guard, Policy } from 'hostbound'
import { httpbis } from 'http-message-signatures'
import { Webhook } from 'standardwebhooks'

import { requests } from './support/generated.mjs'
import { SECRETS } from './support/signed.mjs'

const COUNT = 60
const HOSTS = ['api.example.com', 'other.example.com']
const COMPONENTS = ['@method', '@target-uri', '@authority', '@scheme', '@request-target', '@path', '@query', 'content-type', 'x-list', 'content-digest']
const PARAMETERS = ['created', 'expires', 'nonce', 'keyid', 'alg', 'tag']
const WHSEC = `whsec_${Buffer.from(SECRETS.KEY).toString('base64')}`
const OTHER_WHSEC = `whsec_${Buffer.from(SECRETS.OTHER_KEY).toString('base64')}`

/** A guard by one section that every path asks for. */
async function guardBy(section, secrets) {
  const policy = await Policy.fromObject({
    version: 1,
    hosts: { allow: HOSTS },
    signatures: { api: section },
    routes: [{ path: '/**', require: ['signature:api'] }],
  })
  return new Guard(policy, { secrets, epoch: 0 })
}

const messageGuard = () =>
  guardBy({ profile: 'http-message-signatures', tag: 'interop', components: COMPONENTS, parameters: PARAMETERS, keys: [{ id: 'k1', secret: { name: 'KEY' } }] }, { KEY: SECRETS.KEY })

const webhookGuard = () =>
  guardBy({ profile: 'standard-webhooks', keys: [{ id: 'k1', secret: { name: 'hook' }, hosts: HOSTS }, { id: 'k2', secret: { name: 'next' }, hosts: HOSTS }] }, { hook: WHSEC, next: OTHER_WHSEC })

const now = () => Math.floor(Date.now() / 1000)
const mac = (data) => createHmac('sha256', SECRETS.KEY).update(data).digest()
const digest = (body, algorithm) => `${algorithm}=:${createHash(algorithm.replace('-', '')).update(body).digest('base64')}:`

/** The verdict on a request as it arrives. */
function judged(guard, { method, scheme, host, target, body }, fields) {
  return guard.decide({ method, scheme, target, headers: [['Host', host], ...fields], body, now: now() })
}

/** The ways in which a request can be another one. Each is found by the signature alone. */
const TAMPERINGS = [
  (request) => ({ ...request, method: request.method === 'PUT' ? 'POST' : 'PUT' }),
  (request) => ({ ...request, host: request.host.replace(/^\w+/, (name) => (name === 'api' ? 'other' : 'api')) }),
  (request) => ({ ...request, target: request.target.replace(/^\/?/, '/a/') }),
  (request) => ({ ...request, target: request.target.includes('?') ? `${request.target}1` : `${request.target}?1` }),
  (request) => ({ ...request, scheme: request.scheme === 'http' ? 'https' : 'http' }),
  (request) => ({ ...request, type: `${request.type};a` }),
  (request) => ({ ...request, body: Buffer.concat([request.body, Buffer.from([1])]) }),
]

function tampered(request, index) {
  const twin = TAMPERINGS[index % TAMPERINGS.length](request)
  return { ...twin, url: `${twin.scheme}://${twin.host}${twin.target}` }
}

test('RFC 9421: what http-message-signatures signs is allowed', async () => {
  const guard = await messageGuard()
  for (const [index, request] of requests(COUNT, { hosts: HOSTS }).entries()) {
    const { method, url, type, body, nonce } = request
    const created = now()
    const headers = { 'Content-Type': type, 'X-List': ' a, b ' }
    if (body.length > 0) headers['Content-Digest'] = digest(body, index % 2 === 0 ? 'sha-256' : 'sha-512')
    const fields = COMPONENTS.filter((name) => name !== 'content-digest' || body.length > 0)
    const paramValues = { created: new Date(created * 1000), expires: new Date((created + 100) * 1000), nonce, tag: 'interop' }
    const key = { id: 'k1', alg: 'hmac-sha256', sign: async (data) => mac(data) }
    const signed = await httpbis.signMessage({ key, fields, params: PARAMETERS, paramValues }, { method, url, headers })
    const lines = (more) => Object.entries({ ...signed.headers, ...more })
    const twin = tampered(request, index)
    const refused = judged(guard, twin, lines({ 'Content-Type': twin.type }))
    assert.deepEqual([refused.decision, refused.check], ['deny', 'signature'], `${url}: ${twin.url}`)
    const verdict = judged(guard, request, lines({}))
    assert.equal(verdict.decision, 'allow', `${url}: ${verdict.detail}`)
    assert.deepEqual(verdict.identity.signature, { name: 'api', key_id: 'k1', nonce })
    assert.equal(judged(guard, request, lines({})).reason, 'nonce_replayed')
  }
})

test('RFC 9421: what is signed here http-message-signatures verifies', async () => {
  const guard = await messageGuard()
  const verified = async ({ method, url, type, body }, headers) => {
    const keyLookup = async ({ keyid }) => (keyid === 'k1' ? { id: keyid, algs: ['hmac-sha256'], verify: async (data, signature) => timingSafeEqual(mac(data), signature) } : null)
    const required = { requiredFields: COMPONENTS.filter((name) => name !== 'content-digest'), requiredParams: PARAMETERS, maxAge: 120 }
    // The library leaves the digest of the body to its caller.
    if (body.length > 0 && headers['content-digest'] !== digest(body, 'sha-256')) return false
    return httpbis.verifyMessage({ keyLookup, ...required }, { method, url, headers: { 'content-type': type, 'x-list': 'a, b', ...headers } })
  }
  for (const [index, request] of requests(COUNT, { seed: 2, hosts: HOSTS }).entries()) {
    const { method, scheme, host, target, type, body, nonce } = request
    const { headers } = guard.sign({ method, scheme, target, headers: [['host', host], ['content-type', type], ['X-List', '  a, b ']], body }, { section: 'api', nonce })
    const signed = Object.fromEntries(headers)
    assert.equal(await verified(request, signed), true, request.url)
    const twin = tampered(request, index)
    assert.equal(await verified(twin, signed).catch(() => false), false, `${request.url}: ${twin.url}`)
    assert.equal(await verified(request, { ...signed, 'signature-input': signed['signature-input'].replace(nonce, 'another-nonce-0001') }), false)
  }
})

test('RFC 9421: query parameters, and a label', async () => {
  const components = ['@method', '@authority', '@query-param;name="q"']
  const policy = { profile: 'http-message-signatures', label: 'interop', components, parameters: ['created', 'keyid'], keys: [{ id: 'k1', secret: { name: 'KEY' } }] }
  const guard = await guardBy(policy, { KEY: SECRETS.KEY })
  for (const value of ['a', 'a%20b', 'a+b', '%C3%BC', '%F0%9F%94%91', 'a%2Fb%3D', '', '*-._']) {
    const url = `https://api.example.com/a?x=1&q=${value}&y`
    const target = `/a?x=1&q=${value}&y`
    const key = { id: 'k1', alg: 'hmac-sha256', sign: async (data) => mac(data) }
    const { headers } = await httpbis.signMessage({ key, name: 'interop', fields: components, params: policy.parameters }, { method: 'GET', url, headers: {} })
    const request = { method: 'GET', scheme: 'https', host: 'api.example.com', target, body: '' }
    assert.equal(judged(guard, request, Object.entries(headers)).decision, 'allow', value)
    assert.equal(judged(guard, { ...request, target: target.replace('q=', 'q=1') }, Object.entries(headers)).reason, 'signature_mismatch')
  }
})

test('Standard Webhooks: what standardwebhooks signs is allowed', async () => {
  const guard = await webhookGuard()
  const webhooks = [new Webhook(WHSEC), new Webhook(OTHER_WHSEC)]
  for (const [index, request] of requests(COUNT, { seed: 3, isText: true, hosts: HOSTS }).entries()) {
    const id = `msg_${index}`
    const time = new Date()
    const payload = new TextDecoder('utf-8', { ignoreBOM: true }).decode(request.body)
    const [first, second] = webhooks.map((webhook) => webhook.sign(id, time, payload))
    // One key, the other, or both, as while a secret is rotated.
    const signature = [first, second, `${second} ${first}`, `v1a,abc ${second}`][index % 4]
    const fields = (twin) => Object.entries({ 'webhook-id': id, 'webhook-timestamp': String(Math.floor(time / 1000)), 'webhook-signature': signature, ...twin })
    const body = Buffer.concat([request.body, Buffer.from('1')])
    const twins = [judged(guard, { ...request, body }, fields()), judged(guard, request, fields({ 'webhook-id': `${id}1` })), judged(guard, request, fields({ 'webhook-timestamp': String(Math.floor(time / 1000) - 1) }))]
    for (const { reason } of twins) assert.equal(reason, 'signature_mismatch')
    const verdict = judged(guard, request, fields())
    assert.equal(verdict.decision, 'allow', `${request.url}: ${verdict.detail}`)
    assert.deepEqual(verdict.identity.signature, { name: 'api', key_id: ['k1', 'k2', 'k1', 'k2'][index % 4], nonce: id })
    assert.equal(judged(guard, request, fields()).reason, 'nonce_replayed')
  }
})

test('Standard Webhooks: what is signed here standardwebhooks verifies', async () => {
  const guard = await webhookGuard()
  const webhook = new Webhook(WHSEC)
  for (const { method, target, host, body } of requests(COUNT, { seed: 4, isText: true, hosts: HOSTS })) {
    const payload = Buffer.from(body)
    const signed = Object.fromEntries(guard.sign({ method, target, headers: [['host', host]], body }, { section: 'api', keyId: 'k1' }).headers)
    assert.equal(webhook.verify(payload, signed, { jsonParse: false }), undefined)
    const tampered = [Buffer.concat([payload, Buffer.from('1')]), payload.toString().replace(/^[^]?/, 'é')]
    for (const twin of tampered) assert.throws(() => webhook.verify(twin, signed, { jsonParse: false }), /No matching signature/)
    for (const name of ['webhook-id', 'webhook-timestamp']) {
      const other = { ...signed, [name]: name === 'webhook-id' ? 'msg_other' : String(now() - 2) }
      assert.throws(() => webhook.verify(payload, other, { jsonParse: false }), /No matching signature/)
    }
    assert.throws(() => new Webhook(OTHER_WHSEC).verify(payload, signed, { jsonParse: false }), /No matching signature/)
  }
  // The library reads a body as UTF-8: what is not, it signs and verifies as another.
  const binary = Buffer.from([0xff, 0xfe])
  const signed = Object.fromEntries(guard.sign({ method: 'POST', target: '/', headers: [['host', HOSTS[0]]], body: binary }, { section: 'api', keyId: 'k1' }).headers)
  assert.throws(() => webhook.verify(binary, signed, { jsonParse: false }), /No matching signature/)
})
