// What the filter may call, and what it is called for: nothing of the list can be left out.
//
// Envoy does not call a callback that is not listed, and says nothing. A list without `proxy_on_request_headers` is a filter that every request passes by.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'

import { bootstrap, cluster, listener } from './support/bootstrap.mjs'
import { Clock, clockLibrary } from './support/clock.mjs'
import { startEnvoy } from './support/envoy.mjs'
import { discovered, put, resource } from './support/filter.mjs'
import { Http1 } from './support/http1.mjs'
import { Issuer, hostNonce } from './support/sign.mjs'
import { echo, told } from './support/upstream.mjs'

const NOW = 1_767_225_600
const SECRETS = { KEY: '0123456789abcdef0123456789abcdef', CLIENT: 'fedcba9876543210fedcba9876543210' }
const TOO_LONG_MS = 3000
/** Nothing is left out of this one. */
const WHOLE = 'nothing'

const folder = mkdtempSync(join(tmpdir(), 'hostbound-capabilities-'))
const issuer = new Issuer()
const clock = new Clock(clockLibrary(folder), join(folder, 'clock'), NOW)
const log = []
const parts = []
let envoy, server, names

/** Everything that the filter can do is asked for by this policy. */
function policyOf(name) {
  const audience = ['https://api.example']
  return {
    version: 1,
    hosts: { allow: ['localhost'] },
    signatures: { s: { profile: 'host-nonce', clock_tolerance: '0s', keys: [{ id: 'k', secret: { env: 'KEY' } }] } },
    tokens: {
      fetched: { issuer: 'https://fetched.example', audience, algorithms: ['ES256'], types: ['at+jwt'], keys: { url: `https://auth.example/${name}`, pins: 'none' } },
      opaque: { issuer: 'https://opaque.example', audience, introspection: { url: 'https://auth.example/opaque', client_id: 'api', secret: { env: 'CLIENT' } } },
    },
    egress: { allow: ['https://auth.example'], credentials: { 'https://auth.example': ['authorization'] } },
    routes: [
      { path: '/open', require: [] },
      { path: '/signed', require: ['signature:s'] },
      { path: '/fetched', require: ['token:fetched'] },
      { path: '/opaque', require: ['token:opaque'] },
    ],
  }
}

before(async () => {
  const made = resource(folder, policyOf(WHOLE), { secrets: SECRETS, words: ['--identity-headers', '--cluster', 'https://auth.example=auth'] })
  const whole = made.resources[0].typed_config.config
  const listed = whole.vm_config.capability_restriction_config.allowed_capabilities
  names = Object.keys(listed)
  const upstream = join(folder, 'upstream.sock')
  const auth = join(folder, 'auth.sock')
  parts.push(await echo(upstream), (server = await told(auth)))
  const answer = (value) => {
    const text = JSON.stringify(value)
    return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`
  }
  const claims = { iss: 'https://opaque.example', aud: 'https://api.example', sub: 'me', exp: NOW + 600 }
  server.answers.set('/opaque', answer({ active: true, ...claims }))
  const listeners = [WHOLE, ...names].map((name) => {
    const file = join(folder, name, 'filter.json')
    const config = structuredClone(whole)
    config.configuration.value = config.configuration.value.replace(`https://auth.example/${WHOLE}`, `https://auth.example/${name}`)
    config.vm_config.vm_id = name
    delete config.vm_config.capability_restriction_config.allowed_capabilities[name]
    put(file, { resources: [{ ...made.resources[0], typed_config: { ...made.resources[0].typed_config, config } }] })
    server.answers.set(`/${name}`, answer(issuer.keys))
    return listener(name, join(folder, name, 'listener.sock'), 'upstream', [discovered(file)])
  })
  const node = { id: 'test', cluster: 'test' }
  const clusters = [cluster('upstream', upstream), cluster('auth', auth)]
  envoy = await startEnvoy(folder, { node, ...bootstrap(listeners, clusters) }, { env: clock.env, hear: (line) => log.push(line) })
  // Signatures of the second in which the store was made may have been used before.
  clock.set(NOW + 2)
})

after(async () => {
  await envoy?.stop()
  await Promise.all(parts.map((part) => part.close()))
  clock.close()
  rmSync(folder, { recursive: true })
})

/** A client of the listener whose list lacks that name. */
class Client {
  #http
  constructor(name) {
    this.name = name
    this.#http = new Http1({ path: join(folder, name, 'listener.sock') }, '127.0.0.1')
  }

