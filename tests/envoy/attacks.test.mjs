// What an attacker tries who knows Envoy and the filter: each a way past it, or a way to end it, that must lead nowhere.

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import test, { after, before, beforeEach } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'

import { data, Frames, headers, pseudo, reset } from './support/frames.mjs'
import { text } from './support/raw.mjs'
import { recorder, valueOf } from './support/recorder.mjs'
import { managerOf, POLICY, SECRET, Site } from './support/site.mjs'

/** Of 311 that are denied in one event, the VM would die. */
const WAITING = process.env.HOSTBOUND_ALL ? 3_000 : 800
const HUGE = process.env.HOSTBOUND_ALL ? 40 << 20 : 1 << 20
const TYPE = 'type.googleapis.com'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KEYS = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'ES256', use: 'sig' }] })
const ISSUED = { issuer: 'https://issuer.example', audience: ['here'] }
const SIGNED_BY = { ...ISSUED, algorithms: ['ES256'] }
const keysAt = (path) => ({ ...SIGNED_BY, keys: { url: `https://keys.example/${path}`, pins: 'none' } })
const EGRESS = { egress: { allow: ['https://keys.example'], credentials: { 'https://keys.example': ['authorization'] } } }
const policyOf = (section, routes = [{ path: '/**', require: ['token:t'] }]) => ({ ...POLICY, ...EGRESS, signatures: undefined, tokens: { t: section }, routes: [{ path: '/open/**', require: [] }, ...routes] })
const OPAQUE = policyOf({ ...ISSUED, introspection: { url: 'https://keys.example/ask', client_id: 'me', secret: { env: 'CLIENT' } } })
const BOTH = { ...policyOf(keysAt('both'), [{ path: '/**', require: ['token:t', 'signature:api'] }]), signatures: POLICY.signatures }
/** Beside a signature, and nothing is kept of an answer. */
const UNKEPT = { ...OPAQUE, tokens: { t: { ...OPAQUE.tokens.t, cache: false } }, signatures: POLICY.signatures, routes: BOTH.routes }
const SERVERS = { 'https://keys.example': 'key-server' }
const section = (more) => ({ ...POLICY, signatures: { api: { ...POLICY.signatures.api, ...more } } })
/** What a server that is asked for keys may answer in place of them, and the reason to log. */
const ANSWERS = {
  html: ok(KEYS, 'text/html'),
  'no type': ok(KEYS, null),
  'two types': ok(KEYS, 'application/json\r\ncontent-type: application/json'),
  compressed: ok(KEYS, 'application/json\r\ncontent-encoding: gzip'),
  redirect: 'HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n',
  empty: 'HTTP/1.1 204 None\r\n\r\n',
  'half of it': ok(KEYS.slice(0, 20)),
  'too long': ok(JSON.stringify({ ...JSON.parse(KEYS), x: 'x'.repeat(65_536) })),
  huge: ok(JSON.stringify({ ...JSON.parse(KEYS), x: 'x'.repeat(HUGE) })),
  'no answer': 'nothing of HTTP\r\n\r\n',
  'bytes in its head': ok(KEYS, 'application/json\r\nx-\xff: \xc0\xa7'),
  'a pseudo-header': ok(KEYS, 'text/html\r\n:status: 200'),
}
const badName = (what) => `bad ${what}`

