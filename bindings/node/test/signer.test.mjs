// The signer before real guarded servers: what it signs is what arrives, in each profile, through `fetch` and through undici.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import test from 'node:test'
import { inspect } from 'node:util'

import { hostboundEgress } from 'hostbound/egress'
import { Agent, Client, fetch as undiciFetch, interceptors, request, RetryAgent } from 'undici'

import { coded } from './support/policies.mjs'
import { listening, stop } from './support/raw.mjs'
import { policyWith, PROFILES, read, SECRETS, signedService, signerOf } from './support/signed.mjs'

/** A guarded server that keeps what it was sent; `/to/…` redirects. */
async function service(t, policy = policyWith()) {
  const reached = []
  const { server, port, signer, origin } = await signedService(t, policy, { log: false }, async (request, response) => {
    const { method, url, headers, hostbound } = request
    reached.push({ method, url, headers, body: await read(request), hostbound })
    if (url.startsWith('/to/')) response.writeHead(307, { location: url.slice(3) })
    response.end('served')
  })
  const connections = []
  server.on('connection', (socket) => connections.push(socket))
  return { server, port, signer, origin, reached, connections }
}

/** An agent that is closed when the test ends. */
function agent(t, dispatcher = new Agent()) {
  t.after(() => dispatcher.close())
  return dispatcher
}

const BYTES = Uint8Array.from({ length: 256 }, (_, index) => index)
const text = (body) => new TextDecoder().decode(body)
const form = new FormData()
form.set('name', 'Zoë')
form.set('file', new File([BYTES], 'bytes.bin'))

/** Each kind of body: what is handed over, how it arrives, and as what type. */
const BODIES = {
  string: ['{"id":7}', '{"id":7}', 'text/plain;charset=UTF-8'],
  unicode: ['Zoë 🔑 \ud800', 'Zoë 🔑 \ufffd', 'text/plain;charset=UTF-8'],
  empty: ['', '', 'text/plain;charset=UTF-8'],
  bytes: [BYTES, BYTES, undefined],
  view: [new Uint16Array(BYTES.buffer, 2, 10), BYTES.subarray(2, 22), undefined],
  buffer: [BYTES.buffer, BYTES, undefined],
  parameters: [new URLSearchParams({ q: 'a b&c', é: '|' }), 'q=a+b%26c&%C3%A9=%7C', 'application/x-www-form-urlencoded;charset=UTF-8'],
  blob: [new Blob([BYTES], { type: 'image/png' }), BYTES, 'image/png'],
  form: [form, undefined, /^multipart\/form-data; boundary=-*formdata-/],
  stream: [() => new Blob([BYTES, BYTES]).stream(), Buffer.concat([BYTES, BYTES]), undefined],
  large: ['x'.repeat(700_000), 'x'.repeat(700_000), 'text/plain;charset=UTF-8'],
}

/** A target as it is written, and as WHATWG has it. */
const TARGETS = {
  '/a?b=c': '/a?b=c',
  '/a?': '/a',
  '/a?b=c#fragment': '/a?b=c',
  '/%7euser/%C3%A9?q=%20+%2B': '/%7euser/%C3%A9?q=%20+%2B',
  '/Zoë/🔑?é=ü&"=\'': '/Zo%C3%AB/%F0%9F%94%91?%C3%A9=%C3%BC&%22=%27',
  '/a/../b;v=1?a=1&a=2': '/b;v=1?a=1&a=2',
  '/?a?b': '/?a?b',
}

