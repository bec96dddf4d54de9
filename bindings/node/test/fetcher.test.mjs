// What is asked for keys and of introspection endpoints: a whole answer in bounds from the one that the policy names, or none.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'

import { Fetcher } from '../dist/node/fetcher.js'
import { Flights } from '../dist/node/flights.js'
import { certificates } from './support/ca.mjs'
import { dnsServer } from './support/dns.mjs'
import { coded } from './support/policies.mjs'
import { answered, hostile } from './support/hostile.mjs'
import { resolverAt } from './support/outbound.mjs'

const HERE = '127.0.0.2'
const THERE = '127.0.0.3'
const HOST = 'keys.internal'
const KEYS = '{"keys":[]}'
const LIMIT = 65_536
/** For what never ends: long enough for an honest handshake. */
const SHORT = 400
/** What nothing but the server may learn. */
const SECRET = 's3cr3t-of-the-test'
const OTHER_PIN = 'sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='

const made = certificates(test)
made.authority('ca')
made.authority('other')
made.issue('server', 'ca', `DNS:${HOST}`)
made.issue('stranger', 'ca', 'DNS:other.internal')

const honest = (socket) => socket.write(answered(KEYS))

/** A server, and a fetcher to whose policy it is known. All that is told to the operator is in `told`. */
async function story(t, answer = honest, { settings = {}, options = {}, time, certificate = 'server', addresses = [HERE, THERE] } = {}) {
  const tls = { cert: made.read(`${certificate}.pem`), key: made.read(`${certificate}.key`) }
  const servers = await hostile(t, tls, answer, addresses)
  const origin = `https://${HOST}:${servers.port}`
  const destination = { origin, addresses: [`${HERE}/32`], ca: { file: made.path('ca.pem') }, credentials: ['authorization'], ...settings }
  for (const key of Object.keys(destination)) if (destination[key] === undefined) delete destination[key]
  const policy = { version: 1, hosts: { allow: ['localhost'] }, egress: { destinations: [destination] } }
  const told = []
  const failures = []
  const onFailure = (failure) => {
    failures.push(failure)
    told.push(JSON.stringify(failure))
  }
  const log = (line) => told.push(line)
  const fetcher = await Fetcher.load({ policy, resolver: () => [HERE], log, ...options }, onFailure, time)
  t.after(() => fetcher.close())
  const url = `${origin}/keys?tenant=${SECRET}`
  const get = (more = {}) => fetcher.fetch({ url, method: 'GET', headers: [], ...more })
  return { ...servers, here: servers.seen[HERE], policy, origin, url, fetcher, get, failures, told }
}

/** That there is no answer, for one reason, and that nothing is told but that. */
async function fails({ get, failures, told, origin }, reason, request = {}) {
  const secret = { headers: [['authorization', `Bearer ${SECRET}`]], method: 'POST', body: `token=${SECRET}` }
  assert.equal(await get({ ...secret, ...request }), undefined)
  const failure = failures.pop()
  assert.deepEqual(failures, [])
  assert.equal(failure.reason, reason, failure.detail)
  if (request.url === undefined) assert.equal(failure.origin, origin)
  assert.match(failure.detail, /^.{10,200}$/)
  assert.ok(!told.join('\n').includes(SECRET), told.join('\n'))
  return failure
}

