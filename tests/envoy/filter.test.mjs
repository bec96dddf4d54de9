// What clients, servers behind and operators see of the filter.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import test from 'node:test'
import { setTimeout as later } from 'node:timers/promises'

import { told } from './support/upstream.mjs'
import { served, until } from './support/served.mjs'
import { Issuer, hostNonce } from './support/sign.mjs'

const KEY = 'the-secret-of-the-key-0123456789abcdef'
const CLIENT = 'the-secret-of-the-client-0123456789abcdef'
const HOST = ['host', 'localhost']
const AUTHORITY = [':authority', 'localhost']

const policyOf = (more = {}) => ({
  version: 1,
  name: 'test',
  hosts: { allow: ['localhost'] },
  signatures: { s: { profile: 'host-nonce', clock_tolerance: '1s', keys: [{ id: 'k', secret: { env: 'KEY' } }] } },
  tokens: {
    opaque: {
      issuer: 'https://auth.example',
      audience: ['https://api.example'],
      introspection: { url: 'https://auth.example/introspect', client_id: 'api', secret: { env: 'CLIENT' } },
    },
  },
  egress: { allow: ['https://auth.example'], credentials: { 'https://auth.example': ['authorization'] } },
  routes: [
    { path: '/open', require: [] },
    { path: '/signed', require: ['signature:s'] },
    { path: '/opaque', require: ['token:opaque'], scopes: ['read'] },
  ],
  ...more,
})
const OPTIONS = { secrets: { KEY, CLIENT }, words: ['--identity-headers', '--cluster', 'https://auth.example=auth'] }