function ok(body, type = 'application/json') {
  return `HTTP/1.1 200 OK\r\n${type === null ? '' : `content-type: ${type}\r\n`}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

let site
/** Answers of the key server by path: functions of the response. */
const keys = new Map()
let asked = []
before(async () => {
  const bad = Object.fromEntries(Object.keys(ANSWERS).map((what, index) => [badName(what), { policy: policyOf(keysAt(`bad-${index}`)), servers: { 'https://keys.example': 'broken-server' } }]))
  const filters = {
    open: {},
    unix: { policy: { ...POLICY, peers: { allow: ['unix'] } }, name: 'unix' },
    address: { policy: { ...POLICY, peers: { allow: ['192.0.2.7'] } }, name: 'address' },
    keys: { policy: policyOf(keysAt('keys')), servers: SERVERS },
    crowd: { policy: policyOf(keysAt('crowd')), servers: SERVERS },
    both: { policy: BOTH, servers: SERVERS, name: 'both' },
    opaque: { policy: OPAQUE, servers: SERVERS, secrets: { CLIENT: 'published-secret' } },
    unkept: { policy: UNKEPT, servers: SERVERS, secrets: { KEY: SECRET, CLIENT: 'published-secret' }, name: 'unkept' },
    report: { policy: { ...POLICY, mode: 'report' }, name: 'report' },
    full: { policy: section({ replay_capacity: 3 }), name: 'full', vm: 'full' },
    clock: { policy: section({ replay_capacity: 100 }), vm: 'clock' },
    one: { vm: 'two', name: 'one' },
    two: { policy: section({ max_age: '60s' }), vm: 'two', name: 'two' },
    earlier: { vm: 'same' },
    later: { policy: section({ max_age: '60s' }), vm: 'same' },
    unheld: { name: 'unheld' },
    redirected: { name: 'redirected' },
    ...bad,
  }
  const patch = ({ static_resources: { listeners } }) => {
    const manager = (name) => managerOf(listeners.find((listener) => listener.name === name))
    delete manager('unheld').http_filters[0].typed_config.config.allow_on_headers_stop_iteration
    for (const { route } of routesOf(manager('redirected'))) route.internal_redirect_policy = { max_internal_redirects: 3 }
    routesOf(manager('open')).unshift({
      match: { prefix: '/', headers: [{ name: 'x-hostbound-subject', string_match: { exact: 'admin' } }] },
      direct_response: { status: 200, body: { inline_string: 'for the administrator' } },
    })
  }
  site = await Site.open(filters, { patch, clusters: ['key-server', 'broken-server'] })
  await site.with(keyServer(site.path('key-server')))
  const broken = await site.with(recorder(site.path('broken-server')))
  broken.answer = ({ line }) => Object.values(ANSWERS)[Number(/bad-(\d+)/.exec(line)[1])]
})
beforeEach(() => site.reached())
after(() => site.close())

function routesOf(manager) {
  return manager.route_config.virtual_hosts[0].routes
}

async function keyServer(path) {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('latin1')) body += chunk
    asked.push({ path: request.url, body })
    response.setHeader('content-type', 'application/json')
    keys.get(request.url)(response, body)
  })
  server.listen(path)
  await once(server, 'listening')
  return { close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }
}

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token that is right, as the value of Authorization; with another signature if `isForged`. */
function bearer(claims = {}, isForged = false) {
  const signed = `${base64url({ alg: 'ES256', typ: 'at+jwt', kid: 'a' })}.${base64url({ iss: ISSUED.issuer, aud: 'here', sub: 'joe', exp: site.now + 3_600, ...claims })}`
  const signature = isForged ? randomBytes(64) : sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `Bearer ${signed}.${signature.toString('base64url')}`
}

/** A gate: `open()` lets those through that wait at `passed`. */
function gate() {
  let open
  const passed = new Promise((resolve) => (open = resolve))
  return { open, passed }
}

/** Waits until it is so. */
async function until(isSo, what) {
  const end = performance.now() + 10_000
  while (!(await isSo())) {
    assert.ok(performance.now() < end, `${what}: not within 10 s`)
    await later(5)
  }
}

/** The headers of the only request that reached the server. */
function onlyReached() {
  const reached = site.reached()
  assert.equal(reached.length, 1)
  return reached[0]
}

test('a client cannot say who it is, not in trailers either', async () => {
  const FORGED = ['x-hostbound-subject', 'X-Hostbound-Host', 'x_hostbound_key_id', 'x.hostbound.token']
  const trailers = `0\r\n${FORGED.map((name) => `${name}: admin\r\n`).join('')}x-kept: yes\r\n\r\n`
  const fields = { 'transfer-encoding': 'chunked' }
  for (const target of ['/open/a', '/signed/a']) {
    const signature = target === '/open/a' ? {} : site.signature('POST', target, 'abc')
    const { status } = await site.ask('open', 'POST', target, { ...fields, ...signature, 'X-Hostbound-Subject': 'admin', x_hostbound_policy: 'mine' }, `3\r\nabc\r\n${trailers}`)
    assert.equal(status, 200)
    const request = onlyReached()
    assert.deepEqual(request.trailers, [['x-kept', 'yes']], target)
    assert.deepEqual(request.headers.filter(([, value]) => ['admin', 'mine'].includes(value)), [], target)
    assert.equal(valueOf(request.headers, 'x-hostbound-host'), 'localhost')
  }
  const frames = await Frames.open(site.listeners.open)
  frames.write(headers(1, pseudo('POST', '/open/a'), { isLast: false }), data(1, 'abc', { isLast: false }), headers(1, [...FORGED.map((name) => [name.toLowerCase(), 'admin']), ['x-kept', 'yes']]))
  assert.deepEqual(await frames.over(1), [200])
  frames.close()
  assert.deepEqual(onlyReached().trailers, [['x-kept', 'yes']])
  await site.assertAlive('open', 'trailers')
})

test('trailers that come while keys are fetched are rid of identity too', async () => {
  const { open, passed } = gate()
  keys.set('/both', (response) => passed.then(() => response.end(KEYS)))
  const chunks = '3\r\nabc\r\n0\r\nx-hostbound-subject: admin\r\nx-kept: yes\r\n\r\n'
  const asking = site.ask('both', 'POST', '/both', { 'transfer-encoding': 'chunked', authorization: bearer(), ...site.signature('POST', '/both', 'abc') }, chunks)
  await until(() => asked.some(({ path }) => path === '/both'), 'keys')
  open()
  assert.equal((await asking).status, 200)
  const request = onlyReached()
  assert.deepEqual(request.trailers, [['x-kept', 'yes']])
  assert.equal(valueOf(request.headers, 'x-hostbound-subject'), 'joe')
})

test('an identity header chooses no route of Envoy', async () => {
  const { status, text: answer } = await site.ask('open', 'GET', '/open/a', { 'x-hostbound-subject': 'admin' })
  assert.equal(status, 200)
  assert.doesNotMatch(answer, /administrator/)
  site.reached()
})

test('an upgrade cannot have the next proxy remove identity headers', async () => {
  const { statuses } = await site.raw('open', text('GET', '/open/a', { host: 'localhost', connection: 'upgrade, x-hostbound-host, x-hostbound-policy', upgrade: 'websocket' }))
  assert.deepEqual(statuses, [101])
  const { headers: fields } = onlyReached()
  assert.equal(valueOf(fields, 'connection'), 'upgrade')
  assert.equal(valueOf(fields, 'x-hostbound-host'), 'localhost')
  await site.ask('open', 'GET', '/open/a', { connection: 'x-hostbound-host, x-hidden', 'x-hidden': 'yes' })
  const other = onlyReached().headers
  assert.equal(valueOf(other, 'x-hidden'), undefined)
  assert.equal(valueOf(other, 'x-hostbound-host'), 'localhost')
})

test('WebSockets are signed over the head', async () => {
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' }
  const { status } = await site.ask('open', 'GET', '/signed/ws', { ...upgrade, ...site.signature('GET', '/signed/ws') })
  assert.equal(status, 101)
  assert.equal(valueOf(onlyReached().headers, 'x-hostbound-signature'), 'api')
  assert.equal((await site.ask('open', 'GET', '/signed/ws', upgrade)).status, 401)
  assert.equal((await site.ask('open', 'GET', '/signed/ws', { ...upgrade, 'content-length': '3', ...site.signature('GET', '/signed/ws', 'abc') })).status, 400)
  assert.equal((await site.ask('open', 'POST', '/signed/ws', { ...upgrade, 'content-length': '3', ...site.signature('POST', '/signed/ws', 'abc') })).status, 400)
  const frames = await Frames.open(site.listeners.open)
  const connect = (stream, signature) => headers(stream, [...pseudo('CONNECT', '/signed/ws'), [':protocol', 'websocket'], ...Object.entries(signature)], { isLast: false })
  frames.write(connect(1, site.signature('CONNECT', '/signed/ws')), connect(3, site.signature('GET', '/signed/ws')), connect(5, {}))
  await until(() => [1, 3, 5].every((stream) => frames.answers.get(stream)?.status), 'answers')
  assert.deepEqual([1, 3, 5].map((stream) => frames.answers.get(stream).status), [200, 401, 401])
  frames.close()
  assert.equal(valueOf(onlyReached().headers, 'upgrade'), 'websocket')
  await site.assertAlive('open', 'WebSockets')
})

test('what follows an upgrade reaches a server only after it has switched', async () => {
  site.upstream.switches = false
  for (const method of ['GET', 'POST']) {
    const { statuses } = await site.raw('open', text(method, '/open/a', { host: 'localhost', connection: 'upgrade', upgrade: 'websocket' }, text('GET', '/signed/smuggled', { host: 'foreign.example' })))
    assert.deepEqual(statuses, [200])
  }
  site.upstream.switches = true
  await site.assertAlive('open', 'early data')
  assert.deepEqual(site.reached().map(({ line }) => line).filter((line) => line.includes('smuggled')), [])
})

test('a Unix socket is the peer `unix`; an address out of a header is nobody', async () => {
  const status = async (name, fields, peer) => (await site.ask(name, 'GET', '/open/a', fields, '', { peer })).status
  assert.equal(await status('unix', {}), 200)
  assert.equal(await status('unix', {}, '192.0.2.7'), 403)
  assert.equal(await status('address', {}, '192.0.2.7'), 200)
  assert.equal(await status('address', {}), 403)
  for (const name of ['unix', 'address']) {
    const { statuses } = await site.raw(name, `PROXY TCP4 192.0.2.7 192.0.2.1 0 80\r\n${text('GET', '/open/a', { host: 'localhost' })}`)
    assert.deepEqual(statuses, [403], 'port 0')
  }
  assert.equal(await status('address', { 'x-forwarded-for': '192.0.2.7' }), 403)
  site.reached()
})

test('hosts: no form of one that is not allowed, and none of an allowed one that is not', async () => {
  const HOSTS = { 'localhost.': 200, 'LOCALHOST:80': 200, 'localhost:': 400, 'localhost:0': 400, 'localhost:99999': 400, 'a@localhost': 400, 'localhost,localhost': 400, 'localhost foreign.example': 400, 'localhost%00.foreign.example': 400, 'localhost#@foreign.example': 400, 'localhost/foreign.example': 400, '': 400, 'localhost..': 400, 'localhost.foreign.example': 421, '127.0.0.1': 421 }
  for (const [host, wanted] of Object.entries(HOSTS)) assert.equal((await site.ask('open', 'GET', '/open/a', { host })).status, wanted, host)
  const absolute = async (target, host) => (await site.ask('open', 'GET', target, { host })).status
  assert.equal(await absolute('http://foreign.example/open/a', 'localhost'), 421)
  assert.equal(await absolute('http://localhost@foreign.example/open/a', 'localhost'), 421)
  const { statuses } = await site.raw('open', text('GET', '/open/a', [['host', 'localhost'], ['Host', 'foreign.example']]))
  assert.deepEqual(statuses, [400])
  site.reached()
  // Envoy takes the authority of the target for that of Host: the server sees what was judged.
  assert.equal(await absolute('http://localhost/open/a', 'foreign.example'), 200)
  assert.equal(valueOf(onlyReached().headers, 'host'), 'localhost')
})

test('an opaque token: its answer comes, or does not, and a client that left is none of it', async () => {
  const answer = JSON.stringify({ active: true, iss: ISSUED.issuer, aud: 'here', exp: site.now + 600, sub: 's'.repeat(16_384) })
  keys.set('/ask', (response) => response.end(answer))
  assert.equal((await site.ask('opaque', 'GET', '/a', { authorization: 'Bearer one' })).status, 200)
  assert.equal(valueOf(onlyReached().headers, 'x-hostbound-subject'), 's'.repeat(16_384))
  keys.set('/ask', (response) => response.destroy())
  assert.equal((await site.ask('opaque', 'GET', '/a', { authorization: 'Bearer two' })).status, 503)
  const { open, passed } = gate()
  asked = []
  keys.set('/ask', (response, body) => passed.then(() => (body.includes('gone') ? response.end(answer) : response.end('{"active":false}'))))
  const frames = await Frames.open(site.listeners.opaque)
  const streams = Array.from({ length: 40 }, (_, index) => 2 * index + 1)
  frames.write(...streams.map((stream) => headers(stream, [...pseudo('GET', '/a'), ['authorization', `Bearer ${stream < 40 ? 'gone' : 'stays'}-${stream}`]])))
  await until(() => asked.length === 40, 'questions')
  frames.write(...streams.filter((stream) => stream < 40).map(reset))
  open()
  assert.deepEqual(new Set(await frames.over(...streams.filter((stream) => stream > 40))), new Set([401]))
  frames.close()
  await site.assertAlive('opaque', 'introspection')
  assert.deepEqual(site.reached().filter(({ line }) => !line.includes('/open/')), [])
})

test('an opaque token of which nothing is kept, beside a signed body', async () => {
  const answer = JSON.stringify({ active: true, iss: ISSUED.issuer, aud: 'here', exp: site.now + 600, sub: 'joe' })
  keys.set('/ask', (response) => response.end(answer))
  const body = 'abc'.repeat(1_000)
  const ask = (sent) => site.ask('unkept', 'POST', '/a', { authorization: 'Bearer one', ...site.signature('POST', '/a', body) }, sent)
  assert.equal((await ask(body)).status, 200)
  assert.equal(onlyReached().body, body)
  assert.equal((await ask(body.replace(/c$/, 'd'))).status, 401)
  // The rest of the body comes when the answer is there.
  const head = text('POST', '/a', { host: 'localhost', authorization: 'Bearer two', 'content-length': String(body.length), ...site.signature('POST', '/a', body) })
  asked = []
  const { statuses } = await site.raw('unkept', [head + body.slice(0, 5), () => until(() => asked.length === 1, 'a question'), body.slice(5)])
  assert.deepEqual(statuses, [200])
  keys.set('/ask', (response) => response.end('{"active":false}'))
  assert.equal((await ask(body)).status, 401)
  assert.equal(site.reached().length, 1)
  await site.assertAlive('open', 'opaque tokens and bodies')
})

test(`${WAITING} requests that wait for keys, some of whose clients leave, do not end the VM`, async () => {
  const { open, passed } = gate()
  asked = []
  keys.set('/crowd', (response) => passed.then(() => response.end(KEYS)))
  const connections = await Promise.all(Array.from({ length: WAITING / 100 }, () => Frames.open(site.listeners.crowd)))
  const streams = Array.from({ length: 100 }, (_, index) => 2 * index + 1)
  // A signature needs no key to be wrong.
  for (const [index, connection] of connections.entries()) connection.write(...streams.map((stream) => headers(stream, [...pseudo('GET', '/a'), ['authorization', bearer({ n: index * 1000 + stream }, true)]])))
  await until(async () => (await site.stats('http.test.downstream_rq_active'))['http.test.downstream_rq_active'] === String(WAITING), 'requests')
  connections[0].close()
  connections[1].write(...streams.slice(50).map(reset))
  await until(async () => (await site.stats('http.test.downstream_rq_active'))['http.test.downstream_rq_active'] === String(WAITING - 150), 'leaving')
  open()
  assert.deepEqual(new Set(await connections[1].over(...streams.slice(0, 50))), new Set([401]))
  for (const connection of connections.slice(2)) assert.deepEqual(new Set(await connection.over(...streams)), new Set([401]))
  for (const connection of connections) connection.close()
  assert.equal(asked.length, 1, 'one question for all')
  assert.equal((await site.ask('crowd', 'GET', '/a', { authorization: bearer() })).status, 200)
  await site.assertAlive('crowd', 'waiting')
})

test('a key server that answers what is no key set', async () => {
  for (const what of Object.keys(ANSWERS)) assert.equal((await site.ask(badName(what), 'GET', '/a', { authorization: bearer() })).status, 503, what)
  assert.deepEqual(site.reached(), [])
  await site.assertAlive('open', 'key servers', { expects: /hostbound: tokens\.t: / })
})

test('a body that was not verified is never served, also where Envoy was not told to hold the head', async () => {
  const ask = (name, body, sent) => site.ask(name, 'POST', '/signed/a', site.signature('POST', '/signed/a', body), sent)
  assert.equal((await ask('open', 'abc', 'abd')).status, 401)
  assert.deepEqual(site.reached(), [])
  for (const sent of ['abc', 'abd']) {
    const waits = site.raw('unheld', text('POST', '/signed/a', { host: 'localhost', 'content-length': '3', ...site.signature('POST', '/signed/a', 'abc') }, sent), { isEnough: () => false, ends: true })
    assert.deepEqual((await waits).statuses, [], 'such a request waits for ever')
  }
  assert.deepEqual(site.reached(), [])
  assert.equal((await site.ask('unheld', 'GET', '/signed/a', site.signature('GET', '/signed/a'))).status, 200)
  site.reached()
})

test('more of a body comes after it was refused', async () => {
  const frames = await Frames.open(site.listeners.open)
  frames.write(headers(1, pseudo('POST', '/signed/a'), { isLast: false }))
  await until(() => frames.answers.get(1)?.status === 401, 'the refusal')
  frames.write(data(1, 'abc', { isLast: false }), data(1, 'def'))
  frames.write(headers(3, [...pseudo('POST', '/signed/a'), ...Object.entries(site.signature('POST', '/signed/a', 'x'))], { isLast: false }), ...Array.from({ length: 4 }, () => data(3, 'x'.repeat(16_384), { isLast: false })))
  frames.write(headers(5, [...pseudo('POST', '/signed/a', 'foreign.example')], { isLast: false }), data(5, 'abc', { isLast: false }), headers(5, [['x-hostbound-subject', 'me']]))
  assert.deepEqual(await frames.over(1, 5), [401, 421])
  frames.close()
  assert.deepEqual(site.reached(), [])
  await site.assertAlive('open', 'late bodies')
})

test('a request that Envoy runs again comes with a nonce that is used', async () => {
  let count = 0
  site.upstream.answer = ({ line }) => (line.includes('/signed/again') && count++ === 0 ? 'HTTP/1.1 302 Found\r\nlocation: http://localhost/signed/again\r\ncontent-length: 0\r\n\r\n' : undefined)
  site.lines.length = 0
  assert.equal((await site.askSigned('redirected', 'GET', '/signed/again')).status, 401)
  await until(() => site.verdicts.length === 2, 'two verdicts')
  assert.deepEqual(site.verdicts.map(({ reason }) => reason), [null, 'nonce_replayed'])
  assert.equal(site.reached().length, 1)
  // And one to a host that is not allowed.
  count = 0
  site.upstream.answer = ({ line }) => (line.includes('/open/away') ? 'HTTP/1.1 302 Found\r\nlocation: http://foreign.example/open/b\r\ncontent-length: 0\r\n\r\n' : undefined)
  assert.equal((await site.ask('redirected', 'GET', '/open/away')).status, 421)
  site.upstream.answer = () => undefined
  assert.equal(site.reached().length, 1)
  await site.assertAlive('redirected', 'redirects')
})

test('a full store refuses, and forgets nothing', async () => {
  const requests = Array.from({ length: 5 }, () => site.signature('GET', '/signed/a'))
  const statuses = []
  for (const signature of [...requests, ...requests]) statuses.push((await site.ask('full', 'GET', '/signed/a', signature)).status)
  assert.deepEqual(statuses, [200, 200, 200, 503, 503, 401, 401, 401, 503, 503])
})

test('filters of one VM share claims; of two that differ under one name, the earlier one refuses', async () => {
  const ask = async (name, signature) => (await site.ask(name, 'GET', '/signed/a', signature)).status
  for (const [first, second] of [['one', 'two'], ['two', 'one']]) {
    const signature = site.signature('GET', '/signed/a')
    assert.deepEqual([await ask(first, signature), await ask(second, signature)], [200, 401])
  }
  assert.deepEqual([await ask('earlier', site.signature('GET', '/signed/a')), await ask('later', site.signature('GET', '/signed/a'))], [503, 200])
})

test('report mode lets bodies through and reports them', async () => {
  site.lines.length = 0
  site.reached()
  assert.equal((await site.ask('report', 'POST', '/signed/a', site.signature('POST', '/signed/a', 'abc'), 'abd')).status, 200)
  assert.equal(onlyReached().body, 'abd')
  assert.equal((await site.ask('report', 'POST', '/signed/a', site.signature('POST', '/signed/a', 'abc'), 'x'.repeat((1 << 20) + 1))).status, 413)
  assert.deepEqual(site.reached(), [])
  await until(() => site.verdicts.length === 2, 'two verdicts')
  assert.deepEqual(site.verdicts.map(({ decision, reason, reported }) => [decision, reason ?? reported[0].reason]), [['allow', 'signature_mismatch'], ['deny', 'body_too_large']])
})

test('a denial of gRPC is a status of gRPC', async () => {
  const { status, text: answer } = await site.ask('open', 'POST', '/signed/a', { 'content-type': 'application/grpc' })
  assert.equal(status, 200)
  assert.match(answer, /grpc-status: 16\r\n/)
  assert.match(answer, /grpc-message: signature_missing/)
})

test('a clock that goes back gives nothing a second time', async () => {
  const signature = site.signature('GET', '/signed/a')
  const ask = async (fields) => (await site.ask('clock', 'GET', '/signed/a', fields)).status
  assert.equal(await ask(signature), 200)
  site.clock.set(site.now + 3_600)
  assert.equal(await ask(site.signature('GET', '/signed/a', '', { now: site.now + 3_600 })), 200)
  site.clock.set(site.now)
  assert.ok([401, 503].includes(await ask(signature)), 'the same request')
  assert.equal(await ask(site.signature('GET', '/signed/a')), 503, 'another one')
  site.clock.set(site.now + 3_601)
  assert.equal(await ask(site.signature('GET', '/signed/a', '', { now: site.now + 3_601 })), 200)
  site.clock.set(site.now)
  site.reached()
})

test('two workers serve each nonce once', async (t) => {
  // Of a port each worker has a share; a Unix socket goes to whichever is first.
  const patch = ({ static_resources: { listeners } }) => (listeners[0].address = { socket_address: { address: '127.0.0.1', port_value: 0 } })
  const pair = await Site.open({ all: {} }, { workers: 2, patch })
  t.after(() => pair.close())
  const { text: listeners } = await pair.envoy.ask('/listeners?format=json')
  pair.listeners.all = { path: JSON.parse(listeners).listener_statuses[0].local_address.socket_address.port_value }
  const connections = await Promise.all(Array.from({ length: 16 }, () => Frames.open(pair.listeners.all)))
  for (let round = 0; round < 100; round += 1) {
    const stream = 2 * round + 1
    const fields = [...pseudo('GET', '/signed/a'), ...Object.entries(pair.signature('GET', '/signed/a'))]
    for (const connection of connections) connection.write(headers(stream, fields))
    const statuses = (await Promise.all(connections.map((connection) => connection.over(stream)))).flat()
    assert.deepEqual(statuses.filter((status) => status === 200), [200], `round ${round}: ${statuses}`)
    assert.deepEqual(new Set(statuses), new Set([200, 401]))
  }
  for (const connection of connections) connection.close()
  const workers = await pair.stats('worker_[01].downstream_cx_total')
  for (const [worker, count] of Object.entries(workers).filter(([name]) => name.startsWith('listener.127'))) assert.ok(Number(count) > 0, `${worker} had no connection`)
  assert.equal(pair.reached().length, 100)
  await pair.assertAlive('all', 'replays')
})

test('a policy that changes while a body is held: it is judged by the old one, and its nonce is used', async (t) => {
  let file
  const write = (site, policy) => {
    const resources = [{ '@type': `${TYPE}/envoy.config.listener.v3.Listener`, ...site.listener('all', { policy }) }]
    writeFileSync(`${file}.new`, JSON.stringify({ resources }))
    renameSync(`${file}.new`, file)
  }
  const patch = (config, site) => {
    file = `${site.path('listeners')}.json`
    config.static_resources.listeners = []
    config.dynamic_resources = { lds_config: { path_config_source: { path: file } } }
    config.node = { id: 'test', cluster: 'test' }
    write(site, POLICY)
  }
  const changing = await Site.open({ all: {} }, { patch })
  t.after(() => changing.close())
  const updated = (stat, count) => until(async () => (await changing.stats(`lds.${stat}`))[`listener_manager.lds.${stat}`] === String(count), stat)
  await updated('update_success', 1)
  const signature = changing.signature('POST', '/signed/a', 'abcdef')
  const held = await Frames.open(changing.listeners.all)
  held.write(headers(1, [...pseudo('POST', '/signed/a'), ...Object.entries(signature)], { isLast: false }), data(1, 'abc', { isLast: false }))
  await until(async () => (await changing.stats('http.test.downstream_rq_active'))['http.test.downstream_rq_active'] === '1', 'the head')

  write(changing, { ...POLICY, version: 2 })
  await updated('update_rejected', 1)
  changing.troubles.length = 0
  assert.equal((await changing.ask('all', 'GET', '/open/a')).status, 200, 'a policy that is refused changes nothing')

  write(changing, { ...POLICY, hosts: { allow: ['localhost', 'new.example'] } })
  await updated('update_success', 2)
  await until(async () => (await changing.ask('all', 'GET', '/open/a', { host: 'new.example' })).status === 200, 'the new policy')
  held.write(data(1, 'def'))
  assert.deepEqual(await held.over(1), [200])
  held.close()
  assert.equal((await changing.ask('all', 'POST', '/signed/a', signature, 'abcdef')).status, 401, 'claims outlive the policy')
  assert.equal((await changing.askSigned('all', 'POST', '/signed/a', 'abc')).status, 200)
})
