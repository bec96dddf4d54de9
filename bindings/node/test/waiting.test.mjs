// Requests that wait for an answer about their token: every way in, with and without a body, and beside a signature.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server, connect as connectHttp2 } from 'node:http2'
import { connect as connectTo } from 'node:net'
import test from 'node:test'

import connect from 'connect'
import express from 'express'
import { WebSocket, WebSocketServer } from 'ws'

import { active, authority, clock, gate, guardOf, issuer, OPAQUE, says, service, setOf, streamed, until } from './support/asked.mjs'
import { coded } from './support/policies.mjs'
import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { nextSecond, policyWith, SECRETS, signerOf } from './support/signed.mjs'
import { newKey, tokenOf } from './support/tokens.mjs'

const made = issuer(test)
const KEY = newKey()
const BEARER = () => `Authorization: Bearer ${tokenOf(KEY)}`

/** A server that keeps its answer with the keys back, until the gate is opened. */
async function slowKeys(t) {
  const held = gate()
  const auth = await authority(t, made, (socket) => void held.opened.then(() => says(setOf(KEY))(socket)))
  return { auth, isAsked: () => until(() => auth.requests.length === 1), open: held.open }
}

/** A server of an application behind a guard; over HTTP/2 if `make` says so. */
async function protectedServer(t, guard, serve, make = createServer) {
  const server = await listening(guard.protect(make(serve)))
  t.after(() => stop(server))
  return server
}

const echo = async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  response.end(`${request.auth.subject} ${Buffer.concat(chunks).toString('latin1')}`)
}

for (const [name, lines, body] of [
  ['with a length', ['Content-Length: 11'], 'hello world'],
  ['in chunks', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n6\r\n world\r\n0\r\nX-End: yes\r\n\r\n'],
]) {
  test(`HTTP/1: a body ${name} that comes while its request waits reaches the application whole`, async (t) => {
    const { auth, isAsked, open } = await slowKeys(t)
    const { server } = await service(t, auth.withKeys())
    const socket = connectTo(server.address().port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    const half = body.length >> 1
    socket.write(http('POST /a HTTP/1.1', 'Host: localhost', 'Connection: close', BEARER(), ...lines) + body.slice(0, half))
    await isAsked()
    socket.write(body.slice(half))
    await new Promise((resolve) => setTimeout(resolve, 20))
    open()
    await once(socket, 'close')
    assert.match(text, /200 OK[^]*user-1 hello world/)
  })
}

test('a body that is larger than all buffers waits at the client', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const { guard } = await guardOf(t, auth.withKeys())
  const server = await protectedServer(t, guard, async (request, response) => {
    let length = 0
    for await (const chunk of request) length += chunk.length
    response.end(String(length))
  })
  const size = 32 * 1024 ** 2
  const rest = Buffer.alloc(size, 'x')
  const socket = connectTo(server.address().port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  socket.write(http('POST /a HTTP/1.1', 'Host: localhost', 'Connection: close', BEARER(), `Content-Length: ${size}`))
  socket.write(rest)
  await isAsked()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(socket.writableLength > size / 2, 'it is not read')
  open()
  await once(socket, 'close')
  assert.ok(text.endsWith(`\n${size}`) || text.includes(String(size)), text)
})

test('HTTP/1: Expect waits for the verdict; pipelined requests are answered in their order', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const { server, reached } = await service(t, auth.withKeys())
  const expecting = connectTo(server.address().port, '127.0.0.1')
  let text = ''
  expecting.on('data', (chunk) => (text += chunk))
  expecting.write(http('POST /expect HTTP/1.1', 'Host: localhost', 'Connection: close', 'Expect: 100-continue', 'Content-Length: 2', BEARER()))
  const one = (path, ...lines) => http(`GET ${path} HTTP/1.1`, 'Host: localhost', ...lines)
  const pipelined = talk(server, one('/1', BEARER()) + one('/open/2') + one('/3', BEARER()) + one('/4', 'Connection: close'))
  await isAsked()
  assert.equal(text, '')
  open()
  await until(() => text.includes('100 Continue'))
  expecting.write('ok')
  await once(expecting, 'close')
  assert.match(text, /200 OK[^]*user-1 ok/)
  const answer = await pipelined
  assert.deepEqual(statuses(answer), [200, 200, 200, 401])
  assert.deepEqual(reached.sort(), ['/1', '/3', '/expect', '/open/2'])
})

test('HTTP/1: a request that other middleware holds back while one behind it is denied is answered', async (t) => {
  const { guard } = await guardOf(t, { version: 1, hosts: { allow: ['localhost'] } })
  const held = gate()
  const app = connect()
  app.use((request, response, next) => void (request.url === '/1' ? held.opened.then(() => next()) : next()))
  app.use(guard.middleware)
  app.use((request, response) => response.end('served'))
  const server = await listening(createServer(app))
  t.after(() => stop(server))
  const answer = talk(server, http('GET /1 HTTP/1.1', 'Host: localhost') + http('GET /2 HTTP/1.1', 'Host: evil.test'))
  await once(server, 'request')
  await new Promise((resolve) => setTimeout(resolve, 20))
  held.open()
  assert.deepEqual(statuses(await answer), [503])
})

test('HTTP/2: a request with a body and trailers, before listeners for `stream` and for `request`', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const { guard } = await guardOf(t, auth.withKeys())
  const found = []
  const server = await protectedServer(t, guard, async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    found.push(request.auth.subject, text, request.trailers['x-end'])
    response.end('served')
  }, createHttp2Server)
  server.on('stream', (stream) => found.push(stream.auth.subject))
  const session = connectHttp2(`http://localhost:${server.address().port}`)
  const stream = session.request({ ':path': '/a', ':method': 'POST', authorization: `Bearer ${tokenOf(KEY)}` }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }))
  stream.write('hello')
  await isAsked()
  stream.end(' world')
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(found, [])
  open()
  stream.resume()
  const [headers] = await once(stream, 'response')
  await once(stream, 'end')
  session.destroy()
  assert.equal(headers[':status'], 200)
  assert.deepEqual(found, ['user-1', 'user-1', 'hello world', 'yes'])
})

