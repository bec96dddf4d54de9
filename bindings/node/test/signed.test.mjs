// Signed requests before real servers: what the application gets is what was judged, and nothing reaches it before the verdict.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, request as send } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import express from 'express'
import { Guard, Policy, reasonOf } from 'hostbound'
import { hostbound } from 'hostbound/node'

import { coded } from './support/policies.mjs'
import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { nextSecond, own, policyWith, PROFILES, read, SECRETS, signedLines, signedService, signerOf } from './support/signed.mjs'

const BODY = '{"a":1}'

/** Sends a signed POST and gives the answer's text. */
function post(service, { path = '/a?b=c', body = BODY, sent = body, ...more } = {}) {
  const { signer, server, port } = service
  const lines = signedLines(signer, { method: 'POST', target: path, host: `localhost:${port}`, body, ...more })
  const length = more.chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${Buffer.byteLength(sent)}`
  const text = more.chunked ? `${Buffer.byteLength(sent).toString(16)}\r\n${sent}\r\n0\r\nX-Trailer: a\r\n\r\n` : sent
  return talk(server, http(`POST ${path} HTTP/1.1`, ...lines, length, 'Connection: close') + text)
}

for (const [profile, policy] of Object.entries(PROFILES)) {
  test(`${profile}: signed requests are served with their body, others are not`, async (t) => {
    const service = await signedService(t, policy)
    const { reached } = service
    assert.deepEqual(statuses(await post(service)), [200])
    // Of service-scoped the MAC is the nonce: the same request again in the same second is a replay.
    assert.deepEqual(statuses(await post(service, { path: '/b', chunked: true })), [200])
    assert.deepEqual(statuses(await post(service, { body: '' })), [200])
    assert.deepEqual(statuses(await post(service, { body: 'x'.repeat(300_000) })), [200])
    assert.deepEqual(reached.map(({ body }) => body.length), [BODY.length, BODY.length, 0, 300_000])
    assert.equal(reached[0].body, BODY)
    assert.equal(reached[1].trailers['x-trailer'], 'a')
    for (const { hostbound } of reached) {
      assert.deepEqual([hostbound.signature.name, hostbound.signature.key_id], ['api', 'k1'])
      assert.equal(hostbound.signature.nonce === null, profile === 'service-scoped')
    }
    const tampered = await post(service, { sent: '{"a":2}' })
    assert.match(tampered, /^HTTP\/1\.1 401 Unauthorized\r\n[^]*www-authenticate: Signature\r\n[^]*\r\n\r\nsignature_invalid\n$/)
    const plain = await talk(service.server, http('GET /a HTTP/1.1', `Host: localhost:${service.port}`))
    assert.match(plain, /^HTTP\/1\.1 401 [^]*www-authenticate: Signature\r\n[^]*signature_missing\n$/)
    assert.deepEqual(statuses(await talk(service.server, http('GET /open HTTP/1.1', `Host: localhost:${service.port}`, 'Connection: close'))), [200])
    assert.equal(reached.length, 5)
  })
}

test('a signed request is served once', async (t) => {
  const service = await signedService(t)
  const { signer, server, port, reached } = service
  const text = http('GET /a HTTP/1.1', ...signedLines(signer, { target: '/a', host: `localhost:${port}` }), 'Connection: close')
  assert.deepEqual(statuses(await talk(server, text)), [200])
  const again = await Promise.all(Array.from({ length: 20 }, () => talk(server, text)))
  for (const answer of again) assert.match(answer, /^HTTP\/1\.1 401 [^]*signature_invalid\n$/)
  assert.equal(reached.length, 1)
})

test('of twenty at once one is served', async (t) => {
  const service = await signedService(t)
  const { signer, server, port, reached } = service
  const text = http('POST /a HTTP/1.1', ...signedLines(signer, { method: 'POST', target: '/a', host: `localhost:${port}`, body: BODY }), `Content-Length: ${BODY.length}`, 'Connection: close') + BODY
  const answers = await Promise.all(Array.from({ length: 20 }, () => talk(server, text)))
  assert.equal(answers.flatMap(statuses).filter((status) => status === 200).length, 1)
  assert.equal(reached.length, 1)
})

test('signatures from before the start are refused for a moment', async (t) => {
  const service = await signedService(t, policyWith({ clock_tolerance: '10m', max_age: '10m' }))
  const answer = await post(service)
  assert.match(answer, /^HTTP\/1\.1 503 [^]*retry-after: 601\r\n[^]*\r\n\r\nunavailable\n$/)
  assert.equal(service.reached.length, 0)
  assert.equal(service.lines.at(-1).reason, 'replay_store_unavailable')
})

test('too much body is answered before it has come, and no more is kept', async (t) => {
  const service = await signedService(t, policyWith({ max_body: '1KiB' }))
  const { signer, server, port, reached } = service
  const host = `localhost:${port}`
  const declared = signedLines(signer, { method: 'POST', target: '/a', host, body: '' })
  const start = await talk(server, http('POST /a HTTP/1.1', ...declared, 'Content-Length: 1025'))
  assert.match(start, /^HTTP\/1\.1 413 [^]*body_too_large\n$/)
  // Chunked: nobody says how much there will be.
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk))
  socket.write(http('POST /a HTTP/1.1', ...signedLines(signer, { method: 'POST', target: '/a', host, body: '' }), 'Transfer-Encoding: chunked'))
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`
  socket.write(chunk)
  socket.write(chunk)
  await once(socket, 'close')
  assert.match(answer, /^HTTP\/1\.1 413 [^]*body_too_large\n$/)
  assert.deepEqual(statuses(await post(service, { body: 'x'.repeat(1024) })), [200])
  assert.equal(reached.length, 1)
})

