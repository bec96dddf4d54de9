// Clients that go away while a signed request is judged: nothing of theirs is served, and the process stays.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import { connect } from 'node:net'
import test from 'node:test'

import { hostbound } from 'hostbound/node'

import { data, frames, goaway, headers, reset } from './support/frames.mjs'
import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { nextSecond, own, policyWith, read, signedLines, signedService, signerOf } from './support/signed.mjs'

/** NO_ERROR, INTERNAL_ERROR and CANCEL (RFC 9113 §7). */
const CODES = [0, 2, 8]

/** A server of HTTP/2 behind a guard, what reached it, and the fields of a signed request. */
async function service(t, policy = policyWith(), options = {}) {
  const lines = []
  const guard = await hostbound({ policy, secrets: own(policy), log: (line) => lines.push(JSON.parse(line)), ...options })
  const signer = await signerOf(policy)
  const reached = []
  const server = guard.protect(
    createHttp2Server(async (request, response) => {
      reached.push(request.url)
      await read(request)
      response.end('served')
    }),
  )
  await listening(server)
  await nextSecond()
  t.after(() => stop(server))
  const authority = `localhost:${server.address().port}`
  const fields = (more = [], body = '') => {
    const signed = signer.sign({ method: 'POST', version: '2', target: '/a', headers: [[':authority', authority]], body }).headers
    return [[':method', 'POST'], [':scheme', 'http'], [':path', '/a'], [':authority', authority], ...more, ...signed]
  }
  const forged = (more) => fields(more).map(([name, value]) => [name, name === 'x-api-signature' ? '0'.repeat(64) : value])
  return { server, reached, lines, fields, forged }
}

/** Sends it all in one packet, and waits until the server has let go of the connection. */
async function send(server, parts) {
  const accepted = once(server, 'session')
  const socket = await frames(server)
  const [session] = await accepted
  const closed = new Promise((resolve) => session.on('error', () => {}).on('close', resolve))
  socket.resume()
  socket.end(Buffer.concat(parts))
  await closed
}

for (const [name, more, after] of [
  ['at once', [], () => []],
  ['after a part of the body', [], (id) => [data(id, 'hello')]],
  ['after Expect', [['expect', '100-continue']], () => []],
]) {
  test(`HTTP/2: a stream that is reset ${name} reaches nothing, forged or not`, async (t) => {
    const { server, reached, lines, fields, forged } = await service(t)
    for (const code of CODES) {
      for (const kind of [fields, forged]) {
        await send(server, [headers(1, kind(more)), ...after(1), reset(1, code)])
        await send(server, [headers(1, kind(more)), ...after(1), reset(1, code), goaway(code)])
        await send(server, [headers(1, kind(more)), ...after(1), goaway(code)])
      }
    }
    assert.deepEqual(reached, [])
    assert.deepEqual(lines.filter(({ hostbound }) => hostbound === 'error'), [])
  })
}

test('HTTP/2: a part of a body is not taken for the whole of it', async (t) => {
  // What came before the reset is what was signed.
  const { server, reached, fields } = await service(t)
  for (const code of CODES) await send(server, [headers(1, fields([], 'hello')), data(1, 'hello'), reset(1, code)])
  assert.deepEqual(reached, [])
})

test('HTTP/2: what cannot be answered any more is no error', async (t) => {
  const { server, lines, fields } = await service(t)
  const unsigned = fields().slice(0, 4)
  for (const code of CODES) await send(server, [headers(1, unsigned), reset(1, code)])
  assert.deepEqual(lines.filter(({ hostbound }) => hostbound === 'error'), [])
})

/** A shared store that answers when it is told to. */
function slowStore() {
  const store = { claim: () => new Promise((resolve) => { store.answer = () => resolve({ outcome: 'made', epoch: 0 }); store.asked() }) }
  store.wasAsked = new Promise((resolve) => (store.asked = resolve))
  return store
}

/** Whatever was to happen has happened. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

for (const way of ['reset', 'destroy']) {
  test(`HTTP/2: a client that goes away (${way}) while the store is asked reaches nothing`, async (t) => {
    const store = slowStore()
    const { server, reached, fields } = await service(t, policyWith({ replay: 'shared' }), { replay: store })
    const arrived = once(server, 'session')
    const client = connectHttp2(`http://localhost:${server.address().port}`)
    client.on('error', () => {})
    const stream = client.request(Object.fromEntries(fields([], 'hi')))
    stream.on('error', () => {})
    stream.end('hi')
    const [session] = await arrived
    session.on('error', () => {})
    await store.wasAsked
    const gone = new Promise((resolve) => session.on('close', resolve))
    if (way === 'reset') {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      client.close()
    } else client.destroy(new Error('gone'))
    await gone
    store.answer()
    await settled()
    assert.deepEqual(reached, [])
  })
}

for (const [name, method, lines, body] of [
  ['upgrade', 'GET', ['Connection: Upgrade', 'Upgrade: websocket'], ''],
  ['request without a body', 'GET', [], ''],
  ['request with a body', 'POST', ['Content-Length: 2'], 'hi'],
]) {
  test(`HTTP/1: a client that resets its ${name} while the store is asked reaches nothing`, async (t) => {
    const store = slowStore()
    const reached = []
    const { server, signer, port } = await signedService(t, policyWith({ replay: 'shared' }), { replay: store }, () => reached.push('request'))
    server.on('upgrade', () => reached.push('upgrade'))
    const accepted = once(server, 'connection')
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(http(`${method} /a HTTP/1.1`, ...signedLines(signer, { method, target: '/a', host: `localhost:${port}`, body }), ...lines) + body)
    const [connection] = await accepted
    await store.wasAsked
    const gone = new Promise((resolve) => connection.on('close', resolve))
    socket.resetAndDestroy()
    await gone
    store.answer()
    await settled()
    assert.deepEqual(reached, [])
  })
}

test('HTTP/1: what is pipelined behind a request that is denied is not served', async (t) => {
  const { server, signer, port, reached } = await signedService(t)
  const one = (path, body, sent) =>
    http(`POST ${path} HTTP/1.1`, ...signedLines(signer, { method: 'POST', target: path, host: `localhost:${port}`, body }), `Content-Length: ${sent.length}`) + sent
  const answer = await talk(server, one('/a', 'hi', 'hX') + one('/b', 'yo', 'yo'))
  assert.deepEqual(statuses(answer), [401])
  assert.deepEqual(reached, [])
})
