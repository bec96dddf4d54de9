// policies/envoy/routed-by-key: an edge and two replicas, before which each signed request counts once in all.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { connect } from 'node:tls'

import { certificates } from '../../bindings/node/test/support/ca.mjs'
import { startEnvoy, validated } from './support/envoy.mjs'
import { POLICIES, put, resource } from './support/filter.mjs'
import { Http1 } from './support/http1.mjs'
import { Http2 } from './support/http2.mjs'
import { signed } from './support/rfc9421.mjs'
import { shipped } from './support/shipped.mjs'
import { echo } from './support/upstream.mjs'

const { ACME_KEY, ACME_KEY_NEXT } = JSON.parse(readFileSync(`${POLICIES}partner-api.secrets.json`))
const KEYS = { 'acme-2026-11': ACME_KEY, 'acme-2026-12': ACME_KEY_NEXT }
/** `clock_tolerance` and a second. */
const STORE_IS_OLD_MS = 6500

const folder = mkdtempSync(join(tmpdir(), 'hostbound-routed-'))
const made = certificates({ after })
made.authority('ca')
for (const [name, of] of [['server', 'api.partner.example'], ['edge', 'edge.internal'], ['replica', 'replica.internal'], ['stranger', 'stranger.internal']]) made.issue(name, 'ca', `DNS:${of}`)
const parts = []
after(async () => {
  await Promise.all(parts.map((part) => (part.stop ?? part.close).call(part)))
  rmSync(folder, { recursive: true })
})

function etc(name) {
  const files = join(folder, name)
  mkdirSync(files, { recursive: true })
  for (const each of ['server', 'edge', 'replica']) for (const kind of ['pem', 'key']) copyFileSync(made.path(`${each}.${kind}`), join(files, `${each}.${kind}`))
  copyFileSync(made.path('ca.pem'), join(files, 'internal-ca.pem'))
  return files
}

/** Starts a replica, before a server of its own. */
async function replica(name) {
  const files = etc(name)
  const server = join(files, 'server.sock')
  parts.push(await echo(server))
  put(join(files, 'hostbound.json'), resource(files, 'envoy/signed-api.toml', { secrets: { ACME_KEY, ACME_KEY_NEXT }, words: ['--identity-headers'] }))
  const text = shipped('routed-by-key/replica.yaml', { server, files })
  assert.deepEqual(validated(files, text), { isValid: true, log: '' })
  const one = {
    port: 0,
    async start() {
      one.envoy = await startEnvoy(files, text.replace('port_value: 0', `port_value: ${one.port}`))
      one.port = await one.envoy.portOf('api')
    },
    stop: () => one.envoy.stop(),
    /** How many requests it has let through. */
    allowed: async () => (await one.envoy.counters())['hostbound.allowed'] ?? 0,
  }
  await one.start()
  parts.push(one)
  return one
}

/** Starts an edge before replicas. */
async function edge(name, replicas) {
  const files = etc(name)
  const endpoint = (port) => `- endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }`
  const [first, second] = [1, 2].map((last) => `- endpoint: { address: { socket_address: { address: 192.0.2.${last}, port_value: 8443 } } }`)
  const places = { [first]: endpoint(replicas[0].port), [second]: replicas[1] ? endpoint(replicas[1].port) : '' }
  const text = shipped('routed-by-key/edge.yaml', { files, places })
  assert.deepEqual(validated(files, text), { isValid: true, log: '' })
  const envoy = await startEnvoy(files, text, { workers: 2 })
  parts.push(envoy)
  return { port: await envoy.portOf('api'), stop: () => envoy.stop(), envoy }
}

/** Sends a request over a new connection. */
async function ask({ port }, request, kind = Http1) {
  const client = new kind({ path: port, tls: true })
  const sent = kind === Http2 ? { ...request, headers: request.headers.map(([name, value]) => [name === 'host' ? ':authority' : name.toLowerCase(), value]) } : request
  const answer = await client.ask(sent)
  await client.close()
  return answer
}

const replicas = [await replica('one'), await replica('two')]
const api = await edge('edge', replicas)
await later(STORE_IS_OLD_MS)
const signedBy = (keyId, more) => signed({ key: KEYS[keyId], keyId, ...more })
const without = (request, name) => request.headers.filter(([other]) => other !== name)

/** The replica of each key, by which of them let its requests through. */
const homes = {}

test('requests of one key go to one replica', async () => {
  for (const keyId of Object.keys(KEYS)) {
    const before = await Promise.all(replicas.map((one) => one.allowed()))
    for (let count = 0; count < 8; count++) assert.equal((await ask(api, signedBy(keyId), count % 2 ? Http2 : Http1)).status, 200)
    const after = await Promise.all(replicas.map((one) => one.allowed()))
    const counts = after.map((count, index) => count - before[index])
    assert.deepEqual(counts.toSorted(), [0, 8])
    homes[keyId] = counts.indexOf(8)
  }
})

test('the same request is taken once, over whatever connection', async () => {
  for (const keyId of Object.keys(KEYS)) {
    const request = signedBy(keyId, { method: 'POST', target: '/orders', body: '{"item":7}' })
    const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => ask(api, request, index % 2 ? Http2 : Http1)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.equal(answers.filter(({ status }) => status === 401).length, 15)
  }
})

