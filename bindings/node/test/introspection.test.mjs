// Opaque tokens: whom Node asks about them, how often, and who learns of them.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'

import { active, authority, clock, gate, issuer, OPAQUE, says, SECRET, service, setOf, until } from './support/asked.mjs'
import { answered } from './support/hostile.mjs'
import { statuses } from './support/raw.mjs'
import { newKey, tokenOf } from './support/tokens.mjs'

const made = issuer(test)

const unhandled = []
const onUnhandled = (error) => unhandled.push(error)
before(() => process.on('unhandledRejection', onUnhandled))
after(() => {
  process.off('unhandledRejection', onUnhandled)
  assert.deepEqual(unhandled, [])
})

/** The tokens that a server was asked about. */
const askedAbout = ({ requests }) => requests.map(({ body }) => new URLSearchParams(body).get('token'))

/** Answers for each token by a table; of others that they are not active. */
const knows = (table) => (socket, { body }) => says(table[new URLSearchParams(body).get('token')] ?? { active: false })(socket)

/** That neither the secret nor a token was told to anybody, in any form. */
function keepsSilent({ told }, tokens = [OPAQUE]) {
  const text = told.join('\n')
  assert.ok(told.length > 0)
  for (const secret of [SECRET, encodeURIComponent(SECRET), ...tokens, ...tokens.map(encodeURIComponent)]) {
    for (const form of [secret, Buffer.from(secret).toString('base64'), Buffer.from(`api:${secret}`).toString('base64')]) assert.ok(!text.includes(form), text)
  }
}

test('the endpoint is asked by POST, with credentials, and what it says is `request.auth`', async (t) => {
  const auth = await authority(t, made, knows({ [OPAQUE]: active({ sub: 'ada', scope: 'read admin' }), weak: active(), foreign: active({ aud: ['billing'] }), late: active({ exp: 1000 }) }))
  const served = await service(t, auth.withIntrospection())
  const { ask, stream, reasons } = served
  assert.match(await ask(OPAQUE, '/admin/x'), /200 OK[^]*ada/)
  const [{ head, body }] = auth.requests
  assert.match(head, /^POST \/introspect HTTP\/1\.1\r\n/)
  assert.match(head, /^content-type: application\/x-www-form-urlencoded\r?$/im)
  const [, basic] = /^authorization: Basic (\S+)\r?$/im.exec(head)
  assert.deepEqual(Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent), ['api', SECRET])
  assert.deepEqual([...new URLSearchParams(body)], [['token', OPAQUE], ['token_type_hint', 'access_token']])
  for (const [token, path, status, challenge] of [
    ['unknown', '/a', 401, 'Bearer error="invalid_token"'],
    ['foreign', '/a', 401, 'Bearer error="invalid_token"'],
    ['late', '/a', 401, 'Bearer error="invalid_token"'],
    ['weak', '/admin/a', 403, 'Bearer error="insufficient_scope", scope="admin"'],
    [undefined, '/a', 401, 'Bearer'],
  ]) {
    const { status: found, headers } = await stream(token, path)
    assert.deepEqual([found, headers['www-authenticate']], [status, challenge], token)
  }
  assert.deepEqual(reasons(), ['token_inactive', 'audience_mismatch', 'token_expired', 'scope_insufficient', 'token_missing'])
  keepsSilent(served)
})

test('an answer counts for 30 s, an inactive one for nothing', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, (socket, request) => knows({ [OPAQUE]: active() })(socket, request))
  const { stream } = await service(t, auth.withIntrospection())
  for (let count = 0; count < 5; count += 1) assert.equal((await stream(OPAQUE)).status, 200)
  assert.equal(auth.requests.length, 1)
  forward(29)
  await stream(OPAQUE)
  assert.equal(auth.requests.length, 1)
  forward(2)
  assert.equal((await stream(OPAQUE)).status, 200)
  assert.equal(auth.requests.length, 2)
  for (let count = 0; count < 3; count += 1) assert.equal((await stream('unknown')).status, 401)
  assert.equal(auth.requests.length, 5)
  // Revoked.
  auth.answer = says({ active: false })
  assert.equal((await stream(OPAQUE)).status, 200)
  forward(31)
  assert.equal((await stream(OPAQUE)).status, 401)
})

test('`cache = false`: each request is asked about', async (t) => {
  const auth = await authority(t, made, knows({ [OPAQUE]: active() }))
  const { stream } = await service(t, auth.withIntrospection({ cache: false }))
  for (let count = 1; count <= 4; count += 1) {
    assert.equal((await stream(OPAQUE)).status, 200)
    assert.equal(auth.requests.length, count)
  }
})

test('requests with one token share one question, and each token has its own answer', async (t) => {
  const held = gate()
  const subjects = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`t${index}`, active({ sub: `user-${index}` })]))
  const auth = await authority(t, made, (...args) => void held.opened.then(() => knows(subjects)(...args)))
  const { stream, ask } = await service(t, auth.withIntrospection())
  const asked = Array.from({ length: 900 }, (_, index) => [`t${index % 30}`, stream(`t${index % 30}`, `/a/${index}`)])
  const others = Array.from({ length: 60 }, (_, index) => [`t${index % 30}`, ask(`t${index % 30}`)])
  await until(() => auth.requests.length === 30)
  await new Promise((resolve) => setTimeout(resolve, 20))
  held.open()
  for (const [token, answer] of asked) assert.deepEqual(await answer.then(({ status, text }) => [status, text]), [200, token.replace('t', 'user-')])
  for (const [token, answer] of others) assert.ok((await answer).includes(`\n${token.replace('t', 'user-')} `))
  assert.deepEqual(askedAbout(auth).sort(), Object.keys(subjects).sort())
})