/** An authorization server that says of a token what `claims` are. */
async function authorizing(t, socket, claims) {
  const server = await told(socket)
  t.after(() => server.close())
  const text = JSON.stringify({ active: true, iss: 'https://auth.example', aud: 'https://api.example', exp: Math.floor(Date.now() / 1000) + 600, ...claims }).replaceAll('ä', '\\u00e4')
  server.answers.set('/introspect', `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
  return server
}

const get = (target, headers = []) => ({ method: 'GET', target, headers: [HOST, ...headers] })
const signedHeaders = (target = '/signed') => hostNonce({ host: 'localhost', target }, { key: KEY, now: Math.floor(Date.now() / 1000) })

test('denials say what a client may know, and how to go on', async (t) => {
  const socket = `/tmp/hostbound-auth-${process.pid}-1.sock`
  await authorizing(t, socket, { sub: 'me', scope: 'write' })
  const { http1 } = await served(t, policyOf(), { ...OPTIONS, servers: { auth: socket } })
  const http = http1()
  const denied = async (request) => {
    const { status, body, headers } = await http.ask(request)
    return [status, body, headers['www-authenticate'], headers['retry-after']]
  }
  assert.deepEqual(await denied(get('/signed', signedHeaders())), [503, 'unavailable\n', undefined, '2'])
  assert.deepEqual(await denied(get('/signed')), [401, 'signature_missing\n', 'Signature', undefined])
  assert.deepEqual(await denied(get('/signed', [...signedHeaders().slice(0, 2), ['x-nonce', 'another-nonce-0123456789']])), [401, 'signature_invalid\n', 'Signature', undefined])
  assert.deepEqual(await denied(get('/opaque')), [401, 'token_missing\n', 'Bearer', undefined])
  const [status, body, challenge] = await denied(get('/opaque', [['authorization', 'Bearer opaque']]))
  assert.deepEqual([status, body], [403, 'scope_insufficient\n'])
  assert.match(challenge, /^Bearer error="insufficient_scope", scope="read"/)
  assert.deepEqual(await denied({ ...get('/open'), headers: [['host', 'evil.test']] }), [421, 'host_not_allowed\n', undefined, undefined])
})

/** Names that some server takes for X-Hostbound-Subject. */
const SPELLINGS = ['X-Hostbound-Subject', 'x-hostbound-subject', 'X-HOSTBOUND-SUBJECT', 'x_hostbound_subject', 'X_Hostbound-Subject', 'x-hostbound_subject', 'X-HOSTBOUND.SUBJECT', 'x.hostbound.subject', "x'hostbound~subject"]

test('nobody brings an identity along, in whatever spelling', async (t) => {
  const socket = `/tmp/hostbound-auth-${process.pid}-2.sock`
  await authorizing(t, socket, { sub: 'käthe, 100%', scope: 'read write' })
  const { http1, http2 } = await served(t, policyOf(), { ...OPTIONS, servers: { auth: socket } })
  const forged = SPELLINGS.flatMap((name) => [[name, 'root'], [name, 'admin']])
  const identity = (answer) => JSON.parse(answer.body).headers.filter(([name]) => /^x[^a-z]hostbound/i.test(name) && !name.endsWith('-policy'))
  for (const [client, host] of [[http1(), HOST], [http2(), AUTHORITY]]) {
    const lower = (headers) => (host === AUTHORITY ? headers.map(([name, value]) => [name.toLowerCase(), value]) : headers)
    const ask = async (target, more) => {
      const answer = await client.ask({ method: 'GET', target, headers: [host, ...lower([...forged, ...more, ...forged])] })
      assert.equal(answer.status, 200)
      return identity(answer)
    }
    assert.deepEqual(await ask('/open', []), [['x-hostbound-host', 'localhost'], ['x-hostbound-route', '/open']])
    assert.deepEqual(await ask('/opaque', [['authorization', 'Bearer opaque']]), [
      ['x-hostbound-host', 'localhost'],
      ['x-hostbound-route', '/opaque'],
      ['x-hostbound-token', 'opaque'],
      ['x-hostbound-issuer', 'https://auth.example'],
      ['x-hostbound-subject', 'k%C3%A4the,%20100%25'],
      ['x-hostbound-scopes', 'read write'],
    ])
  }
})

test('without --identity-headers what clients bring along is taken away all the same', async (t) => {
  const { http1 } = await served(t, { version: 1, hosts: { allow: ['localhost'] } })
  const answer = await http1().ask(get('/open', SPELLINGS.map((name) => [name, 'root'])))
  assert.deepEqual(JSON.parse(answer.body).headers.filter(([name]) => /hostbound/i.test(name)), [])
})

test('report mode lets through, tells and counts', async (t) => {
  const { http1, verdicts, envoy } = await served(t, { version: 1, mode: 'report', hosts: { allow: ['localhost'] }, peers: { allow: ['::1'] } })
  const http = http1()
  const answer = await http.ask({ ...get('/'), headers: [['host', 'evil.test']] })
  assert.equal(answer.status, 200)
  await until(() => verdicts().length > 0)
  const [verdict] = verdicts()
  assert.deepEqual([verdict.level, verdict.decision, verdict.mode, verdict.id], ['warning', 'allow', 'report', answer.headers['x-request-id']])
  assert.equal(verdict.reported[0].reason, 'host_not_allowed')
  assert.deepEqual(await envoy.counters(), { 'hostbound.allowed': 1, 'hostbound.reported.host_not_allowed': 1 })
  // What is no request at all is refused in every mode.
  assert.equal((await http.ask({ ...get('/'), headers: [['host', 'a..b']] })).status, 400)
  assert.equal((await envoy.counters())['hostbound.denied.host_malformed'], 1)
})

test('every counter is there from the start, and clients make no new ones', async (t) => {
  const { http1, envoy } = await served(t, { version: 1, hosts: { allow: ['localhost'] } })
  const names = async () => (await envoy.ask('/stats?filter=^wasmcustom')).text.match(/^wasmcustom\.[^:]+/gm).sort()
  const before = await names()
  const of = (kind) => before.filter((name) => name.startsWith(`wasmcustom.hostbound.${kind}.`)).map((name) => name.split('.').at(-1))
  assert.deepEqual(of('denied'), of('reported'))
  assert.ok(of('denied').includes('host_not_allowed') && of('denied').includes('nonce_replayed'))
  assert.deepEqual(before.length, 2 * of('denied').length + 2)
  const http = http1()
  for (let count = 0; count < 50; count++) await http.ask({ ...get('/'), headers: [['host', `x${count}.evil.test`], ['x-request-id', `id-${count}`]] })
  assert.deepEqual(await names(), before)
  assert.deepEqual(await envoy.counters(), { 'hostbound.denied.host_not_allowed': 50 })
  assert.match((await envoy.ask('/stats/prometheus')).text, /^hostbound_denied_host_not_allowed\{\} 50$/m)
})

test('no secret and no credential is in the log', async (t) => {
  const socket = `/tmp/hostbound-auth-${process.pid}-3.sock`
  await authorizing(t, socket, { sub: 'me', scope: 'read' })
  // As loud as Envoy's own parts may be, and the filter's as loud as can be.
  const { http1, log, envoy } = await served(t, policyOf(), { ...OPTIONS, servers: { auth: socket }, levels: ['info', 'wasm:trace'], words: [...OPTIONS.words, '--log', 'all'] })
  const http = http1()
  const token = 'a-token-that-nobody-may-see-0123456789'
  let used
  await until(async () => (await http.ask(get('/signed?query=hidden', (used = signedHeaders('/signed?query=hidden'))))).status === 200)
  for (const request of [get('/signed?query=hidden', used), get('/signed', used), get('/opaque', [['authorization', `Bearer ${token}`]]), get('/open', [['authorization', `Bearer ${token}`]])]) await http.ask(request)
  await later(50)
  const text = log.join('\n')
  assert.match(text, /nonce_replayed/)
  assert.match(text, /"decision":"allow"/)
  const basic = Buffer.from(`api:${CLIENT}`).toString('base64')
  for (const secret of [KEY, CLIENT, basic, token, used[0][1], 'query=hidden']) assert.ok(!text.includes(secret), secret)
  // Who reaches the admin interface sees them all: why there is none in the shipped configurations.
  assert.ok((await envoy.ask('/config_dump')).text.includes(KEY))
})

test('keys that are asked for once serve all requests that wait', async (t) => {
  const socket = `/tmp/hostbound-auth-${process.pid}-4.sock`
  const issuer = new Issuer()
  const server = await authorizing(t, socket, {})
  const text = JSON.stringify(issuer.keys)
  server.answers.set('/keys', `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
  const policy = policyOf({
    signatures: undefined,
    tokens: { t: { issuer: 'https://auth.example', audience: ['https://api.example'], algorithms: ['ES256'], keys: { url: 'https://auth.example/keys', pins: 'none' } } },
    egress: { allow: ['https://auth.example'] },
    routes: [{ path: '/**', require: ['token:t'] }],
  })
  const { http1 } = await served(t, policy, { servers: { auth: socket }, words: OPTIONS.words })
  const now = Math.floor(Date.now() / 1000)
  const token = issuer.token({ iss: 'https://auth.example', aud: 'https://api.example', sub: 'me', iat: now, exp: now + 60 })
  const answers = await Promise.all(Array.from({ length: 8 }, () => http1().ask({ ...get('/', [['authorization', `Bearer ${token}`]]), method: 'POST', body: 'body' })))
  assert.deepEqual(answers.map(({ status }) => status), Array(8).fill(200))
  assert.equal(server.asked.length, 1)
})