test('a client that goes away before its body has come reaches nothing', async (t) => {
  const service = await signedService(t)
  const { signer, port, reached, server } = service
  const lines = signedLines(signer, { method: 'POST', target: '/a', host: `localhost:${port}`, body: BODY })
  const socket = connect(port, '127.0.0.1')
  socket.write(`${http('POST /a HTTP/1.1', ...lines, `Content-Length: ${BODY.length}`)}${BODY.slice(0, 3)}`)
  const [connection] = await once(server, 'connection')
  await once(connection, 'data')
  socket.destroy()
  await new Promise((resolve) => connection.on('error', () => {}).on('close', resolve))
  assert.deepEqual(statuses(await post(service)), [200])
  assert.equal(reached.length, 1)
})

test('Expect: 100-continue is answered when the head has passed', async (t) => {
  const service = await signedService(t)
  const { signer, port, reached } = service
  const { headers } = signer.sign({ method: 'POST', target: '/a', headers: [['host', `localhost:${port}`]], body: BODY })
  const request = send({ port, method: 'POST', path: '/a', headers: { ...Object.fromEntries(headers), host: `localhost:${port}`, expect: '100-continue', 'content-length': BODY.length } })
  request.flushHeaders()
  await once(request, 'continue')
  assert.equal(reached.length, 0)
  request.end(BODY)
  const [response] = await once(request, 'response')
  assert.deepEqual([response.statusCode, String(await read(response))], [200, 'served 7\n'])
  const refused = send({ port, method: 'POST', path: '/a', headers: { host: `localhost:${port}`, expect: '100-continue', 'content-length': 7 } })
  refused.on('continue', () => assert.fail('asked for a body without a signature'))
  refused.on('error', () => {})
  refused.flushHeaders()
  const [denied] = await once(refused, 'response')
  assert.equal(denied.statusCode, 401)
})

test('requests of one connection are judged one by one', async (t) => {
  const service = await signedService(t)
  const { signer, server, port, reached } = service
  const one = (body, sent = body, end = '') =>
    http('POST /a HTTP/1.1', ...signedLines(signer, { method: 'POST', target: '/a', host: `localhost:${port}`, body }), `Content-Length: ${sent.length}`, ...(end ? [end] : [])) + sent
  const pipelined = one('first') + one('second') + one('third', 'third', 'Connection: close')
  assert.deepEqual(statuses(await talk(server, pipelined)), [200, 200, 200])
  assert.deepEqual(reached.map(({ body }) => body), ['first', 'second', 'third'])
  const answer = await talk(server, one('good') + one('good', 'evil') + one('never', 'never', 'Connection: close'))
  assert.deepEqual(statuses(answer).slice(0, 2), [200, 401])
  assert.ok(!reached.some(({ body }) => body === 'evil'))
})