test('an upgrade waits before `protect`, and WebSockets work; `guard.upgrade` refuses it, and takes it once the keys are there', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const { guard } = await guardOf(t, auth.withKeys())
  const server = await protectedServer(t, guard, (request, response) => response.end())
  const sockets = new WebSocketServer({ server })
  const subjects = []
  sockets.on('connection', (socket, request) => {
    subjects.push(request.auth.subject)
    socket.on('message', (data) => socket.send(`${data}!`))
  })
  const bare = await listening(createServer())
  t.after(() => stop(bare))
  const admitted = []
  bare.on('upgrade', (request, socket, head) => {
    const isAdmitted = guard.upgrade(request, socket, head)
    admitted.push(isAdmitted)
    if (isAdmitted) socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  const socketOf = (token) => new WebSocket(`ws://127.0.0.1:${server.address().port}/`, { headers: { host: 'localhost', authorization: `Bearer ${token}` } })
  const good = socketOf(tokenOf(KEY))
  const forged = socketOf(tokenOf(newKey())).on('error', () => {})
  const refused = once(forged, 'unexpected-response')
  const opened = once(good, 'open')
  const upgrade = () => talk(bare, http('GET / HTTP/1.1', 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', BEARER()))
  const early = upgrade()
  await isAsked()
  open()
  await opened
  good.send('hello')
  assert.equal(String((await once(good, 'message'))[0]), 'hello!')
  good.terminate()
  assert.equal((await refused)[1].statusCode, 401)
  forged.terminate()
  assert.deepEqual(subjects, ['user-1'])
  assert.deepEqual([statuses(await early), statuses(await upgrade()), admitted], [[500], [101], [false, true]])
  sockets.close()
})

for (const [name, make] of [['Express', express], ['Connect', connect]]) {
  test(`middleware of ${name}, over HTTP/1 and HTTP/2`, async (t) => {
    const { auth, isAsked, open } = await slowKeys(t)
    const { guard } = await guardOf(t, auth.withKeys())
    const app = make()
    app.use((request, response, next) => {
      response.setHeader('x-before', 'yes')
      next()
    })
    app.use(guard.middleware)
    app.use(guard.middleware)
    app.use((request, response, next) => echo(request, response).catch(next))
    const server = await listening(createServer(app))
    t.after(() => stop(server))
    const post = (...lines) => talk(server, http('POST /a HTTP/1.1', 'Host: localhost', 'Connection: close', 'Content-Length: 5', ...lines) + 'hello')
    const asked = [post(BEARER()), post(`Authorization: Bearer ${tokenOf(newKey())}`)]
    let found
    if (name === 'Connect') {
      const server2 = await listening(createHttp2Server(app))
      const session = connectHttp2(`http://localhost:${server2.address().port}`)
      t.after(() => {
        session.destroy()
        return stop(server2)
      })
      found = streamed(session, tokenOf(KEY), '/a', { ':method': 'POST' }, 'hello')
    }
    await isAsked()
    open()
    const [good, forged] = await Promise.all(asked)
    assert.match(good, /200 OK[^]*x-before: yes[^]*user-1 hello/i)
    assert.match(forged, /^HTTP\/1.1 401 [^]*www-authenticate: Bearer error="invalid_token"/i)
    assert.doesNotMatch(forged, /x-before/i)
    if (found !== undefined) assert.equal((await found).text, 'user-1 hello')
  })
}

/** The policy asks for a signature, and for a token by `tokens`, of every request. */
function both({ tokens, egress }, more = {}) {
  return policyWith({}, { tokens, egress, routes: [{ path: '/**', require: ['signature:api', 'token:access'] }], ...more })
}

/** Signs and sends; the two parts of the body at the times that a test chooses. */
async function signedClient(policy, server) {
  const signer = await signerOf(policy, { secrets: { KEY: SECRETS.KEY, ...(JSON.stringify(policy).includes('"SECRET"') ? { SECRET: 'x'.repeat(8) } : {}) } })
  return (token, body, claimed = body) => {
    const headers = [['Host', 'localhost'], ['Authorization', `Bearer ${token}`]]
    const { headers: added } = signer.sign({ method: 'POST', target: '/a', headers, body: claimed })
    const socket = connectTo(server.address().port, '127.0.0.1').on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.write(http('POST /a HTTP/1.1', ...[...headers, ...added].map((pair) => pair.join(': ')), 'Connection: close', `Content-Length: ${body.length}`))
    return { write: (part) => socket.write(part), answer: once(socket, 'close').then(() => text) }
  }
}

const WITH_KEY = { secrets: { KEY: SECRETS.KEY } }

test('a signature on the same route: the body is intact, and a forged one of either is refused', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const policy = both(auth.withKeys())
  const { guard, reasons } = await guardOf(t, policy, WITH_KEY)
  const server = await protectedServer(t, guard, echo)
  const sign = await signedClient(policy, server)
  await nextSecond()
  const requests = [sign(tokenOf(KEY), 'hello world'), sign(tokenOf(KEY), 'hello w0rld', 'hello world'), sign(tokenOf(newKey()), 'hello world'), sign(tokenOf(KEY), 'hello world')]
  // Before the answer, on both sides of it, and after it.
  requests[0].write('hello world')
  for (const { write } of requests.slice(1, 3)) write('hello')
  await isAsked()
  open()
  assert.match(await requests[0].answer, /200 OK[^]*user-1 hello world/)
  requests[1].write(' w0rld')
  requests[2].write(' world')
  requests[3].write('hello world')
  assert.match(await requests[3].answer, /200 OK[^]*user-1 hello world/)
  assert.deepEqual(statuses((await requests[1].answer) + (await requests[2].answer)), [401, 401])
  assert.deepEqual(reasons().sort(), ['signature_mismatch', 'token_signature_mismatch'])
})

test('what was known of a token may be forgotten while the body comes: then it is asked about again', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(active()))
  const policy = both(auth.withIntrospection())
  const { guard, lines } = await guardOf(t, policy, { secrets: { ...WITH_KEY.secrets, SECRET: 'x'.repeat(8) } })
  const server = await protectedServer(t, guard, echo)
  const sign = await signedClient(policy, server)
  forward(2)
  const first = sign(OPAQUE, 'hello')
  first.write('hello')
  assert.match(await first.answer, /200 OK/)
  forward(29)
  const slow = sign(OPAQUE, 'hello')
  slow.write('he')
  await until(() => slow.answer && auth.requests.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  // Another request has what is known of the token replaced, by what counts from later on.
  forward(5)
  const other = sign(OPAQUE, 'hello')
  other.write('hello')
  assert.match(await other.answer, /200 OK/)
  slow.write('llo')
  assert.match(await slow.answer, /200 OK[^]*user-1 hello/)
  assert.equal(auth.requests.length, 3)
  // And if it is to be had no more: 503, no error.
  forward(20)
  const late = sign(OPAQUE, 'hello')
  late.write('he')
  await new Promise((resolve) => setTimeout(resolve, 30))
  auth.answer = (socket) => socket.destroy()
  await guard.reload()
  late.write('llo')
  assert.match(await late.answer, /^HTTP\/1.1 503 [^]*retry-after: 5/i)
  assert.deepEqual(lines.filter(({ hostbound: kind }) => kind === 'error'), [])
})

test('a reload while the body comes: the keys of the new policy are asked for', async (t) => {
  const auth = await authority(t, made, says(setOf(KEY)))
  const policy = both(auth.withKeys())
  const { guard, lines } = await guardOf(t, policy, WITH_KEY)
  const server = await protectedServer(t, guard, echo)
  const sign = await signedClient(policy, server)
  await nextSecond()
  const waiting = sign(tokenOf(KEY), 'hello')
  waiting.write('he')
  await until(() => lines.some(({ hostbound: kind }) => kind === 'keys'))
  await new Promise((resolve) => setTimeout(resolve, 30))
  await guard.reload()
  waiting.write('llo')
  assert.match(await waiting.answer, /200 OK[^]*user-1 hello/)
  assert.equal(auth.requests.length, 2)
  assert.deepEqual(lines.filter(({ hostbound: kind }) => kind === 'error'), [])
})

for (const wants of ['keys', 'introspection']) {
  test(`a shared replay store and ${wants}: the nonce is claimed once, after the token`, async (t) => {
    const auth = await authority(t, made, wants === 'keys' ? says(setOf(KEY)) : says(active()))
    const policy = both(wants === 'keys' ? auth.withKeys() : auth.withIntrospection({ cache: false }))
    policy.signatures.api.replay = 'shared'
    const claims = []
    const replay = { claim: async ({ key }) => ({ outcome: claims.push(key) && new Set(claims).size === claims.length ? 'made' : 'present', epoch: 0 }) }
    const { guard, reasons } = await guardOf(t, policy, { secrets: wants === 'keys' ? WITH_KEY.secrets : { ...WITH_KEY.secrets, SECRET: 'x'.repeat(8) }, replay })
    const server = await protectedServer(t, guard, echo)
    const sign = await signedClient(policy, server)
    const token = () => (wants === 'keys' ? tokenOf(KEY) : OPAQUE)
    const found = []
    for (let count = 0; count < 3; count += 1) {
      const { write, answer } = sign(token(), 'hello')
      write('hello')
      found.push(...statuses(await answer))
    }
    if (wants === 'keys') {
      const { write, answer } = sign(tokenOf(newKey()), 'hello')
      write('hello')
      assert.deepEqual(statuses(await answer), [401])
    }
    assert.deepEqual([found, claims.length, auth.requests.length], [[200, 200, 200], 3, wants === 'keys' ? 1 : 3])
    assert.deepEqual(reasons(), wants === 'keys' ? ['token_signature_mismatch'] : [])
  })
}

test('hooks hear of a request that waited, and errors of the application are its own', async (t) => {
  const { auth, isAsked, open } = await slowKeys(t)
  const heard = []
  const { guard } = await guardOf(t, auth.withKeys(), { onDeny: ({ reason }, { target }, message) => heard.push([reason, target, message.url]) })
  const server = await protectedServer(t, guard, () => {
    throw new Error('of the application')
  })
  const uncaught = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve))
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  const socket = connectTo(server.address().port, '127.0.0.1')
  socket.write(http('GET /a HTTP/1.1', 'Host: localhost', BEARER()))
  const forged = talk(server, http('GET /b HTTP/1.1', 'Host: localhost', `Authorization: Bearer ${tokenOf(newKey())}`))
  await isAsked()
  open()
  assert.equal((await uncaught).message, 'of the application')
  socket.destroy()
  assert.deepEqual(statuses(await forged), [401])
  assert.deepEqual(heard, [['token_signature_mismatch', '/b', '/b']])
  await assert.rejects(guard.reload({ policy: 5 }), coded('HOSTBOUND_OPTION'))
})