test('who sends it again cannot choose another replica', async () => {
  const others = ['acme-2026-11', 'acme-2026-12', 'ACME-2026-11', '', ...Array.from({ length: 4 }, () => randomBytes(4).toString('hex'))]
  for (const keyId of Object.keys(KEYS)) {
    const request = signedBy(keyId)
    assert.equal((await ask(api, request)).status, 200)
    const rest = without(request, 'x-key-id')
    const input = request.headers.find(([name]) => name === 'signature-input')[1]
    const tricks = [
      ...others.map((other) => [...rest, ['x-key-id', other]]),
      ...others.map((other) => [...request.headers, ['x-key-id', other]]),
      ...others.map((other) => [...rest, ['x-key-id', other], ['x-key-id', keyId]]),
      ...others.map((other) => [...request.headers, ['x_key_id', other]]),
      ...others.map((other) => [...rest, ['x-key-id', `${keyId},${other}`]]),
      // HTTP/2 carries blanks that HTTP/1.1 takes away.
      ...[...Array(16).keys()].map((count) => [...rest, ['x-key-id', `${' \t'.repeat(count)} ${keyId}${' '.repeat(count % 3)}`]]),
      [...rest, ['X-KEY-ID', keyId]],
      rest,
      [...request.headers, ['connection', 'x-key-id']],
      [...request.headers, ['connection', 'close, X-Key-Id']],
      // Members that nobody signed, with another key id for whoever looks for one.
      request.headers.map(([name, value]) => (name === 'signature-input' ? [name, `a=("@method");keyid="acme-2026-12", ${value}`] : [name, value])),
      [...without(request, 'signature-input'), ['signature-input', 'a=("@method");keyid="x"'], ['signature-input', input]],
      [...request.headers, ['x-envoy-retry-on', '5xx,retriable-4xx'], ['x-envoy-max-retries', '3']],
      [...request.headers, ['x-envoy-hedge-on-per-try-timeout', 'true'], ['x-envoy-upstream-rq-per-try-timeout-ms', '1']],
      [...request.headers, ['x-forwarded-for', '192.0.2.1'], ['x-forwarded-host', 'api.partner.example']],
    ]
    const trials = tricks.flatMap((headers) => [Http1, Http2].map(async (kind) => ({ headers, kind, answer: await ask(api, { ...request, headers }, kind) })))
    // None is an answer too: Envoy ends the connection.
    for (const { headers, kind, answer } of await Promise.all(trials)) assert.notEqual(answer?.status, 200, `${kind.name} ${JSON.stringify(headers)}`)
    for (const target of ['https://api.partner.example/orders/7', 'http://api.partner.example/orders/7', '/orders/7?', '//orders/7', '/orders//7', '/orders/%37']) {
      assert.notEqual((await ask(api, { ...request, target }))?.status, 200, target)
    }
  }
})

test('without the header the edge refuses', async () => {
  const request = signedBy('acme-2026-11')
  const answer = await ask(api, { ...request, headers: without(request, 'x-key-id') })
  assert.deepEqual([answer.status, answer.body], [401, 'signature_missing\n'])
})

test('a replica takes nobody but the edge', async () => {
  const spoken = (options) =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: replicas[0].port, rejectUnauthorized: false, ...options })
      let text = ''
      socket.on('data', (chunk) => (text += chunk)).on('error', () => {}).on('close', () => resolve(text))
      socket.write('GET /orders/7 HTTP/1.1\r\nhost: api.partner.example\r\nconnection: close\r\n\r\n')
    })
  const by = (name) => ({ cert: made.read(`${name}.pem`), key: made.read(`${name}.key`) })
  assert.equal(await spoken({}), '')
  assert.equal(await spoken(by('stranger')), '')
  assert.match(await spoken(by('edge')), /^HTTP\/1\.1 401 /)
})

test('a replica that is down is not replaced: 503, and no replay elsewhere', async () => {
  const requests = Object.fromEntries(Object.keys(KEYS).map((keyId) => [keyId, signedBy(keyId)]))
  for (const request of Object.values(requests)) assert.equal((await ask(api, request)).status, 200)
  await replicas[0].stop()
  for (let count = 0; count < 4; count++) {
    for (const [keyId, request] of Object.entries(requests)) {
      assert.equal((await ask(api, request)).status, homes[keyId] === 0 ? 503 : 401)
      assert.equal((await ask(api, signedBy(keyId))).status, homes[keyId] === 0 ? 503 : 200)
    }
  }
  await replicas[0].start()
})

test('the list of replicas is changed as edge.yaml says, and not otherwise', async () => {
  await later(STORE_IS_OLD_MS)
  const requests = Object.fromEntries(Object.keys(KEYS).map((keyId) => [keyId, signedBy(keyId)]))
  const statuses = async (edge) => Object.fromEntries(await Promise.all(Object.entries(requests).map(async ([keyId, request]) => [keyId, (await ask(edge, request)).status])))
  const each = (value) => Object.fromEntries(Object.keys(KEYS).map((keyId) => [keyId, value(keyId)]))
  assert.deepEqual(await statuses(api), each(() => 200))
  await api.stop()
  // What must not be done: a replica that ran all the time does not know what the one that is gone has taken.
  const careless = await edge('careless', [replicas[1]])
  assert.deepEqual(await statuses(careless), each((keyId) => (homes[keyId] === 0 ? 200 : 401)))
  await careless.stop()
  // What is to be done: every replica is started anew.
  await replicas[1].stop()
  await replicas[1].start()
  const careful = await edge('careful', [replicas[1]])
  assert.deepEqual(await statuses(careful), each(() => 503))
  await later(STORE_IS_OLD_MS)
  assert.deepEqual(await statuses(careful), each(() => 503))
  for (const keyId of Object.keys(KEYS)) assert.equal((await ask(careful, signedBy(keyId))).status, 200)
})