test('Express: the guard before a body parser works, behind one it says so', async (t) => {
  const policy = policyWith()
  const lines = []
  const guard = await hostbound({ policy, secrets: own(policy), log: (line) => lines.push(JSON.parse(line)) })
  const signer = await signerOf(policy)
  const app = express()
  app.use('/before', guard.middleware, express.json(), (request, response) => response.json(request.body))
  app.use('/behind', express.json(), guard.middleware, (request, response) => response.json(request.body))
  app.use('/late', (_request, _response, next) => setTimeout(next, 20), guard.middleware, express.json(), (request, response) => response.json(request.body))
  const server = await listening(createServer(app))
  await nextSecond()
  t.after(() => stop(server))
  const service = { signer, server, port: server.address().port }
  const headers = [['content-type', 'application/json']]
  assert.match(await post(service, { path: '/before/x?y', headers }), /200 OK[^]*\{"a":1\}$/)
  assert.match(await post(service, { path: '/late', headers }), /200 OK[^]*\{"a":1\}$/)
  assert.match(await post(service, { path: '/late', headers, body: `{"a":"${'x'.repeat(90_000)}"}` }), /200 OK/)
  assert.match(await post(service, { path: '/late', sent: '{"a":2}', headers }), /401 Unauthorized/)
  assert.match(await post(service, { path: '/behind', headers }), /500 Internal Server Error[^]*unavailable/)
  assert.match(lines.at(-1).detail, /put the guard before every body parser/)
})

test('HTTP/2: streams and requests', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  await nextSecond()
  for (const kind of ['request', 'stream']) {
    const reached = []
    const server = guard.protect(createHttp2Server())
    if (kind === 'request') {
      server.on('request', async (request, response) => {
        reached.push({ body: String(await read(request)), identity: request.hostbound })
        response.end('served')
      })
    } else {
      server.on('stream', async (stream) => {
        reached.push({ body: String(await read(stream)), identity: stream.hostbound })
        stream.respond({ ':status': 200 })
        stream.end('served')
      })
    }
    await listening(server)
    const { port } = server.address()
    const client = connectHttp2(`http://localhost:${port}`)
    const ask = async (body, sent = body, more = {}) => {
      const { headers } = signer.sign({ method: 'POST', version: '2', target: '/a', headers: [[':authority', `localhost:${port}`]], body })
      const stream = client.request({ ':method': 'POST', ':path': '/a', ...Object.fromEntries(headers), ...more })
      if (more.expect) await once(stream, 'continue')
      stream.end(sent)
      const [{ ':status': status }] = await once(stream, 'response')
      await read(stream)
      return status
    }
    assert.equal(await ask(BODY), 200)
    assert.equal(await ask(''), 200)
    assert.equal(await ask('x'.repeat(200_000)), 200)
    assert.equal(await ask(BODY, '{"a":2}'), 401)
    assert.equal(await ask(BODY, BODY, { expect: '100-continue' }), 200)
    assert.deepEqual(reached.map(({ body }) => body.length), [7, 0, 200_000, 7])
    assert.ok(reached.every(({ identity }) => identity.signature.key_id === 'k1'))
    client.close()
    await stop(server)
  }
})

test('HTTP/2: trailers come through, and a client is asked for its body once', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  const reached = []
  const server = guard.protect(createHttp2Server(async (request, response) => {
    await read(request)
    reached.push(request.trailers['x-trailer'], request.rawTrailers.length)
    response.end('served')
  }))
  await listening(server)
  await nextSecond()
  const { port } = server.address()
  const client = connectHttp2(`http://localhost:${port}`)
  t.after(() => {
    client.destroy()
    return stop(server)
  })
  const ask = async (more) => {
    const { headers } = signer.sign({ method: 'POST', version: '2', target: '/a', headers: [[':authority', `localhost:${port}`]], body: BODY })
    const stream = client.request({ ':method': 'POST', ':path': '/a', ...Object.fromEntries(headers), ...more }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'a' }))
    let asked = 0
    stream.on('continue', () => (asked += 1)).on('headers', () => (asked += 1))
    stream.end(BODY)
    const [{ ':status': status }] = await once(stream, 'response')
    await read(stream)
    return [status, asked]
  }
  assert.deepEqual(await ask({}), [200, 0])
  const [status, asked] = await ask({ expect: '100-continue' })
  assert.equal(status, 200)
  // Node tells of each 100 by both events.
  assert.equal(asked, 2)
  assert.deepEqual(reached, ['a', 2, 'a', 2])
})