  /** The status of an answer, 0 if there is none in time, and what came behind the filter. */
  async ask(target, headers = [], { method = 'GET', host = 'localhost', body } = {}) {
    const late = later(TOO_LONG_MS).then(() => this.close())
    const answer = await Promise.race([this.#http.ask({ method, target, headers: [['host', host], ...headers], body }).catch(() => undefined), late])
    const seen = answer?.status === 200 ? Object.fromEntries(JSON.parse(answer.body).headers) : {}
    return { status: answer?.status ?? 0, seen, id: answer?.headers['x-request-id'] }
  }

  close() {
    this.#http.close()
  }
}

const post = (body, changed = body, more = []) => {
  const request = { method: 'POST', host: 'localhost', target: '/signed', body }
  return (client) => client.ask('/signed', [...hostNonce(request, { key: SECRETS.KEY, now: NOW + 2 }), ...more], { method: 'POST', body: changed })
}
const chunked = (body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\nx-trailer: 1\r\n\r\n`
const WITH_TRAILERS = [['transfer-encoding', 'chunked']]

/** What has to be so, whatever is asked for. */
const CHECKS = {
  // That the client said of an identity what nobody proved is gone, what is known is there.
  serves: async (client) => {
    const { status, seen } = await client.ask('/open', [['x_hostbound_subject', 'somebody']])
    return status === 200 && seen.x_hostbound_subject === undefined && seen['x-hostbound-policy']?.startsWith('sha256')
  },
  'denies a rebound name': async (client) => (await client.ask('/open', [], { host: 'evil.test' })).status === 421,
  'logs a denial': async (client) => {
    const { id } = await client.ask('/open', [], { host: 'evil.test' })
    return id !== undefined && (await within(200, () => log.some((line) => line.includes(`"id":"${id}"`))))
  },
  'counts a denial': async (client) => {
    const count = async () => (await envoy.counters())['hostbound.denied.host_not_allowed'] ?? 0
    const before = await count()
    await client.ask('/open', [], { host: 'evil.test' })
    return (await count()) === before + 1
  },
  'allows a signed body': async (client) => (await post('body')(client)).status === 200,
  'denies another body': async (client) => (await post('body', 'ydob')(client)).status === 401,
  'allows a signed body before trailers': async (client) => (await post('body', chunked('body'), WITH_TRAILERS)(client)).status === 200,
  'denies another body before trailers': async (client) => (await post('body', chunked('ydob'), WITH_TRAILERS)(client)).status === 401,
  'allows a nonce once': async (client) => {
    const headers = hostNonce({ host: 'localhost', target: '/signed' }, { key: SECRETS.KEY, now: NOW + 2 })
    const once = await client.ask('/signed', headers)
    const twice = await client.ask('/signed', headers)
    return once.status === 200 && twice.status === 401
  },
  'verifies a token by keys that it fetches': async (client) => {
    const token = issuer.token({ iss: 'https://fetched.example', aud: 'https://api.example', sub: 'me', iat: NOW, exp: NOW + 600 })
    const { status, seen } = await client.ask('/fetched', [['authorization', `Bearer ${token}`]])
    return status === 200 && seen['x-hostbound-subject'] === 'me'
  },
  'asks about an opaque token': async (client) => (await client.ask('/opaque', [['authorization', 'Bearer opaque']])).status === 200,
  // By name: what the list before was refused may reach the log late.
  'calls nothing that it may not': async (client, mark) => !log.slice(mark).some((line) => refused(line, client.name)),
}

const ALLOWING = ['serves', 'allows a signed body', 'allows a signed body before trailers', 'allows a nonce once', 'verifies a token by keys that it fetches', 'asks about an opaque token']
const DENYING = ['denies a rebound name', 'logs a denial', 'counts a denial', 'denies another body', 'denies another body before trailers']
const CALLING = 'calls nothing that it may not'
/** A configuration that was refused: every answer is 500. */
const REFUSED = [...ALLOWING, ...DENYING]

/** What fails without it. */
const WITHOUT = {
  // Callbacks. Envoy says nothing about one that it does not call.
  proxy_on_context_create: REFUSED,
  proxy_on_configure: REFUSED,
  // Every request passes.
  proxy_on_request_headers: [...DENYING, 'serves', 'allows a nonce once', 'verifies a token by keys that it fetches'],
  // Bodies pass that nobody read.
  proxy_on_request_body: ['denies another body', 'allows a signed body before trailers'],
  proxy_on_request_trailers: ['denies another body before trailers'],
  proxy_on_http_call_response: ['verifies a token by keys that it fetches', 'asks about an opaque token'],
  // Tested below: keys that are not renewed beside the requests, and memory that is not given back.
  proxy_on_tick: [],
  proxy_on_delete: [],
  // Calls.
  proxy_get_current_time_nanoseconds: REFUSED,
  proxy_set_tick_period_milliseconds: REFUSED,
  proxy_get_buffer_bytes: REFUSED,
  proxy_get_property: REFUSED,
  proxy_get_shared_data: REFUSED,
  proxy_set_shared_data: REFUSED,
  proxy_define_metric: REFUSED,
  proxy_get_header_map_pairs: [...ALLOWING, ...DENYING, CALLING],
  proxy_add_header_map_value: [...ALLOWING, CALLING],
  proxy_remove_header_map_value: ['serves', CALLING],
  // The VM ends, rather than let pass what it cannot refuse: 503.
  proxy_send_local_response: [...DENYING, ...ALLOWING, CALLING].filter((check) => !['logs a denial', 'serves'].includes(check)),
  proxy_continue_stream: ['verifies a token by keys that it fetches', 'asks about an opaque token', CALLING],
  proxy_set_effective_context: ['verifies a token by keys that it fetches', 'asks about an opaque token', CALLING],
  proxy_http_call: ['verifies a token by keys that it fetches', 'asks about an opaque token', CALLING],
  proxy_log: ['logs a denial', CALLING],
  proxy_increment_metric: ['counts a denial', CALLING],
  // Then the filter verifies tokens itself, more slowly.
  proxy_call_foreign_function: [CALLING],
}

/** Whether a line says that a call was made which a list does not have: that of a name, or the whole one. */
function refused(line, name) {
  const said = 'restricted proxy-wasm capability: '
  return line.includes(name === WHOLE ? said : `${said}${name}`)
}

/** The checks that fail for a list that lacks a name. */
async function failedOf(name) {
  const client = new Client(name)
  const mark = log.length
  const failed = []
  for (const [check, holds] of Object.entries(CHECKS)) if (!(await holds(client, mark))) failed.push(check)
  client.close()
  return failed
}

/** Whether something becomes so in time. */
async function within(milliseconds, holds) {
  for (const end = performance.now() + milliseconds; performance.now() < end; await later(10)) if (holds()) return true
  return holds()
}

test('with the whole list every check holds', async () => {
  assert.deepEqual(await failedOf(WHOLE), [])
})

test('without any one of it, a check fails', async (t) => {
  assert.deepEqual(names.toSorted(), Object.keys(WITHOUT).toSorted())
  for (const name of names) await t.test(name, async () => assert.deepEqual((await failedOf(name)).toSorted(), WITHOUT[name].toSorted()))
})

test('the trap: without a callback, what must be denied is served', async () => {
  const headers = new Client('proxy_on_request_headers')
  assert.equal((await headers.ask('/signed', [], { host: 'evil.test' })).status, 200)
  const body = new Client('proxy_on_request_body')
  assert.equal((await post('body', 'ydob')(body)).status, 200)
  const trailers = new Client('proxy_on_request_trailers')
  assert.equal((await post('body', chunked('ydob'), WITH_TRAILERS)(trailers)).status, 200)
  for (const client of [headers, body, trailers]) client.close()
})

test('without proxy_on_delete the memory of requests is kept', async () => {
  assert.ok((await takenBy(WHOLE)) < 15e6)
  assert.ok((await takenBy('proxy_on_delete')) > 25e6)
})

/** How much memory is taken by 200 requests that ended before their bodies. */
async function takenBy(name) {
  const before = envoy.memory
  const request = { method: 'POST', host: 'localhost', target: '/signed', body: 'body' }
  for (let count = 0; count < 200; count++) {
    const http = new Http1({ path: join(folder, name, 'listener.sock') }, '127.0.0.1')
    const headers = [['host', 'localhost'], ...hostNonce(request, { key: SECRETS.KEY, now: NOW + 2 }), ['x-filler', 'x'.repeat(200_000)], ['content-length', '4']]
    const over = http.ask({ ...request, headers, body: 'bod' })
    await later(10)
    http.close()
    await over
  }
  return envoy.memory - before
}

test('without proxy_on_tick no keys are renewed', async () => {
  const asked = (name) => server.asked.filter(({ line }) => line.startsWith(`GET /${name} `)).length
  const before = [asked(WHOLE), asked('proxy_on_tick')]
  assert.deepEqual(before, [1, 1])
  clock.set(NOW + 400)
  assert.ok(await within(20_000, () => asked(WHOLE) === 2))
  // It would have been due at the same time.
  await later(6000)
  assert.equal(asked('proxy_on_tick'), 1)
})