test('an honest answer, to GET and to POST', async (t) => {
  const { get, here, origin, failures } = await story(t)
  const answer = await get()
  assert.deepEqual({ ...answer, body: Buffer.from(answer.body).toString() }, { status: 200, contentType: 'application/json', body: KEYS })
  assert.ok(answer.body.constructor === Uint8Array)
  const headers = [['Authorization', 'Basic YTpi'], ['content-type', 'application/x-www-form-urlencoded'], ['Accept-Encoding', 'gzip']]
  for (const body of ['token=a', new TextEncoder().encode('token=b')]) assert.equal((await get({ method: 'POST', headers, body })).status, 200)
  assert.equal((await get({ headers: [['accept', 'application/jwk-set+json']] })).status, 200)
  const lines = ({ head }) => head.toLowerCase().split('\r\n').sort()
  const common = ['accept-encoding: identity', 'accept: application/json', 'connection: keep-alive', `host: ${new URL(origin).host}`]
  const post = [...common, 'authorization: basic ytpi', 'content-length: 7', 'content-type: application/x-www-form-urlencoded', `post /keys?tenant=${SECRET} http/1.1`]
  const [first, ...others] = here.requests
  assert.deepEqual(lines(first), [...common, `get /keys?tenant=${SECRET} http/1.1`].sort())
  assert.deepEqual(lines(others[0]), post.sort())
  assert.deepEqual(others.map(({ body }) => body), ['token=a', 'token=b', ''])
  assert.ok(lines(others[2]).includes('accept: application/jwk-set+json'))
  assert.ok(!lines(others[2]).includes('accept: application/json'))
  assert.deepEqual(failures, [])
})

test('a connection is kept for the next question', async (t) => {
  const { get, connections } = await story(t)
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await get()).status, 200)
    // Undici takes it again in the next turn of the event loop.
    await new Promise(setImmediate)
  }
  assert.deepEqual(connections(), [1, 0])
})

test('any status is an answer, and the type is as it came', async (t) => {
  const { get } = await story(t, (socket, request, count) => {
    const status = ['401 Unauthorized', '404 Not Found', '500 Internal Server Error', '200 OK', '200 OK'][count]
    const headers = count === 4 ? ['content-type: text/html'] : []
    socket.write(answered('{}', { status, type: 'text/plain; charset=utf-8', headers }))
  })
  for (const status of [401, 404, 500, 200]) {
    const answer = await get()
    assert.deepEqual([answer.status, answer.contentType], [status, 'text/plain; charset=utf-8'])
  }
  assert.equal((await get()).contentType, undefined, 'two types are none')
})

test('a body of exactly the limit, with a length and in chunks', async (t) => {
  const { get } = await story(t, (socket, request, count) => {
    if (count === 0) socket.write(answered('x'.repeat(LIMIT)))
    else socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${LIMIT.toString(16)}\r\n${'x'.repeat(LIMIT)}\r\n0\r\n\r\n`)
  })
  assert.equal((await get()).body.length, LIMIT)
  assert.equal((await get()).body.length, LIMIT)
})

/** The time that something takes, in milliseconds. */
async function timed(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** That something ended with the time of a fetcher, and closed its connection. */
async function timesOut(asked) {
  const took = await timed(() => fails(asked, 'timed_out'))
  assert.ok(took > SHORT - 5 && took < SHORT + 1500, `${took} ms`)
  await asked.here.closed
}

test('a head that does not come', async (t) => {
  await timesOut(await story(t, () => {}, { time: SHORT }))
})

test('a head and a body that come byte by byte', async (t) => {
  const dribble = (text) => (socket) => {
    const bytes = [...text]
    const timer = setInterval(() => socket.write(bytes.shift() ?? 'x'), 10)
    socket.on('close', () => clearInterval(timer))
  }
  await timesOut(await story(t, dribble(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(1000)}`), { time: SHORT }))
  const body = dribble('')
  await timesOut(await story(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n')
    body(socket)
  }, { time: SHORT }))
})

test('informational answers without end', async (t) => {
  await timesOut(await story(t, (socket) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 10)
    socket.on('close', () => clearInterval(timer))
  }, { time: SHORT }))
})

test('a look-up that does not come: the time is that of all', async (t) => {
  const asked = await story(t, honest, { time: SHORT, options: { resolver: () => new Promise(() => {}) } })
  const took = await timed(() => fails(asked, 'timed_out'))
  assert.ok(took < SHORT + 1500, `${took} ms`)
  assert.deepEqual(asked.connections(), [0, 0])
})