for (const [profile, policy] of Object.entries(PROFILES)) {
  test(`${profile}: fetch signs each kind of body as it is sent`, async (t) => {
    const { signer, origin, reached } = await service(t, policy)
    for (const [kind, [body, arrives, type]] of Object.entries(BODIES)) {
      const sent = typeof body === 'function' ? body() : body
      const response = await signer.fetch(`${origin}/${kind}`, { method: 'POST', body: sent, ...(sent instanceof ReadableStream ? { duplex: 'half' } : {}) })
      assert.deepEqual([response.status, await response.text()], [200, 'served'], kind)
      const { method, url, headers, body: received, hostbound } = reached.pop()
      assert.deepEqual([method, url, hostbound.signature.key_id], ['POST', `/${kind}`, 'k1'])
      assert.equal(headers['content-length'], String(received.length), kind)
      if (type instanceof RegExp) assert.match(headers['content-type'], type)
      else assert.equal(headers['content-type'], type, kind)
      if (arrives !== undefined) assert.deepEqual(received, Buffer.from(arrives), kind)
      else {
        const parsed = await new Response(received, { headers: { 'content-type': headers['content-type'] } }).formData()
        assert.equal(parsed.get('name'), 'Zoë')
        assert.deepEqual(new Uint8Array(await parsed.get('file').arrayBuffer()), BYTES)
      }
    }
  })

  test(`${profile}: fetch signs the target as it is sent`, async (t) => {
    const { signer, origin, reached } = await service(t, policy)
    for (const [target, arrives] of Object.entries(TARGETS)) {
      for (const input of [origin + target, new URL(origin + target), new Request(origin + target)]) {
        assert.equal((await signer.fetch(input)).status, 200, target)
        assert.equal(reached.pop().url, arrives)
      }
    }
    assert.equal((await signer.fetch(new Request(`${origin}/request`, { method: 'PUT', body: 'first', headers: { 'x-a': 'b' } }))).status, 200)
    const { method, headers, body } = reached.pop()
    assert.deepEqual([method, headers['x-a'], text(body)], ['PUT', 'b', 'first'])
    // `init` goes before what the request says.
    assert.equal((await signer.fetch(new Request(`${origin}/init`, { method: 'PUT', body: 'first' }), { method: 'POST', body: 'second' })).status, 200)
    assert.deepEqual([reached[0].method, text(reached[0].body)], ['POST', 'second'])
  })

  test(`${profile}: undici's requests are signed through its interceptor`, async (t) => {
    const { signer, origin, reached, connections } = await service(t, policy)
    const dispatcher = agent(t, new Agent({ connections: 1 })).compose(signer.interceptor)
    const ask = async (path, options = {}) => {
      const { statusCode, body } = await request(origin + path, { dispatcher, ...options })
      assert.deepEqual([statusCode, await body.text()], [200, 'served'], path)
      return reached.pop()
    }
    const bodies = { string: 'Zoë 🔑 \ud800', buffer: Buffer.from(BYTES), bytes: BYTES, view: new DataView(BYTES.buffer, 1, 9), array: BYTES.buffer, empty: '', nothing: null, large: Buffer.alloc(700_000, 1) }
    for (const [kind, body] of Object.entries(bodies)) {
      const { body: received } = await ask(`/${kind}`, { method: 'POST', body })
      const bytes = ArrayBuffer.isView(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : Buffer.from(body ?? '')
      assert.deepEqual(received, bytes, kind)
    }
    assert.equal((await ask('/%7e%41?q=%C3%BC+%20')).url, '/%7e%41?q=%C3%BC+%20')
    assert.equal((await ask('/query', { query: { q: 'a b', list: ['1', '2'], é: '|&' } })).url, '/query?q=a%20b&list=1&list=2&%C3%A9=%7C%26')
    assert.equal((await ask('/none', { query: {} })).url, '/none')
    const forms = [
      { 'X-A': 'b', 'x-list': ['1', '2'], 'x-number': 7, 'x-none': undefined, 'x-null': null },
      ['X-A', 'b', 'x-list', ['1', '2'], 'x-number', '7', 'x-null', ''],
      new Headers([['X-A', 'b'], ['x-list', '1'], ['x-list', '2'], ['x-number', '7'], ['x-null', '']]),
      new Map([['X-A', 'b'], ['x-list', ['1', '2']], ['x-number', 7], ['x-null', null]]),
    ]
    for (const [index, headers] of forms.entries()) {
      const { headers: received } = await ask(`/${index}`, { method: 'POST', headers, body: 'x' })
      const names = ['x-a', 'x-list', 'x-number', 'x-none', 'x-null']
      assert.deepEqual(names.map((name) => received[name]), ['b', '1, 2', '7', undefined, ''], String(index))
    }
    assert.equal((await undiciFetch(`${origin}/fetched`, { dispatcher })).status, 200)
    assert.equal(connections.length, 1)
  })

  test(`${profile}: what has a header of the signature already is not signed`, async (t) => {
    const { fetch, calls } = counting()
    const signer = await signerOf(policy, { fetch })
    const names = signer.sign({ method: 'POST', target: '/a', headers: [['host', 'localhost']], body: 'x' }).headers.map(([name]) => name)
    assert.equal(names.length, 3)
    for (const name of names) {
      await assert.rejects(signer.fetch('http://localhost/a', { headers: { [name.toUpperCase()]: 'a' } }), coded('HOSTBOUND_SIGN', new RegExp(`\`${name}\``)))
    }
    assert.equal(calls.length, 0)
  })

  test(`${profile}: each request has a nonce of its own`, async (t) => {
    const { fetch, calls } = counting()
    const signer = await signerOf(policy, { fetch })
    for (let index = 0; index < 50; index += 1) await signer.fetch('http://localhost/a')
    const nonces = calls.map(({ headers }) => headers.get('x-nonce') ?? headers.get('webhook-id') ?? /nonce="([^"]+)"/.exec(headers.get('signature-input'))?.[1])
    assert.equal(new Set(nonces).size, profile === 'service-scoped' ? 1 : 50)
    if (profile !== 'service-scoped') for (const nonce of nonces) assert.match(nonce, /^[0-9a-f]{32}$/)
  })

  test(`${profile}: nothing secret is in an error or an inspected signer`, async () => {
    const { fetch } = counting()
    const signer = await signerOf(policy, { fetch })
    const wrong = [
      signer.fetch('http://evil.test/'),
      signer.fetch('http://localhost/', { headers: { host: 'localhost' } }),
      signer.fetch('http://localhost/', { headers: { 'x-http-method-override': 'DELETE' } }),
      signer.fetch('http://localhost/', { method: 'POST', body: 'x'.repeat(2 ** 21) }),
      signer.fetch('http://localhost/', { redirect: 'follow' }),
      hostbound({ ...policy, signatures: { api: { ...policy.signatures.api, keys: [{ ...policy.signatures.api.keys[0], secret: { env: 'KEY', encoding: 'hex' } }] } } }),
    ]
    const errors = (await Promise.allSettled(wrong)).map(({ reason }) => reason)
    assert.deepEqual(errors.map(({ code }) => code), [...Array(4).fill('HOSTBOUND_SIGN'), 'HOSTBOUND_OPTION', 'HOSTBOUND_POLICY'])
    const said = inspect([signer, ...errors], { depth: 20, showHidden: true }) + JSON.stringify(signer) + errors.map(String).join()
    for (const encoding of ['utf8', 'base64', 'hex']) assert.ok(!said.includes(Buffer.from(SECRETS.KEY).toString(encoding).slice(0, 20)))
  })
}