test('tokens that nobody knows take up 64 questions at most, and keys are fetched all the same', async (t) => {
  const held = gate()
  const key = newKey()
  const auth = await authority(t, made, (socket, request) => {
    if (request.head.startsWith('GET')) says(setOf(key))(socket)
    else void held.opened.then(() => says({ active: false })(socket))
  })
  const policy = auth.withIntrospection()
  const { access } = auth.withKeys().tokens
  const served = await service(t, { ...policy, tokens: { ...policy.tokens, signed: access }, routes: [{ path: '/signed', require: ['token:signed'] }, ...policy.routes] })
  const { stream, reasons } = served
  const flood = Array.from({ length: 300 }, (_, index) => stream(`random-${index}`))
  await until(() => auth.requests.length === 64)
  const beyond = await stream(OPAQUE)
  assert.deepEqual([beyond.status, beyond.headers['retry-after'], beyond.text], [503, '5', 'unavailable'])
  assert.equal((await stream(tokenOf(key), '/signed')).status, 200)
  held.open()
  const found = (await Promise.all(flood)).map(({ status }) => status)
  assert.deepEqual([401, 503].map((status) => found.filter((other) => other === status).length), [64, 236])
  assert.equal(auth.requests.length, 65)
  // There is room again.
  assert.equal((await stream('another')).status, 401)
  assert.ok(reasons().includes('token_keys_unavailable'))
  keepsSilent(served, [OPAQUE, 'random-1'])
})

test('an endpoint that gives no answer that can be used: 503, and nothing is remembered', async (t) => {
  const auth = await authority(t, made)
  const served = await service(t, auth.withIntrospection(), { egress: { timeout: 300 } })
  const { ask, stream } = served
  for (const [name, answer] of Object.entries({
    'nobody there': (socket) => socket.destroy(),
    'no end': () => {},
    '401': (socket) => socket.write(answered('{"active":true}', { status: '401 Unauthorized' })),
    'a redirect': (socket) => socket.write(answered(JSON.stringify(active()), { status: '307 Temporary Redirect', headers: ['location: https://127.0.0.2/'] })),
    'a page': (socket) => socket.write(answered(JSON.stringify(active()), { type: 'text/html' })),
    huge: (socket) => socket.write(answered(JSON.stringify(active({ x: 'x'.repeat(66_000) })))),
    'two members of a name': says('{"active":false,"active":true}'),
    'a word': says({ ...active(), active: 'true' }),
    echo: (socket, { head, body }) => socket.write(answered(`${head}${body}`, { status: '500 Oops' })),
    'an error': (socket, { body }) => socket.end(`HTTP/1.1 ${body}\r\n\r\n`),
  })) {
    auth.answer = answer
    const found = await stream(OPAQUE)
    assert.deepEqual([found.status, found.headers['retry-after'], found.text], [503, '5', 'unavailable'], name)
  }
  assert.match(await ask(OPAQUE), /^HTTP\/1.1 503 [^]*retry-after: 5\r\n/i)
  auth.answer = says(active())
  assert.equal((await stream(OPAQUE)).status, 200)
  keepsSilent(served)
})

test('in report mode everybody is served, and the token is told to nobody', async (t) => {
  const auth = await authority(t, made, says({ active: false, username: OPAQUE }))
  const served = await service(t, auth.withIntrospection({}, { mode: 'report' }))
  assert.deepEqual(await served.stream(OPAQUE).then(({ status, text }) => [status, text]), [200, 'null'])
  assert.deepEqual(served.lines.filter(({ hostbound: kind }) => kind === 'report').map(({ reason }) => reason), ['token_inactive'])
  keepsSilent(served)
})

test('a reload during a question: what the old server says is nothing to the new policy', async (t) => {
  const held = gate()
  const old = await authority(t, made, (socket) => void held.opened.then(() => says(active({ sub: 'mallory' }))(socket)))
  const { stream, guard } = await service(t, old.withIntrospection())
  const [one, other] = [stream(OPAQUE), stream('unknown')]
  await until(() => old.requests.length === 2)
  const auth = await authority(t, made, knows({ [OPAQUE]: active({ sub: 'ada' }) }))
  await guard.reload({ policy: auth.withIntrospection() })
  held.open()
  assert.deepEqual([(await one).text, (await other).status], ['ada', 401])
  assert.deepEqual(askedAbout(auth).sort(), [OPAQUE, 'unknown'].sort())
})

test('closed: what is remembered counts, all else is 503', async (t) => {
  const auth = await authority(t, made, knows({ [OPAQUE]: active() }))
  const { stream, ask, guard, reasons } = await service(t, auth.withIntrospection())
  await stream(OPAQUE)
  guard.close()
  assert.deepEqual([(await stream(OPAQUE)).status, statuses(await ask('another'))], [200, [503]])
  assert.deepEqual([auth.requests.length, reasons()], [1, ['token_keys_unavailable']])
})

test('the secret is not in the error of a policy that cannot be', async (t) => {
  const auth = await authority(t, made)
  const policy = auth.withIntrospection()
  for (const secrets of [{}, { SECRET: 'short' }, { SECRET, OTHER: SECRET }]) {
    await assert.rejects(service(t, policy, { secrets }), (error) => !JSON.stringify({ ...error, message: error.message, stack: error.stack }).includes(SECRET))
  }
  const { credentials, ...unbound } = policy.egress
  await assert.rejects(service(t, { ...policy, egress: unbound }), (error) => error.errors.some(({ code }) => code === 'reference-unknown'))
})
