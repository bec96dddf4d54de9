// What the bodies of signed requests may take up until the verdict: time, and memory together.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'node:test'

import { hostbound } from 'hostbound/node'

import { coded } from './support/policies.mjs'
import { http, statuses, talk } from './support/raw.mjs'
import { own, policyWith, signedLines, signedService } from './support/signed.mjs'

/** A signed POST that announces a body and sends some of it. */
const post = ({ signer, port }, body, sent = body) =>
  http('POST /a HTTP/1.1', ...signedLines(signer, { method: 'POST', target: '/a', host: `localhost:${port}`, body }), `Content-Length: ${body.length}`, 'Connection: close') + sent

test('a body that does not come in time is answered 408', async (t) => {
  const service = await signedService(t, policyWith(), { bodyTimeout: 50 })
  const answer = await talk(service.server, post(service, 'hello', 'hel'))
  assert.match(answer, /^HTTP\/1\.1 408 [^]*connection: close\r\n[^]*\r\n\r\nrequest_timeout\n$/)
  assert.equal(service.reached.length, 0)
  assert.deepEqual(statuses(await talk(service.server, post(service, 'hello'))), [200])
})

test('bodies that are more together than may be held are answered 503, until there is room again', async (t) => {
  const service = await signedService(t, policyWith({ max_body: '1KiB' }), { bodyMemory: 1024 })
  const accepted = once(service.server, 'connection')
  const first = connect(service.port, '127.0.0.1')
  first.on('error', () => {})
  first.write(post(service, 'x'.repeat(1000), 'x'.repeat(900)))
  const [connection] = await accepted
  while (connection.bytesRead < 900) await new Promise((resolve) => setImmediate(resolve))
  const answer = await talk(service.server, post(service, 'y'.repeat(200)))
  assert.match(answer, /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*\r\n\r\nunavailable\n$/)
  assert.deepEqual(statuses(await talk(service.server, post(service, 'y'.repeat(100)))), [200])
  const gone = new Promise((resolve) => connection.on('close', resolve))
  first.destroy()
  await gone
  for (let index = 0; index < 3; index += 1) assert.deepEqual(statuses(await talk(service.server, post(service, `${index}`.repeat(1024)))), [200])
})

test('bounds that cannot be are refused at the start', async () => {
  const policy = policyWith()
  const start = (options) => hostbound({ policy, secrets: own(policy), log: false, ...options })
  for (const bodyTimeout of [0, -1, 1.5, Infinity, 2 ** 31, '1']) await assert.rejects(start({ bodyTimeout }), coded('HOSTBOUND_OPTION', /bodyTimeout/))
  for (const bodyMemory of [0, -1, 1.5, Infinity, '1', 1024]) await assert.rejects(start({ bodyMemory }), coded('HOSTBOUND_OPTION', /bodyMemory/))
})