/** A signer of a policy of the tests, in which something is wrong. */
const hostbound = (policy) => signerOf(policy)

/** A `fetch` that sends nothing and keeps what it would have sent. */
function counting() {
  const calls = []
  return { calls, fetch: async (url, init) => (calls.push({ url, ...init, headers: new Headers(init.headers) }), new Response()) }
}

test('redirects are errors, or handed over', async (t) => {
  const { signer, origin, reached } = await service(t)
  await assert.rejects(signer.fetch(`${origin}/to/b`), (error) => error instanceof TypeError && /redirect/.test(String(error.cause)))
  await assert.rejects(signer.fetch(`${origin}/to/b`, { redirect: 'error' }), TypeError)
  await assert.rejects(signer.fetch(new Request(`${origin}/to/b`)), TypeError)
  const response = await signer.fetch(`${origin}/to/b`, { redirect: 'manual' })
  assert.deepEqual([response.status, response.headers.get('location')], [307, '/b'])
  const request = new Request(`${origin}/to/b`, { redirect: 'manual' })
  assert.equal((await signer.fetch(request)).status, 307)
  await assert.rejects(signer.fetch(`${origin}/to/b`, { redirect: 'follow' }), coded('HOSTBOUND_OPTION', /`redirect`/))
  assert.deepEqual(reached.map(({ url }) => url), Array(5).fill('/to/b'))
})

