// The configurations in policies/envoy: Envoy takes them as they are, and they do what their comments say.

import assert from 'node:assert/strict'
import { createECDH, createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'

import { certificates } from '../../bindings/node/test/support/ca.mjs'
import { startEnvoy, validated } from './support/envoy.mjs'
import { POLICIES, put, resource } from './support/filter.mjs'
import { Http1 } from './support/http1.mjs'
import { Http2 } from './support/http2.mjs'
import { signed } from './support/rfc9421.mjs'
import { shipped } from './support/shipped.mjs'
import { Issuer } from './support/sign.mjs'
import { echo } from './support/upstream.mjs'

const SECRETS = JSON.parse(readFileSync(`${POLICIES}partner-api.secrets.json`))
const folder = mkdtempSync(join(tmpdir(), 'hostbound-shipped-'))
const made = certificates({ after })
made.authority('ca')
made.authority('other-ca')
made.issue('server', 'ca', 'DNS:api.partner.example')
const server = join(folder, 'server.sock')
const upstream = await echo(server)
after(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

/** A folder with what configurations find in /etc/envoy. */
function etc(name) {
  const files = join(folder, name)
  mkdirSync(files)
  for (const file of ['server.pem', 'server.key']) copyFileSync(made.path(file), join(files, file))
  return files
}

/** Starts a shipped configuration; clients of it, and what came to the server of a request that was let through. */
async function started(t, name, { policy, words, secrets, places, levels }) {
  const files = etc(name.replace('.yaml', ''))
  put(join(files, 'hostbound.json'), resource(files, policy, { words, secrets }))
  const text = shipped(name, { server, files, places })
  assert.deepEqual(validated(files, text), { isValid: true, log: '' })
  const log = []
  const envoy = await startEnvoy(files, text, { workers: 2, levels, hear: (line) => log.push(line) })
  t.after(() => envoy.stop())
  const port = await envoy.portOf(name === 'local-service.yaml' ? 'service' : 'api')
  const at = { path: port, tls: name !== 'local-service.yaml' }
  const clients = { 'HTTP/1.1': new Http1(at), 'HTTP/2': new Http2(at) }
  t.after(() => Object.values(clients).forEach((client) => client.close()))
  return { envoy, files, log, http1: clients['HTTP/1.1'], http2: clients['HTTP/2'] }
}

const headersBehind = ({ body }) => JSON.parse(body).headers
const behind = (answer) => Object.fromEntries(headersBehind(answer))
/** Without the second in which a new store was made, and the clock's tolerance, of which it cannot know. */
const storeIsOld = () => later(6500)

test('local-service.yaml serves this machine, and no rebound name', async (t) => {
  const { http1, files, envoy } = await started(t, 'local-service.yaml', { policy: 'local-service.toml' })
  const ask = (host, more = [], target = '/') => http1.ask({ method: 'GET', target, headers: [['host', host], ...more] })
  const served = await ask('localhost:8080', [['x-forwarded-for', '203.0.113.9']], '/a//b/%2e%2e/c?x=%2F')
  assert.equal(served.status, 200)
  // As it came.
  assert.equal(JSON.parse(served.body).line, 'GET /a//b/%2e%2e/c?x=%2F HTTP/1.1')
  assert.equal(behind(served).host, 'localhost:8080')
  const denied = await ask('evil.test')
  assert.deepEqual([denied.status, denied.body], [421, 'host_not_allowed\n'])
  assert.equal((await ask('127.0.0.1:3000', [['origin', 'https://evil.test']])).status, 403)
  // The command's output is all that is changed to change the policy.
  put(join(files, 'hostbound.json'), resource(files, 'local-service.toml', { words: ['--allow-host', 'evil.test'] }))
  for (const end = performance.now() + 10_000; (await ask('evil.test')).status !== 200; await later(20)) assert.ok(performance.now() < end)
  assert.equal(await envoy.isReady(), true)
})

test('signed-api.yaml lets through a signed body once', async (t) => {
  const { http1, http2 } = await started(t, 'signed-api.yaml', { policy: 'envoy/signed-api.toml', secrets: SECRETS, words: ['--identity-headers'] })
  const key = { key: SECRETS.ACME_KEY, keyId: 'acme-2026-11' }
  const early = await http1.ask(signed(key))
  assert.deepEqual([early.status, early.body, early.headers['retry-after']], [503, 'unavailable\n', '6'])
  await storeIsOld()
  const large = 'x'.repeat(1 << 20)
  for (const client of [http1, http2]) {
    for (const body of ['{"item":7}', large]) {
      const request = signed({ ...key, method: 'POST', target: '/orders', body })
      const sent = client === http1 ? request : { ...request, headers: [[':authority', 'api.partner.example'], ...request.headers.slice(1)] }
      const [once, twice] = [await client.ask(sent), await client.ask(sent)]
      assert.equal(once.status, 200)
      assert.equal(Buffer.from(JSON.parse(once.body).body, 'base64').toString(), body)
      assert.equal(behind(once)['x-hostbound-key-id'], 'acme-2026-11')
      assert.deepEqual([twice.status, twice.body, twice.headers['www-authenticate']], [401, 'signature_invalid\n', 'Signature'])
    }
  }
  const post = signed({ ...key, method: 'POST', target: '/orders', body: '{"item":7}' })
  assert.equal((await http1.ask({ ...post, body: '{"item":8}' })).status, 401)
  const tooLarge = await http1.ask(signed({ ...key, method: 'POST', target: '/orders', body: `${large}x` }))
  assert.deepEqual([tooLarge.status, tooLarge.body], [413, 'body_too_large\n'])
  // Envoy's own refusals.
  const spelled = signed(key)
  assert.equal((await http1.ask({ ...spelled, headers: [...spelled.headers, ['x_key_id', 'k']] })).status, 400)
  assert.equal((await http1.ask({ ...spelled, headers: [...spelled.headers, ['x-filler', 'x'.repeat(61 << 10)]] })).status, 431)
})

test('jwt-api.yaml fetches keys by TLS from the issuer alone', async (t) => {
  made.issue('auth', 'ca', 'DNS:auth.example.com')
  const issuer = publishedIssuer()
  const keys = await serving(t, 'auth', issuer.keys)
  const places = (port, ca = 'ca') => ({
    '{ address: auth.example.com, port_value: 443 }': `{ address: 127.0.0.1, port_value: ${port} }`,
    '/etc/ssl/certs/ca-certificates.crt': made.path(`${ca}.pem`),
  })
  const words = ['--cluster', 'https://auth.example.com=auth', '--identity-headers']
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://auth.example.com/', aud: 'https://api.example.com', sub: 'user-1', client_id: 'web', iat: now, exp: now + 600, scope: 'orders:read' }
  const request = (token, more = []) => ({
    method: 'GET',
    target: '/orders/7',
    headers: [['host', 'api.example.com'], ['authorization', `Bearer ${token}`], ...more],
  })
  await t.test('of the name and authority that are written there', async (t) => {
    const { http1 } = await started(t, 'jwt-api.yaml', { policy: 'jwt-api.toml', words, places: places(keys.port) })
    const answer = await http1.ask(request(issuer.token(claims), [['x-hostbound-subject', 'root']]))
    assert.equal(answer.status, 200)
    assert.deepEqual(headersBehind(answer).filter(([name]) => name === 'x-hostbound-subject'), [['x-hostbound-subject', 'user-1']])
    assert.equal((await http1.ask(request(issuer.token({ ...claims, aud: 'https://other.example' })))).status, 401)
    assert.equal(keys.count(), 1)
  })
  made.issue('stranger', 'ca', 'DNS:other.example.com')
  for (const [what, certificate, ca] of [['of another name', 'stranger', 'ca'], ['of another authority', 'auth', 'other-ca']]) {
    await t.test(`not ${what}`, async (t) => {
      const others = await serving(t, certificate, issuer.keys)
      rmSync(join(folder, 'jwt-api'), { recursive: true })
      const { http1 } = await started(t, 'jwt-api.yaml', { policy: 'jwt-api.toml', words, places: places(others.port, ca), levels: ['error', 'wasm:info'] })
      const answer = await http1.ask(request(issuer.token(claims)))
      assert.deepEqual([answer.status, answer.body], [503, 'unavailable\n'])
      assert.equal(others.count(), 0)
    })
  }
})

/** The issuer of policies/jwt-api.toml, whose keys are made of published words (tests/vectors/generate/policies.py). */
function publishedIssuer() {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const scalar = (BigInt(`0x${createHash('sha512').update('jwt-api, this year').digest('hex')}`) % (order - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(d)
  const point = ecdh.getPublicKey()
  return new Issuer({ kty: 'EC', crv: 'P-256', d: d.toString('base64url'), x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') }, '2026-1')
}

/** A server of a key set, with a certificate; how often it was asked. */
async function serving(t, certificate, keys) {
  let count = 0
  const https = createServer({ cert: made.read(`${certificate}.pem`), key: made.read(`${certificate}.key`) }, (_, response) => {
    count += 1
    response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
  }).listen(0, '127.0.0.1')
  await once(https, 'listening')
  t.after(() => https.close())
  return { port: https.address().port, count: () => count }
}