test('upgrades are signed without a body', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  const server = guard.protect(createServer())
  const reached = []
  server.on('upgrade', (request, socket) => {
    reached.push(request.hostbound.signature.key_id)
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  await listening(server)
  await nextSecond()
  t.after(() => stop(server))
  const host = `localhost:${server.address().port}`
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: a', 'Sec-WebSocket-Version: 13']
  const signed = http('GET /a HTTP/1.1', ...signedLines(signer, { target: '/a', host }), ...upgrade)
  assert.deepEqual(statuses(await talk(server, signed)), [101])
  assert.deepEqual(statuses(await talk(server, signed)), [401])
  assert.deepEqual(statuses(await talk(server, http('GET /a HTTP/1.1', `Host: ${host}`, ...upgrade))), [401])
  assert.deepEqual(reached, ['k1'])
})

test('duplicates and other spellings of signature headers are refused', async (t) => {
  const service = await signedService(t)
  const { signer, server, port } = service
  const lines = () => signedLines(signer, { target: '/a', host: `localhost:${port}` })
  for (const extra of ['X-Nonce: a', 'X_Nonce: a', 'x-api-signature: a', 'X-API_Signature: a', 'X-Timestamp: 1']) {
    const answer = await talk(server, http('GET /a HTTP/1.1', ...lines(), extra))
    assert.match(answer, /^HTTP\/1\.1 400 [^]*header_duplicate\n$/, extra)
  }
})

test('two Hosts of a signed request are refused', async (t) => {
  const service = await signedService(t)
  const { signer, server, port, reached } = service
  const lines = signedLines(signer, { target: '/a', host: `localhost:${port}` })
  for (const hosts of [[...lines, 'Host: evil.test'], ['Host: evil.test', ...lines], [...lines, lines[0]]]) {
    assert.match(await talk(server, http('GET /a HTTP/1.1', ...hosts)), /^HTTP\/1\.1 400 [^]*host_duplicate\n$/)
  }
  assert.equal(reached.length, 0)
})

test('the bytes of a body are judged and not their text', async (t) => {
  const service = await signedService(t)
  const { signer, server, port, reached } = service
  const ask = (signed, sent) => {
    const lines = signedLines(signer, { method: 'POST', target: '/a', host: `localhost:${port}`, body: signed })
    return talk(server, http('POST /a HTTP/1.1', ...lines, `Content-Length: ${sent.length}`, 'Connection: close') + sent)
  }
  const bytes = Uint8Array.of(0xff, 0, 0xfe, 0x0d, 0x0a)
  assert.deepEqual(statuses(await ask(bytes, '\xff\0\xfe\r\n')), [200])
  assert.equal(reached[0].body, '\xff\0\xfe\r\n')
  // A decoder makes U+FFFD of what is no UTF-8.
  assert.deepEqual(statuses(await ask('\ufffd', '\xff')), [401])
  assert.deepEqual(statuses(await ask(Uint8Array.of(0xff), '\xef\xbf\xbd')), [401])
  assert.deepEqual(statuses(await ask('{"a": 1}', '{"a":1}')), [401])
  assert.equal(reached.length, 1)
})

test('mounted middleware judges the whole target', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  const app = express()
  app.use('/v1', guard.middleware, (request, response) => response.end(`${request.url}\n`))
  const server = await listening(createServer(app))
  t.after(() => stop(server))
  await nextSecond()
  const host = `localhost:${server.address().port}`
  const ask = (signed, sent) => talk(server, http(`GET ${sent} HTTP/1.1`, ...signedLines(signer, { target: signed, host }), 'Connection: close'))
  assert.match(await ask('/v1/a%2fb?c=%20d', '/v1/a%2fb?c=%20d'), / 200 OK[^]*\/a%2fb\?c=%20d\n$/)
  for (const signed of ['/a%2fb?c=%20d', '/v1/a%2Fb?c=%20d', '/v1/a%2fb?c=+d', '/v1/a%2fb']) {
    assert.deepEqual(statuses(await ask(signed, '/v1/a%2fb?c=%20d')), [401], signed)
  }
})

test('a reload that changes what is claimed begins the store in memory anew', async () => {
  const policy = (keys, more) => Policy.fromObject(policyWith({ keys, ...more }))
  const key = (id) => [{ id, secret: { name: 'value' } }]
  const secrets = { value: SECRETS.KEY }
  const now = Math.floor(Date.now() / 1000)
  const reasonAfter = async (keys, more) => {
    const guard = new Guard(await policy(key('old')), { secrets, epoch: 1 })
    const request = { method: 'GET', target: '/a', now, headers: [['host', 'localhost']] }
    const { headers } = guard.sign(request, { section: Object.keys(policyWith({ keys: [] }).signatures)[0] })
    const signed = { ...request, headers: [...request.headers, ...headers] }
    assert.equal(guard.judge(signed), 0)
    guard.reload(await policy(keys, more), { secrets })
    return reasonOf(guard.judge(signed))
  }
  assert.equal(await reasonAfter(key('old')), 'nonce_replayed')
  assert.equal(await reasonAfter(key('new')), 'replay_store_unavailable')
  assert.equal(await reasonAfter(key('old'), { max_age: '10m' }), 'replay_store_unavailable')
})