test('behind the signer, interceptors that send again send with a signature of its own', async (t) => {
  const { signer, origin, reached } = await service(t)
  const dispatcher = agent(t).compose(signer.interceptor, interceptors.redirect({ maxRedirections: 2 }))
  const { statusCode, body } = await request(`${origin}/to/b`, { dispatcher, method: 'POST', body: 'x' })
  assert.deepEqual([statusCode, await body.text()], [200, 'served'])
  assert.deepEqual(reached.map(({ method, url }) => `${method} ${url}`), ['POST /to/b', 'POST /b'])
  const nonces = reached.map(({ headers }) => headers['x-nonce'])
  assert.notEqual(nonces[0], nonces[1])

  const attempts = []
  const flaky = await listening(createServer((request, response) => {
    attempts.push(request.headers['x-nonce'])
    response.writeHead(attempts.length < 3 ? 503 : 200).end()
  }))
  t.after(() => stop(flaky))
  const retrying = new RetryAgent(agent(t).compose(signer.interceptor), { minTimeout: 1, maxRetries: 3 })
  assert.equal((await request(`http://localhost:${flaky.address().port}/`, { dispatcher: retrying })).statusCode, 200)
  assert.deepEqual([attempts.length, new Set(attempts).size], [3, 3])
})

test('headers that the policy covers are signed as they are sent', async (t) => {
  const components = ['@method', '@target-uri', 'content-type', 'date', 'x-list', 'content-digest']
  const policy = policyWith({ profile: 'http-message-signatures', label: 'sig', components })
  const { signer, origin, reached } = await service(t, policy)
  const headers = () => new Headers([['Date', new Date().toUTCString()], ['X-List', ' a'], ['x-list', 'b, c ']])
  for (const body of ['a=b', new URLSearchParams('a=b'), form]) {
    assert.equal((await signer.fetch(`${origin}/a?b`, { method: 'POST', headers: headers(), body })).status, 200)
  }
  const dispatcher = agent(t).compose(signer.interceptor)
  const fields = ['date', new Date().toUTCString(), 'content-type', 'text/plain', 'X-List', '  a ,b ']
  assert.equal((await request(`${origin}/a?b`, { dispatcher, method: 'POST', headers: fields, body: 'x' })).statusCode, 200)
  // No `accept` is signed that `fetch` adds later.
  const accepting = await signerOf(policyWith({ profile: 'http-message-signatures', label: 'sig', components: ['accept'] }))
  await assert.rejects(accepting.fetch(origin), coded('HOSTBOUND_SIGN', /no `accept`/))
  await assert.rejects(signer.fetch(`${origin}/a`, { method: 'POST', body: 'x' }), coded('HOSTBOUND_SIGN', /no `date`/))
  await assert.rejects(request(origin, { dispatcher, headers: [...fields, 'Date', 'b'] }), coded('HOSTBOUND_SIGN', /occurs twice/))
  // The same request with another type is another request.
  const tampering = await signerOf(policy, { fetch: (url, init) => fetch(url, { ...init, headers: init.headers.map(([name, value]) => [name, name === 'content-type' ? 'text/html' : value]) }) })
  assert.equal((await tampering.fetch(`${origin}/a`, { method: 'POST', headers: headers(), body: 'x' })).status, 401)
  assert.equal(reached.length, 4)
})

