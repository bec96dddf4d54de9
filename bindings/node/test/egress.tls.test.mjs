// TLS of outbound connections: the name, the authorities, the pins and the client certificate, before a byte is sent.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import test from 'node:test'

import { certificates } from './support/ca.mjs'
import { guarded, refusal, services } from './support/outbound.mjs'

const HERE = '127.0.0.2'
const OTHER_PIN = 'sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='

/** A server with a certificate for `orders.internal`, and what a policy may name. */
async function story(t, { name = 'DNS:orders.internal', tls = {} } = {}) {
  const made = certificates(t)
  made.authority('ca')
  made.authority('other')
  made.issue('server', 'ca', name)
  made.issue('client', 'ca', 'DNS:client.internal')
  const names = []
  const make = (listener) => {
    const server = createServer({ cert: made.read('server.pem'), key: made.read('server.key'), ca: made.read('ca.pem'), ...tls }, listener)
    return server.on('secureConnection', (socket) => names.push(socket.servername))
  }
  const servers = await services(t, [HERE], (request, response) => {
    response.end(request.socket.getPeerCertificate().subject?.CN ?? 'nobody')
  }, make)
  const origin = `https://orders.internal:${servers.port}`
  /** Fetches as a destination with these settings; the policy's file lies beside the certificates. */
  const fetched = async (settings, url = origin) => {
    const toml = (value) => (typeof value === 'string' ? `{ file = "${value}" }` : JSON.stringify(value))
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${toml(value)}\n`).join('')
    const path = made.path('hostbound.toml')
    writeFileSync(path, `version = 1\n[hosts]\nallow = ["localhost"]\n[egress]\n[[egress.destinations]]\norigin = "${new URL(url).origin}"\naddresses = ["${HERE}/32"]\n${lines}`)
    const { egress } = await guarded(t, path, { resolver: () => [HERE] })
    const response = await egress.fetch(url)
    return response.text()
  }
  return { ...made, ...servers, requests: servers.seen[HERE].requests, names, fetched }
}

test('the authorities of the destination, and its name as SNI', async (t) => {
  const { fetched, names } = await story(t)
  assert.equal(await fetched({ ca: 'ca.pem' }), 'nobody')
  assert.deepEqual(names, ['orders.internal'])
})

test('a wrong authority, and none', async (t) => {
  const { fetched, requests } = await story(t)
  await assert.rejects(fetched({ ca: 'other.pem' }), refusal('tls_failed'))
  await assert.rejects(fetched({}), refusal('tls_failed'))
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
  await assert.rejects(fetched({}), refusal('tls_failed'))
  assert.deepEqual(requests, [])
})

test('a wrong name', async (t) => {
  const { fetched, requests } = await story(t, { name: 'DNS:other.internal' })
  await assert.rejects(fetched({ ca: 'ca.pem' }), (error) => refusal('tls_failed')(error) && error.cause.code === 'ERR_TLS_CERT_ALTNAME_INVALID')
  assert.deepEqual(requests, [])
})

test('an address as the name', async (t) => {
  const { fetched, port } = await story(t, { name: `IP:${HERE}` })
  assert.equal(await fetched({ ca: 'ca.pem' }, `https://${HERE}:${port}`), 'nobody')
  const wrong = await story(t)
  await assert.rejects(wrong.fetched({ ca: 'ca.pem' }, `https://${HERE}:${wrong.port}`), refusal('tls_failed'))
})

test('pins: the certificate, its issuer, one of several', async (t) => {
  const { fetched, pin } = await story(t)
  for (const pins of [[pin('server')], [pin('ca')], [OTHER_PIN, pin('server')]]) assert.equal(await fetched({ ca: 'ca.pem', pins }), 'nobody')
})

test('a pin that is not presented: not a byte of the request is sent', async (t) => {
  const { fetched, pin, requests } = await story(t)
  for (const pins of [[OTHER_PIN], [pin('client'), pin('other')]]) await assert.rejects(fetched({ ca: 'ca.pem', pins }), refusal('pin_mismatch'))
  assert.deepEqual(requests, [])
})

test('a certificate that is only sent along proves no pin', async (t) => {
  const made = certificates(t)
  // Two authorities of one name: the server's certificate is of the first, and it sends the second along.
  made.authority('ca')
  const first = { pem: made.read('ca.pem'), key: made.read('ca.key') }
  made.issue('server', 'ca', 'DNS:orders.internal')
  made.authority('ca')
  const forged = made.read('ca.pem')
  const pin = made.pin('ca')
  writeFileSync(made.path('first.pem'), first.pem)
  const chain = Buffer.concat([made.read('server.pem'), forged])
  const make = (listener) => createServer({ cert: chain, key: made.read('server.key') }, listener)
  const { port, seen } = await services(t, [HERE], undefined, make)
  const origin = `https://orders.internal:${port}`
  const policy = { destinations: [{ origin, addresses: [`${HERE}/32`], ca: { file: made.path('first.pem') }, pins: [pin] }] }
  const { egress } = await guarded(t, policy, { resolver: () => [HERE] })
  await assert.rejects(egress.fetch(origin), refusal('pin_mismatch'))
  assert.deepEqual(seen[HERE].requests, [])
})

test('a client certificate, for its destination alone', async (t) => {
  const { fetched } = await story(t, { tls: { requestCert: true, rejectUnauthorized: false } })
  assert.equal(await fetched({ ca: 'ca.pem', client_certificate: 'client.both.pem' }), 'client')
  assert.equal(await fetched({ ca: 'ca.pem' }), 'nobody')
})

test('a file that is not there', async (t) => {
  const { fetched } = await story(t)
  await assert.rejects(fetched({ ca: 'missing.pem' }), { code: 'HOSTBOUND_OPTION' })
})