test('keys are rotated by a reload, and used nonces stay used', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'hostbound.json')
  const write = (keys) => writeFileSync(file, JSON.stringify(policyWith({ keys })))
  writeFileSync(join(folder, 'old.key'), SECRETS.KEY)
  writeFileSync(join(folder, 'new.key'), SECRETS.OTHER_KEY)
  const old = { id: 'old', secret: { file: 'old.key' } }
  const fresh = { id: 'new', secret: { file: 'new.key' } }
  write([old])
  const reached = []
  const guard = await hostbound({ policy: file, log: false })
  const server = guard.protect(createServer((request, response) => {
    reached.push(request.hostbound.signature.key_id)
    response.end()
  }))
  await listening(server)
  await nextSecond()
  t.after(() => stop(server))
  const host = `localhost:${server.address().port}`
  const by = async (key) => signerOf({ ...policyWith({ keys: [{ id: key, secret: { name: 'value' } }] }) }, { secrets: { value: key === 'old' ? SECRETS.KEY : SECRETS.OTHER_KEY } })
  const ask = async (signer, text) => statuses(await talk(server, text ?? http('GET /a HTTP/1.1', ...signedLines(signer, { target: '/a', host }), 'Connection: close')))[0]
  const [byOld, byNew] = [await by('old'), await by('new')]
  const first = http('GET /a HTTP/1.1', ...signedLines(byOld, { target: '/a', host }), 'Connection: close')
  assert.deepEqual([await ask(byOld, first), await ask(byNew)], [200, 401])
  write([fresh, old])
  await guard.reload()
  assert.deepEqual([await ask(byOld), await ask(byNew), await ask(byOld, first)], [200, 200, 401])
  write([fresh])
  await guard.reload()
  assert.deepEqual([await ask(byOld), await ask(byNew)], [401, 200])
  // A policy that is refused changes nothing.
  write([])
  await assert.rejects(guard.reload(), coded('HOSTBOUND_POLICY'))
  writeFileSync(join(folder, 'new.key'), `${SECRETS.KEY}\n`)
  write([fresh])
  await assert.rejects(guard.reload(), coded('HOSTBOUND_POLICY', /ends in a line feed/))
  assert.equal(await ask(byNew), 200)
  assert.deepEqual(reached, ['old', 'old', 'new', 'new', 'new'])
})

test('secrets come from the environment, files and the option; none is a refusal to start', async (t) => {
  const policy = policyWith({ keys: [{ id: 'k1', secret: { env: 'HOSTBOUND_TEST_KEY' } }] })
  await assert.rejects(hostbound({ policy, log: false }), (error) => error.errors[0].code === 'secret-missing' && !error.message.includes('published'))
  process.env.HOSTBOUND_TEST_KEY = SECRETS.KEY
  t.after(() => delete process.env.HOSTBOUND_TEST_KEY)
  await hostbound({ policy, log: false })
  await assert.rejects(hostbound({ policy, secrets: { HOSTBOUND_TEST_KEY: 'short' }, log: false }), (error) => error.errors[0].code === 'secret-short')
  await assert.rejects(hostbound({ policy, secrets: { OTHER: SECRETS.KEY }, log: false }), coded('HOSTBOUND_OPTION', /no secret/))
  await assert.rejects(hostbound({ policy, secrets: { HOSTBOUND_TEST_KEY: 7 }, log: false }), coded('HOSTBOUND_OPTION'))
})

test('what this face cannot keep to is refused at the start', async () => {
  const shared = policyWith({ replay: 'shared' })
  await assert.rejects(hostbound({ policy: shared, secrets: own(shared), log: false }), coded('HOSTBOUND_OPTION', /shared replay store/))
  const large = policyWith({ max_body: '1GiB' })
  await assert.rejects(hostbound({ policy: large, secrets: own(large), log: false }), coded('HOSTBOUND_OPTION', /256MiB/))
})

test('a store that fails, lies or says nothing refuses', async (t) => {
  let answer
  const service = await signedService(t, policyWith({ replay: 'shared' }), { replay: { claim: () => answer() } })
  for (const wrong of [() => { throw new Error('down') }, () => Promise.reject(new Error('down')), () => Promise.resolve(undefined), () => Promise.resolve({ outcome: 'yes', epoch: 0 }), () => Promise.resolve({ outcome: 'made', epoch: 'now' })]) {
    answer = wrong
    assert.match(await post(service), /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*unavailable\n$/, String(wrong))
  }
  assert.equal(service.reached.length, 0)
  answer = () => Promise.resolve({ outcome: 'made', epoch: 0 })
  assert.match(await post(service), /^HTTP\/1\.1 200/)
  answer = () => Promise.resolve({ outcome: 'present', epoch: 0 })
  assert.match(await post(service), /^HTTP\/1\.1 401/)
})