test('what the server would refuse for its headers or size is not signed', async (t) => {
  for (const profile of Object.values(PROFILES)) {
    const { fetch, calls } = counting()
    const policy = { ...profile, signatures: { api: { ...profile.signatures.api, content_types: ['application/json'], max_body: '8B' } } }
    const signer = await signerOf(policy, { fetch })
    const dispatcher = agent(t).compose(signer.interceptor)
    const url = 'http://localhost/a'
    const json = { 'content-type': 'application/json; charset=utf-8' }
    const rows = [
      [{ body: '{}' }, /content type is not in the policy's `content_types`/],
      [{ body: new Uint8Array(1) }, /a body and no `content-type`/],
      [{ body: '{}', headers: { ...json, 'content-encoding': 'gzip' } }, /`content-encoding`/],
      [{ body: '{}', headers: { ...json, 'X-HTTP-Method-Override': 'DELETE' } }, /`x-http-method-override`/],
      [{ body: '{"a":100}', headers: json }, /longer than the policy's `max_body`/],
    ]
    for (const [init, message] of rows) await assert.rejects(signer.fetch(url, { method: 'POST', ...init }), coded('HOSTBOUND_SIGN', message))
    for (const [init, message] of rows.slice(1)) await assert.rejects(request(url, { dispatcher, method: 'POST', ...init }), coded('HOSTBOUND_SIGN', message))
    assert.equal(calls.length, 0)
    await signer.fetch(url, { method: 'POST', body: '{}', headers: json })
    assert.equal(calls.length, 1)
  }
})

test('an abort ends what is read, and what is sent', async (t) => {
  const { signer, origin, reached } = await service(t)
  await assert.rejects(signer.fetch(`${origin}/a`, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  // While the body is read.
  const reading = new AbortController()
  let cancelled
  const endless = new ReadableStream({
    pull: (controller) => (reading.signal.aborted ? undefined : (controller.enqueue(BYTES), reading.abort(new Error('enough')))),
    cancel: (reason) => (cancelled = reason),
  })
  await assert.rejects(signer.fetch(`${origin}/a`, { method: 'POST', body: endless, duplex: 'half', signal: reading.signal }), /enough/)
  assert.match(String(cancelled), /enough/)
  // While the answer is waited for.
  const waiting = new AbortController()
  const silent = await listening(createServer(() => waiting.abort(new Error('too long'))))
  t.after(() => stop(silent))
  await assert.rejects(signer.fetch(`http://localhost:${silent.address().port}/`, { signal: waiting.signal }), /too long/)
  assert.equal(reached.length, 0)
})

test('what cannot be signed is not sent', async (t) => {
  const { signer, origin, reached, port } = await service(t)
  const other = `http://other.test:${port}/`
  await assert.rejects(signer.fetch(other), coded('HOSTBOUND_SIGN', /Host that the policy allows/))
  await assert.rejects(signer.fetch(origin, { headers: { host: 'other.test' } }), coded('HOSTBOUND_SIGN'))
  // Of the methods that `fetch` writes in capitals, `patch` is none; the server takes no other.
  await assert.rejects(signer.fetch(origin, { method: 'patch' }), coded('HOSTBOUND_SIGN', /method `patch` is malformed/))
  const dispatcher = agent(t).compose(signer.interceptor)
  const refused = (options, message) => assert.rejects(request(options.url ?? origin, { dispatcher, ...options }), coded('HOSTBOUND_SIGN', message))
  await refused({ url: other }, /Host that the policy allows/)
  await refused({ headers: { host: 'other.test' } }, /Host that the policy allows/)
  await refused({ headers: { 'x-nonce': 'a' } }, /`x-nonce`/)
  await refused({ headers: ['x-a', 'b', 'x-c'] }, /each with a value/)
  await refused({ headers: { 'x-a': {} } }, /`x-a` is no text/)
  await refused({ headers: new Map([['x-a', [Buffer.from('a')]]]) }, /`x-a` is no text/)
  await refused({ url: `${origin}/a?b`, query: { c: 'd' } }, /`query`/)
  const streams = [Readable.from(['a']), new Blob(['a']).stream(), (async function* () { yield 'a' })(), ['a', 'b'], form, new Blob(['a'])]
  for (const body of streams) await refused({ method: 'POST', body }, /neither a string nor bytes/)
  // undici's own `fetch` makes a stream of each body.
  await assert.rejects(undiciFetch(origin, { dispatcher, method: 'POST', body: 'a' }), ({ cause }) => coded('HOSTBOUND_SIGN', /neither/)(cause))
  const client = agent(t, new Client(origin))
  await assert.rejects(client.compose(signer.interceptor).request({ path: '/', method: 'GET' }), coded('HOSTBOUND_SIGN', /no `origin`/))
  assert.equal(reached.length, 0)
  // A Host that is named, and is the server's.
  assert.equal((await request(`http://127.0.0.1:${port}/a`, { dispatcher, headers: { Host: `localhost:${port}` } })).statusCode, 200)
  assert.equal(reached[0].hostbound.host, `localhost:${port}`)
})

test('the key and the section are those that are named', async () => {
  const keys = [{ id: 'old', secret: { env: 'KEY' } }, { id: 'new', secret: { env: 'OTHER_KEY' } }]
  const { api } = policyWith({ keys, headers: { key_id: 'x-key-id' } }).signatures
  const policy = policyWith({}, { signatures: { api, other: { ...api, keys: [{ id: 'k', secret: { name: 'third' } }] } }, routes: [{ path: '/a/**', require: ['signature:other'] }, { path: '/**', require: ['signature:api'] }] })
  const secrets = { ...SECRETS, third: SECRETS.KEY.toUpperCase() }
  const id = async (options) => {
    const signer = await signerOf(policy, { secrets, ...options })
    return signer.sign({ method: 'GET', target: '/', headers: [['host', 'localhost']] }).headers[0].join()
  }
  assert.equal(await id({ section: 'api' }), 'x-key-id,old')
  assert.equal(await id({ section: 'api', keyId: 'new' }), 'x-key-id,new')
  assert.equal(await id({ section: 'other' }), 'x-key-id,k')
  await assert.rejects(id({ section: 'api', keyId: 'k' }), coded('HOSTBOUND_SIGN', /no such key/))
  for (const section of [undefined, 'none']) await assert.rejects(id({ section }), coded('HOSTBOUND_OPTION', /api, other/))
  await assert.rejects(signerOf({ version: 1, hosts: { allow: ['localhost'] } }), coded('HOSTBOUND_OPTION', /it has none/))
})

test('signed requests go through `hostbound/egress`, by fetch and by its dispatcher', async (t) => {
  const { signer, origin, reached } = await service(t)
  const rules = { allow: [origin], addresses: ['127.0.0.1/32', '::1/128'] }
  const egressBy = (credentials) => hostboundEgress({ policy: { version: 1, hosts: { allow: ['localhost'] }, egress: { ...rules, ...credentials } }, log: false })
  // A signature is a credential: it is bound to where it belongs.
  const unbound = await signerOf(policyWith(), { fetch: (await egressBy({})).fetch })
  await assert.rejects(unbound.fetch(origin), ({ reason }) => reason === 'credentials_not_allowed')
  const egress = await egressBy({ credentials: { [origin]: ['x-api-signature'] } })
  const own = await signerOf(policyWith(), { fetch: egress.fetch })
  assert.equal((await own.fetch(`${origin}/a?é`, { method: 'POST', body: 'x' })).status, 200)
  await assert.rejects(own.fetch('http://127.0.0.1:1/'), coded('HOSTBOUND_EGRESS'))
  await assert.rejects(own.fetch(`${origin}/to/a`), TypeError)
  assert.equal((await own.fetch(`${origin}/to/a`, { redirect: 'manual' })).status, 307)
  const dispatcher = agent(t, egress.dispatcher()).compose(signer.interceptor)
  assert.equal((await request(`${origin}/b?c`, { dispatcher, method: 'POST', body: 'x' })).statusCode, 200)
  await assert.rejects(request('http://127.0.0.1:1/', { dispatcher }), coded('HOSTBOUND_EGRESS'))
  // A composed dispatcher is no longer one that is known to judge.
  await assert.rejects(egress.fetch(origin, { dispatcher }), coded('HOSTBOUND_OPTION', /`dispatcher`/))
  assert.deepEqual(reached.map(({ url }) => url), ['/a?%C3%A9', '/to/a', '/to/a', '/b?c'])
})

test('a subresource whose digest is wrong is no answer', async (t) => {
  const { signer, origin } = await service(t)
  const integrity = 'sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
  await assert.rejects(signer.fetch(`${origin}/a`, { integrity }), TypeError)
  await assert.rejects(signer.fetch(new Request(`${origin}/a`, { integrity })), TypeError)
})

test('a body that is read once is signed once', async (t) => {
  const { signer, origin, reached } = await service(t)
  const request = new Request(`${origin}/a`, { method: 'POST', body: 'x' })
  assert.equal((await signer.fetch(request)).status, 200)
  await assert.rejects(signer.fetch(request), TypeError)
  assert.equal(reached.length, 1)
})