test('TLS that does not come', async (t) => {
  const sockets = []
  const server = createTcpServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, HERE)
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address()
  const policy = { version: 1, hosts: { allow: ['localhost'] }, egress: { destinations: [{ origin: `https://${HOST}:${port}`, addresses: [`${HERE}/32`] }] } }
  const reasons = []
  const fetcher = await Fetcher.load({ policy, resolver: () => [HERE], log: false }, ({ reason }) => reasons.push(reason), SHORT)
  t.after(() => fetcher.close())
  await fetcher.fetch({ url: `https://${HOST}:${port}/`, method: 'GET', headers: [] })
  assert.deepEqual(reasons, ['timed_out'])
  assert.equal(sockets.length, 1)
  if (!sockets[0].destroyed) await once(sockets[0].resume(), 'close')
})

/** The connections that undici has made, as its client side sees them. */
function clientSockets(t) {
  const sockets = []
  const onConnected = ({ socket }) => sockets.push(socket)
  diagnostics.subscribe('undici:client:connected', onConnected)
  t.after(() => diagnostics.unsubscribe('undici:client:connected', onConnected))
  return sockets
}

test('a body that says it is too long: not read', async (t) => {
  const sockets = clientSockets(t)
  const asked = await story(t, (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n'))
  await fails(asked, 'answer_too_large')
  await asked.here.closed
  assert.ok(sockets[0].bytesRead < 8_192)
})

test('a body that does not end: closed at the limit', async (t) => {
  const sockets = clientSockets(t)
  const asked = await story(t, (socket, request, count) => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const more = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', more)
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    more()
  })
  await fails(asked, 'answer_too_large')
  await asked.here.closed
  const [{ bytesRead, destroyed }] = sockets
  t.diagnostic(`${bytesRead} bytes were read from the connection`)
  assert.ok(destroyed)
  // The limit and one read of Node, with what TLS and the chunks add, and the handshake.
  assert.ok(bytesRead < LIMIT + 65_536 + 8_192, `${bytesRead}`)
})

test('one byte too many, in chunks', async (t) => {
  const asked = await story(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10001\r\n${'x'.repeat(LIMIT + 1)}\r\n0\r\n\r\n`))
  await fails(asked, 'answer_too_large')
  await asked.here.closed
})

test('a head that does not end', async (t) => {
  const asked = await story(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`))
  await fails(asked, 'answer_too_large')
  await asked.here.closed
})

test('a redirect is an answer, and nobody goes there', async (t) => {
  let to
  const asked = await story(t, (socket) => socket.write(answered('', { status: '302 Found', headers: [`location: ${to}`] })))
  for (to of [`https://${THERE}:${asked.port}/`, `http://${HOST}:${asked.port}/`, '/elsewhere']) {
    const answer = await asked.get()
    assert.deepEqual([answer.status, answer.body.length], [302, 0])
  }
  assert.equal(asked.seen[THERE].connections, 0)
  assert.equal(asked.here.requests.length, 3)
})

test('a certificate of another name, and of an unknown authority: not a byte is sent', async (t) => {
  const rows = [{ certificate: 'stranger' }, { settings: { ca: { file: made.path('other.pem') } } }, { settings: { ca: undefined } }]
  for (const [index, row] of rows.entries()) {
    const asked = await story(t, honest, row)
    const { detail } = await fails(asked, 'tls_failed')
    assert.match(detail, index === 0 ? /ERR_TLS_CERT_ALTNAME_INVALID/ : /UNABLE_TO_VERIFY_LEAF_SIGNATURE/)
    assert.deepEqual(asked.here.requests, [])
  }
})

test('an authority that cannot be read', async (t) => {
  const asked = await story(t, honest, { settings: { ca: { file: made.path('missing.pem') } } })
  await fails(asked, 'request_invalid')
  assert.deepEqual(asked.here.requests, [])
})

