// Clients that go away while a signed request is judged: nothing of theirs is served, and the process stays.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2Server } from 'node:http2'
import test from 'node:test'

import { hostbound } from 'hostbound/node'

import { data, frames, goaway, headers, reset } from './support/frames.mjs'
import { listening, stop } from './support/raw.mjs'
import { nextSecond, own, policyWith, read, signerOf } from './support/signed.mjs'

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