test('a body that came as a whole while keys were asked for is judged, and reaches the server', async (t) => {
  const socket = `/tmp/hostbound-auth-${process.pid}-5.sock`
  const issuer = new Issuer()
  const text = JSON.stringify(issuer.keys)
  let keys = ''
  // Slower than the body.
  const server = createServer((asking) => asking.on('data', () => setTimeout(() => asking.end(keys, 'latin1'), 300)).on('error', () => {})).listen(socket)
  t.after(() => server.close())
  const found = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`
  const { signatures } = policyOf()
  const policy = policyOf({
    signatures: { s: { ...signatures.s, clock_tolerance: '0s' } },
    tokens: { t: { issuer: 'https://auth.example', audience: ['https://api.example'], algorithms: ['ES256'], keys: { url: 'https://auth.example/keys', pins: 'none' } } },
    egress: { allow: ['https://auth.example'] },
    routes: [{ path: '/both', require: ['token:t', 'signature:s'] }],
  })
  const { http1 } = await served(t, policy, { secrets: { KEY }, servers: { auth: socket }, words: ['--cluster', OPTIONS.words.at(-1)] })
  await later(1100)
  const sent = 'x'.repeat(200_000)
  const ask = async (client, authority, { body = sent, signed = sent } = {}) => {
    const now = Math.floor(Date.now() / 1000)
    const token = issuer.token({ iss: 'https://auth.example', aud: 'https://api.example', sub: 'me', iat: now, exp: now + 60 })
    const headers = [authority, ['authorization', `Bearer ${token}`], ['content-length', String(body.length)], ...hostNonce({ method: 'POST', host: 'localhost', target: '/both', body: signed }, { key: KEY, now })]
    return client.ask({ method: 'POST', target: '/both', headers, body })
  }
  assert.equal((await ask(http1(), HOST)).status, 503)
  keys = found
  const fresh = await served(t, policy, { secrets: { KEY }, servers: { auth: socket }, words: ['--cluster', OPTIONS.words.at(-1)] })
  await later(1100)
  const answers = await Promise.all([
    ask(fresh.http1(), HOST),
    ask(fresh.http2(), AUTHORITY),
    ask(fresh.http1(), HOST, { body: sent.replace('x', 'y') }),
  ])
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 401])
  for (const { body } of answers.slice(0, 2)) assert.equal(Buffer.from(JSON.parse(body).body, 'base64').toString(), sent)
})