test('pins: one that is presented, and one that is not', async (t) => {
  const good = await story(t, honest, { settings: { pins: [OTHER_PIN, made.pin('server')] } })
  assert.equal((await good.get()).status, 200)
  const bad = await story(t, honest, { settings: { pins: [OTHER_PIN] } })
  await fails(bad, 'pin_mismatch')
  assert.deepEqual(bad.here.requests, [])
})

test('a private address where only global ones are allowed: no connection', async (t) => {
  const asked = await story(t, honest, { settings: { addresses: undefined } })
  const { rule } = await fails(asked, 'address_not_allowed')
  assert.match(rule, /^egress\./)
  assert.deepEqual(asked.connections(), [0, 0])
})

test('a name whose second answer is another address', async (t) => {
  const zone = (name, type, count) => (type === 'A' ? [{ type, data: count === 0 ? HERE : THERE }] : [])
  const dns = await dnsServer(t, zone)
  const close = (socket) => socket.end(answered(KEYS, { headers: ['connection: close'] }))
  const asked = await story(t, close, { options: { resolver: resolverAt(dns.server) } })
  assert.equal((await asked.get()).status, 200)
  await asked.here.closed
  await fails(asked, 'address_not_allowed')
  assert.deepEqual(asked.connections(), [1, 0])
  assert.equal(dns.queries.length, 4)
})

test('a name that is not there', async (t) => {
  const dns = await dnsServer(t, () => null)
  const asked = await story(t, honest, { options: { resolver: resolverAt(dns.server) } })
  const { detail } = await fails(asked, 'address_missing')
  assert.match(detail, /\(ENOTFOUND\)$/)
})

test('nobody listens', async (t) => {
  const asked = await story(t, honest, { settings: { addresses: ['127.0.0.4/32'] }, options: { resolver: () => ['127.0.0.4'] } })
  const { detail } = await fails(asked, 'connection_failed')
  assert.match(detail, /ECONNREFUSED/)
})

test('what the policy does not name, and what is no https', async (t) => {
  const asked = await story(t)
  const { host } = new URL(asked.origin)
  const none = { headers: [], body: undefined }
  await fails(asked, 'destination_not_allowed', { ...none, url: `https://other.internal:${asked.port}/?a=${SECRET}` })
  await fails(asked, 'userinfo_not_allowed', { ...none, url: `https://a:${SECRET}@${host}/` })
  await fails(asked, 'url_malformed', { ...none, url: `https:\\\\${host}/?a=${SECRET}` })
  await fails(asked, 'url_malformed', { ...none, url: `${SECRET}` })
  await fails(asked, 'scheme_not_allowed', { ...none, url: `http://${host}/?a=${SECRET}` })
  assert.deepEqual(asked.connections(), [0, 0])
})

test('http, though the policy allows it', async (t) => {
  const server = createTcpServer().listen(0, HERE)
  await once(server, 'listening')
  t.after(() => server.close())
  let connections = 0
  server.on('connection', (socket) => {
    connections += 1
    socket.destroy()
  })
  const { port } = server.address()
  for (const mode of ['enforce', 'report']) {
    const policy = { version: 1, mode, hosts: { allow: ['localhost'] }, egress: { allow: [`http://${HOST}:${port}`], addresses: [`${HERE}/32`] } }
    const reasons = []
    const fetcher = await Fetcher.load({ policy, resolver: () => [HERE], log: false }, ({ reason }) => reasons.push(reason))
    t.after(() => fetcher.close())
    assert.equal(await fetcher.fetch({ url: `http://${HOST}:${port}/`, method: 'GET', headers: [] }), undefined)
    assert.deepEqual(reasons, ['scheme_not_allowed'], mode)
  }
  assert.equal(connections, 0)
})

test('a credential that is not bound to the endpoint', async (t) => {
  const asked = await story(t, honest, { settings: { credentials: undefined } })
  await fails(asked, 'credentials_not_allowed')
  assert.deepEqual(asked.connections(), [0, 0])
})

test('a truncated body, in each way that it is framed', async (t) => {
  const heads = [
    'content-length: 100', 'content-length: 100\r\nconnection: close',
    'transfer-encoding: chunked', 'transfer-encoding: chunked\r\nconnection: close',
  ]
  for (const head of heads) {
    const body = head.startsWith('content-length') ? KEYS : `b\r\n${KEYS}\r\n`
    for (const end of ['end', 'destroy']) {
      const asked = await story(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`, () => socket[end]()))
      await fails(asked, 'answer_truncated')
    }
  }
})

test('a connection that ends before the head, and within it', async (t) => {
  for (const text of ['', 'HTTP/1.1 200 OK\r\ncontent-']) {
    const asked = await story(t, (socket) => socket.end(text))
    await fails(asked, 'connection_failed')
  }
})

test('a transfer-encoding beside chunks', async (t) => {
  for (const encoding of ['gzip', 'gzip, chunked', 'chunked\r\ntransfer-encoding: chunked']) {
    const asked = await story(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: ${encoding}\r\n\r\n0\r\n\r\n`))
    await fails(asked, 'answer_encoded')
  }
})

test('a content-encoding', async (t) => {
  for (const encoding of ['gzip', 'br', 'identity, gzip', 'identity\r\ncontent-encoding: gzip', '']) {
    const body = gzipSync(KEYS)
    const asked = await story(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
    await fails(asked, 'answer_encoded')
  }
  const plain = await story(t, (socket) => socket.write(answered(KEYS, { headers: ['content-encoding: identity'] })))
  assert.equal((await plain.get()).body.length, KEYS.length)
})

test('what is not HTTP', async (t) => {
  const garbage = [
    `${SECRET} 220 smtp.internal ESMTP\r\n`,
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nx\0: y\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
  ]
  for (const text of garbage) {
    const asked = await story(t, (socket) => socket.write(text))
    await fails(asked, 'answer_malformed')
    await asked.here.closed
  }
})

test('an upgrade that nobody asked for', async (t) => {
  const asked = await story(t, (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'))
  await fails(asked, 'connection_failed')
  await asked.here.closed
})

test('what cannot be sent', async (t) => {
  const asked = await story(t)
  const rows = [
    [['x-note', `${SECRET}\r\nx: y`]], [[`x ${SECRET}`, 'a']], [['host', `${SECRET}.example`]], [['content-length', '1']],
    [['transfer-encoding', 'chunked']], [['expect', '100-continue']],
  ]
  for (const headers of rows) await fails(asked, 'request_invalid', { headers })
  assert.deepEqual(asked.here.requests, [])
  assert.equal((await asked.get()).status, 200)
})

test('an answer after a failure, and what is told may throw', async (t) => {
  const asked = await story(t, (socket, request, count) => (count === 0 ? socket.destroy() : honest(socket)))
  const throwing = await Fetcher.load({ policy: asked.policy, resolver: () => [HERE], log: false }, () => assert.fail('told'))
  t.after(() => throwing.close())
  const request = { url: asked.url, method: 'GET', headers: [] }
  assert.equal(await throwing.fetch(request), undefined)
  assert.equal((await throwing.fetch(request)).status, 200)
})

test('the proxies of the environment are not asked', async (t) => {
  const names = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']
  for (const name of names) process.env[name] = name.startsWith('NODE') ? '1' : `http://${THERE}:9`
  t.after(() => names.forEach((name) => delete process.env[name]))
  const { get } = await story(t)
  assert.equal((await get()).status, 200)
})

test('closed: what was asked is answered, and nothing more is', async (t) => {
  let release
  const asked = await story(t, (socket) => (release = () => honest(socket)))
  const first = asked.get()
  while (release === undefined) await new Promise(setImmediate)
  const closed = asked.fetcher.close()
  await fails(asked, 'connection_failed')
  release()
  assert.equal((await first).status, 200)
  await closed
  await asked.here.closed
})

test('a thousand who ask at once make one connection and one request', async (t) => {
  const { get, here, connections, failures } = await story(t)
  const flights = new Flights(undefined)
  const answers = await Promise.all(Array.from({ length: 1000 }, () => flights.run('keys', () => get())))
  assert.equal(new Set(answers).size, 1)
  assert.equal(answers[0].status, 200)
  assert.deepEqual([connections(), here.requests.length, flights.size], [[1, 0], 1, 0])
  await flights.run('keys', () => get())
  assert.equal(here.requests.length, 2, 'nothing is kept')
  assert.deepEqual(failures, [])
})

test('flights: so many at a time, whatever becomes of them', async () => {
  const flights = new Flights('too many')
  const ends = []
  const start = () => new Promise((resolve, reject) => ends.push({ resolve, reject }))
  const first = Array.from({ length: 64 }, (_, key) => flights.run(key, start))
  assert.equal(await flights.run(64, () => assert.fail('started')), 'too many')
  const joined = flights.run(0, () => assert.fail('started'))
  assert.equal(ends.length, 64)
  ends[0].resolve('here')
  ends[1].reject(new Error('lost'))
  assert.deepEqual([await first[0], await joined], ['here', 'here'])
  await assert.rejects(first[1], /lost/)
  assert.equal(flights.size, 62)
  await assert.rejects(flights.run('thrown', () => { throw new Error('at once') }), /at once/)
  assert.equal(flights.size, 62)
  assert.equal(await flights.run(0, async () => 'again'), 'again')
  for (const { resolve } of ends) resolve('late')
  await Promise.all(first.slice(2))
  assert.equal(flights.size, 0)
})

test('a process that has nothing else to do ends', async (t) => {
  const { policy, url, here } = await story(t, (socket, request) => request.head.startsWith('GET') && honest(socket))
  const path = join(made.path('.'), 'hostbound.json')
  writeFileSync(path, JSON.stringify(policy))
  const program = `
    import { Fetcher } from ${JSON.stringify(new URL('../dist/node/fetcher.js', import.meta.url).href)}
    const fetcher = await Fetcher.load({ policy: ${JSON.stringify(path)}, resolver: () => ['${HERE}'], log: false }, ({ reason }) => console.log(reason), 1500)
    const ask = (method) => fetcher.fetch({ url: ${JSON.stringify(url)}, method, headers: [] })
    const answers = await Promise.all([ask('POST'), ask('GET')])
    console.log((await ask('GET')).status, answers.map((answer) => answer?.status).join())
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  let told
  child.stdout.on('data', (chunk) => {
    output += chunk
    told = performance.now()
  })
  const [code] = await once(child, 'close')
  assert.deepEqual([code, output], [0, 'timed_out\n200 ,200\n'])
  const after = performance.now() - told
  t.diagnostic(`${Math.round(after)} ms after the last answer`)
  assert.ok(after < 1500, `${after} ms`)
  assert.equal(here.requests.length, 3)
})

test('without undici: what to install', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-no-undici-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const name of ['dist', 'wasm', 'wasm-toml', 'wasm-node', 'package.json']) {
    cpSync(new URL(`../${name}`, import.meta.url), join(folder, name), { recursive: true })
  }
  const { Fetcher: alone } = await import(pathToFileURL(join(folder, 'dist/node/fetcher.js')))
  const policy = { version: 1, hosts: { allow: ['localhost'] } }
  await assert.rejects(alone.load({ policy }, () => {}), coded('HOSTBOUND_OPTION', /`npm install undici`/))
})

test('a policy that is refused, and a time that is none', async () => {
  await assert.rejects(Fetcher.load({ policy: { version: 9 }, log: false }, () => {}), coded('HOSTBOUND_POLICY'))
  const policy = { version: 1, hosts: { allow: ['localhost'] } }
  await assert.rejects(Fetcher.load({ policy, log: false }, () => {}, 0), coded('HOSTBOUND_OPTION'))
})
