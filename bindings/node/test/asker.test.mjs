// Keys by URL: when they are fetched, who waits, and what a server that is slow, wrong or gone can do to requests.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTo } from 'node:net'
import test, { before, after } from 'node:test'
import { promisify } from 'node:util'

import { authority, clock, gate, guardOf, HERE, issuer, says, service, setOf, thumbprint, until } from './support/asked.mjs'
import { answered } from './support/hostile.mjs'
import { coded } from './support/policies.mjs'
import { http, statuses } from './support/raw.mjs'
import { claimsNow, newKey, tokenOf } from './support/tokens.mjs'

const made = issuer(test)
const KEY = newKey('k1')
const NEXT = newKey('k2')
const FORGER = newKey('k1')

const unhandled = []
const onUnhandled = (error) => unhandled.push(error)
before(() => process.on('unhandledRejection', onUnhandled))
after(() => {
  process.off('unhandledRejection', onUnhandled)
  assert.deepEqual(unhandled, [])
})

/** What was logged but for denials, without what a test cannot know. */
const events = (lines) => lines.filter(({ hostbound: kind }) => kind !== 'deny' && kind !== 'start').map(({ suppressed, ...line }) => line)

for (const verifier of ['runtime', 'engine']) {
  test(`the first request fetches the keys, and the others do with them (verifier: ${verifier})`, async (t) => {
    const auth = await authority(t, made, says(setOf(KEY)))
    const { ask, stream, lines, reached } = await service(t, auth.withKeys(), { verifier })
    assert.deepEqual(statuses(await ask(undefined)), [401])
    assert.deepEqual(statuses(await ask('x.y.z')), [401])
    assert.equal(auth.connections(), 0, 'nothing is asked before it is needed')
    assert.match(await ask(tokenOf(KEY)), /200 OK[^]*user-1/)
    assert.equal((await stream(tokenOf(KEY, { sub: 'other' }))).text, 'other')
    assert.match(await ask(tokenOf(FORGER)), /401 [^]*www-authenticate: Bearer error="invalid_token"/i)
    assert.match(await ask(tokenOf(KEY), '/admin/x'), /403 [^]*www-authenticate: Bearer error="insufficient_scope", scope="admin"/i)
    assert.deepEqual(auth.requests.map(({ head }) => head.split('\r\n')[0]), ['GET /keys HTTP/1.1'])
    assert.doesNotMatch(auth.requests[0].head, /authorization/i)
    assert.deepEqual(events(lines), [{ hostbound: 'keys', section: 'access', unpinned: [thumbprint(KEY)] }])
    assert.deepEqual(reached, ['/a', '/a'])
  })
}

test('a thousand first requests at once: one fetch, and each is answered for its own token', async (t) => {
  const held = gate()
  const auth = await authority(t, made, (socket) => void held.opened.then(() => says(setOf(KEY))(socket)))
  const { stream, ask, reached } = await service(t, auth.withKeys(), { log: false })
  const one = (index) => {
    if (index % 4 === 3) return [`/admin/${index}`, tokenOf(KEY, { sub: `u${index}` }), 403, 'scope_insufficient']
    if (index % 4 === 2) return [`/a/${index}`, tokenOf(FORGER, { sub: `u${index}` }), 401, 'token_invalid']
    return [`/a/${index}`, tokenOf(KEY, { sub: `u${index}` }), 200, `u${index}`]
  }
  const wanted = Array.from({ length: 1000 }, (_, index) => one(index))
  const found = wanted.map(([path, token]) => stream(token, path))
  const more = wanted.slice(0, 100).map(([path, token]) => ask(token, path))
  await until(() => auth.requests.length === 1)
  // Others do not wait for it.
  assert.equal((await stream(undefined, '/open/x')).status, 200)
  held.open()
  for (const [index, answer] of (await Promise.all(found)).entries()) assert.deepEqual([answer.status, answer.text], wanted[index].slice(2), String(index))
  for (const [index, answer] of (await Promise.all(more)).entries()) {
    const [, , status, text] = wanted[index]
    assert.deepEqual([statuses(answer), answer.includes(text)], [[status], true])
  }
  assert.equal(auth.requests.length, 1)
  assert.equal(reached.length, 551)
})

test('a thousand random key ids cause one fetch, and after 30 s one more', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream } = await service(t, auth.withKeys(), { log: false })
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  const random = (length = 1000) => Promise.all(Array.from({ length }, (_, index) => stream(tokenOf({ ...FORGER, kid: `random-${index}` }))))
  assert.deepEqual(new Set((await random(100)).map(({ status }) => status)), new Set([401]))
  assert.equal(auth.requests.length, 1, 'the keys are fresh')
  forward(31)
  assert.deepEqual(new Set((await random()).map(({ status }) => status)), new Set([401]))
  assert.deepEqual(new Set((await random(100)).map(({ status }) => status)), new Set([401]))
  assert.equal(auth.requests.length, 2)
  forward(31)
  assert.equal((await random(100))[0].status, 401)
  assert.equal(auth.requests.length, 3)
})

test('keys are rotated: the new one is fetched after the cool-down, and what the old one signed is refused', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream, reasons, lines } = await service(t, auth.withKeys())
  const old = tokenOf(KEY, { exp: claimsNow().exp + 600 })
  assert.equal((await stream(old)).status, 200)
  auth.answer = says(setOf(NEXT))
  assert.equal((await stream(tokenOf(NEXT))).status, 401)
  assert.equal((await stream(old)).status, 200)
  forward(31)
  assert.equal((await stream(tokenOf(NEXT))).status, 200)
  // It was verified before, and its key is gone.
  assert.equal((await stream(old)).status, 401)
  assert.deepEqual(reasons(), ['token_key_unknown', 'token_key_unknown'])
  assert.equal(auth.requests.length, 2)
  assert.deepEqual(events(lines).map(({ unpinned }) => unpinned), [[thumbprint(KEY)], [thumbprint(NEXT)]])
})

test('after 300 s keys are fetched beside the requests, of which none waits', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream, lines } = await service(t, auth.withKeys())
  const token = () => tokenOf(KEY)
  await stream(token())
  forward(299)
  await stream(token())
  assert.equal(auth.requests.length, 1)
  const held = gate()
  auth.answer = (socket) => void held.opened.then(() => says(setOf(KEY, NEXT))(socket))
  forward(2)
  // Any request: one that is denied as well.
  assert.equal((await stream(undefined)).status, 401)
  await until(() => auth.requests.length === 2)
  for (let count = 0; count < 20; count += 1) assert.equal((await stream(token())).status, 200)
  // A key id that nobody knows does not wait either, and causes nothing.
  assert.equal((await stream(tokenOf(NEXT))).status, 401)
  held.open()
  await until(() => lines.filter(({ hostbound: kind }) => kind === 'keys').length === 2)
  assert.equal((await stream(tokenOf(NEXT))).status, 200)
  assert.equal(auth.requests.length, 2)
  // It failed: once more after 30 s.
  auth.answer = (socket) => socket.destroy()
  forward(301)
  await stream(token())
  await until(() => lines.some(({ hostbound: kind }) => kind === 'keys-refused'))
  forward(29)
  await stream(token())
  assert.equal(auth.requests.length, 3)
  auth.answer = says(setOf(KEY))
  forward(2)
  assert.equal((await stream(token())).status, 200)
  await until(() => auth.requests.length === 4)
})

test('keys that were fetched while the clock was ahead are fetched again when it is set right', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream, lines } = await service(t, auth.withKeys())
  forward(1e6)
  await stream(tokenOf(KEY))
  auth.answer = says(setOf(NEXT))
  forward(-1e6)
  await stream(undefined)
  await until(() => lines.filter(({ hostbound: kind }) => kind === 'keys').length === 2)
  assert.deepEqual([(await stream(tokenOf(KEY))).status, (await stream(tokenOf(NEXT))).status], [401, 200])
  assert.equal(auth.requests.length, 2)
})

test('a server that fails: 503 with Retry-After; keys that are held do for an hour', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, (socket) => socket.write(answered('{}', { status: '503 Service Unavailable' })))
  const { ask, stream, lines, reasons } = await service(t, auth.withKeys())
  const token = () => tokenOf(KEY)
  assert.match(await ask(token()), /^HTTP\/1.1 503 [^]*retry-after: 30\r\n[^]*\r\n\r\nunavailable\n$/i)
  forward(10)
  assert.equal((await stream(token())).headers['retry-after'], '20')
  assert.equal(auth.requests.length, 1)
  assert.deepEqual(reasons(), ['token_keys_unavailable', 'token_keys_unavailable'])
  assert.deepEqual(events(lines), [{ hostbound: 'keys-refused', section: 'access', detail: 'an answer with status 503' }])
  auth.answer = says(setOf(KEY))
  forward(21)
  assert.equal((await stream(token())).status, 200)
  auth.answer = (socket) => socket.destroy()
  for (const age of [700, 1000, 1800]) {
    forward(age)
    assert.equal((await stream(token())).status, 200, String(age))
    await until(() => lines.at(-1).hostbound === 'keys-refused')
  }
  assert.deepEqual(events(lines).slice(-2).map(({ hostbound: kind, reason, detail }) => [kind, reason ?? detail]), [['no-answer', 'connection_failed'], ['keys-refused', 'no answer']])
  forward(101)
  const late = await stream(token())
  assert.deepEqual([late.status, late.headers['retry-after']], [503, '30'])
  auth.answer = says(setOf(KEY))
  forward(31)
  assert.equal((await stream(token())).status, 200)
})

/** Answers that must not be taken for keys, and how each is told of. */
const REFUSED = {
  'huge, by its length': [(socket) => socket.write(answered('x'.repeat(65_537))), 'answer_too_large'],
  'huge, without end': [(socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n20000\r\n${'x'.repeat(0x20000)}\r\n`), 'answer_too_large'],
  'a redirect': [(socket) => socket.write(answered(setOf(FORGER), { status: '302 Found', headers: [`location: https://${HERE}/keys`] })), 'an answer with status 302'],
  'another type': [(socket) => socket.write(answered(setOf(KEY), { type: 'text/html' })), 'an answer whose content-type is not JSON'],
  'no JSON': [says('<html>'), /^a key set that may not be used: /],
  'no keys': [says('{"keys":[]}'), /^a key set that may not be used: /],
  'a secret': [says('{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}'), /^a key set that may not be used: /],
  'keys for nothing that is allowed': [says({ keys: [{ kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' }] }), 'a key set that has no key for a listed algorithm'],
  'nothing': [(socket) => socket.end(), 'connection_failed'],
  'no HTTP': [(socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'), 'answer_malformed'],
  'a part': [(socket) => socket.end(answered(setOf(KEY)).slice(0, -9)), 'answer_truncated'],
}

test('what is no key set is refused, and told to the operator', async (t) => {
  const auth = await authority(t, made)
  for (const [name, [answer, wanted]] of Object.entries(REFUSED)) {
    auth.answer = answer
    const { stream, lines, reasons } = await service(t, auth.withKeys())
    assert.deepEqual((await stream(tokenOf(KEY))).status, 503, name)
    const found = events(lines).map(({ reason, detail }) => reason ?? detail)
    assert.ok(found.some((text) => (wanted instanceof RegExp ? wanted.test(text) : text === wanted)), `${name}: ${found}`)
    assert.deepEqual(reasons(), ['token_keys_unavailable'])
    for (const { detail } of events(lines)) assert.match(detail, /^.{5,300}$/, name)
  }
  assert.equal(auth.requests.length, Object.keys(REFUSED).length)
})

test('a server that does not answer in time', async (t) => {
  const auth = await authority(t, made, () => {})
  const { stream, ask, lines } = await service(t, auth.withKeys(), { egress: { timeout: 300 } })
  const start = performance.now()
  const [one, other] = await Promise.all([stream(tokenOf(KEY)), ask(tokenOf(KEY))])
  assert.ok(performance.now() - start < 2000)
  assert.deepEqual([one.status, statuses(other)], [503, [503]])
  assert.equal(events(lines)[0].reason, 'timed_out')
  for (const timeout of [0, 5001, NaN, '5']) await assert.rejects(guardOf(t, auth.withKeys(), { egress: { timeout } }), coded('HOSTBOUND_OPTION', /egress\.timeout/))
})

test('poisoned: other keys under the same name count only where nothing is pinned', async (t) => {
  const auth = await authority(t, made, says(setOf(FORGER)))
  const pinned = await service(t, auth.withKeys({ keys: { url: `${auth.origin}/keys`, pins: [thumbprint(KEY)] } }))
  assert.equal((await pinned.stream(tokenOf(FORGER))).status, 503)
  assert.match(events(pinned.lines)[0].detail, /pin/)
  const unpinned = await service(t, auth.withKeys())
  assert.equal((await unpinned.stream(tokenOf(FORGER))).status, 200)
  assert.deepEqual(events(unpinned.lines)[0].unpinned, [thumbprint(FORGER)])
  // Beside the pinned one, another is passed over and told of.
  auth.answer = says(setOf({ keySet: KEY.keySet }, NEXT))
  const both = await service(t, auth.withKeys({ keys: { url: `${auth.origin}/keys`, pins: [thumbprint(KEY)] } }))
  assert.deepEqual([(await both.stream(tokenOf(KEY))).status, (await both.stream(tokenOf(NEXT))).status], [200, 401])
  assert.deepEqual(events(both.lines)[0].unpinned, [thumbprint(NEXT)])
})

test('a name that leads to loopback, where only global addresses are allowed, gets no connection', async (t) => {
  const auth = await authority(t, made, says(setOf(KEY)))
  const policy = auth.withKeys()
  const { stream, lines } = await service(t, { ...policy, egress: { ...policy.egress, addresses: ['global'] } })
  assert.equal((await stream(tokenOf(KEY))).status, 503)
  assert.equal(auth.connections(), 0)
  assert.deepEqual([events(lines)[0].hostbound, events(lines)[0].reason], ['no-answer', 'address_not_allowed'])
})

test('a certificate of another authority: nothing is asked', async (t) => {
  const auth = await authority(t, made, says(setOf(KEY)))
  const policy = auth.withKeys()
  const { destinations, ...egress } = policy.egress
  const { stream, lines } = await service(t, { ...policy, egress })
  assert.equal((await stream(tokenOf(KEY))).status, 503)
  assert.deepEqual([auth.requests.length, events(lines)[0].reason], [0, 'tls_failed'])
})

test('in report mode everybody is served, after the same wait, and the log says who would not be', async (t) => {
  const auth = await authority(t, made, (socket) => socket.destroy())
  const { stream, lines } = await service(t, auth.withKeys({}, { mode: 'report' }))
  assert.deepEqual([await stream(tokenOf(KEY)), await stream(tokenOf(KEY))].map(({ status, text }) => [status, text]), [[200, 'null'], [200, 'null']])
  assert.deepEqual(lines.filter(({ hostbound: kind }) => kind === 'report').map(({ reason }) => reason), ['token_keys_unavailable', 'token_keys_unavailable'])
  assert.equal(auth.requests.length, 1)
})

test('a reload during a flight: the old answer is dropped, and the request is judged by the new policy', async (t) => {
  const held = gate()
  const auth = await authority(t, made, (socket) => void held.opened.then(() => says(setOf(FORGER))(socket)))
  const { stream, guard, lines } = await service(t, auth.withKeys())
  const [forged, good] = [stream(tokenOf(FORGER)), stream(tokenOf(KEY))]
  await until(() => auth.requests.length === 1)
  const other = await authority(t, made, says(setOf(KEY)))
  await guard.reload({ policy: other.withKeys() })
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  held.open()
  assert.deepEqual([(await forged).status, (await good).status], [401, 200])
  assert.equal(other.requests.length, 1)
  assert.deepEqual(events(lines).map(({ unpinned }) => unpinned), [[thumbprint(KEY)]])
  // The flight of the new policy is what those of the old one wait for.
  const late = gate()
  const third = await authority(t, made, (socket) => void late.opened.then(() => says(setOf(NEXT))(socket)))
  await guard.reload({ policy: third.withKeys() })
  const waiting = stream(tokenOf(NEXT))
  await until(() => third.requests.length === 1)
  await guard.reload({ policy: auth.withKeys({ keys: { url: `${third.origin}/keys`, pins: 'none' } }, { egress: third.egress }) })
  late.open()
  assert.equal((await waiting).status, 200)
  assert.equal(third.requests.length, 2)
  // A policy without tokens.
  await guard.reload({ policy: { version: 1, hosts: { allow: ['localhost'] } } })
  assert.equal((await stream(undefined)).status, 200)
})

test('a reload that is refused changes nothing', async (t) => {
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream, guard } = await service(t, auth.withKeys())
  await stream(tokenOf(KEY))
  await assert.rejects(guard.reload({ policy: auth.withKeys({ audience: [] }) }))
  await assert.rejects(guard.reload({ policy: auth.withIntrospection() }), coded('HOSTBOUND_POLICY'))
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  assert.equal(auth.requests.length, 1)
})

test('closed: held keys do, what needs new ones is 503, and a request that waits is answered', async (t) => {
  const { forward } = clock(t)
  const auth = await authority(t, made, says(setOf(KEY)))
  const { stream, guard, lines, reasons } = await service(t, auth.withKeys())
  await stream(tokenOf(KEY))
  guard.close()
  guard.close()
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  forward(700)
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  forward(3600)
  const late = await stream(tokenOf(KEY))
  assert.deepEqual([late.status, late.headers['retry-after']], [503, '30'])
  assert.deepEqual(reasons(), ['token_keys_unavailable'], 'it is told like every denial')
  assert.equal(auth.requests.length, 1)
  await guard.reload()
  assert.equal((await stream(tokenOf(KEY))).status, 200)
  await guard.reload()
  const held = gate()
  auth.answer = (socket) => void held.opened.then(() => says(setOf(KEY))(socket))
  const waiting = stream(tokenOf(KEY))
  await until(() => auth.requests.length === 3)
  guard.close()
  held.open()
  assert.equal((await waiting).status, 503)
  assert.deepEqual(lines.filter(({ hostbound: kind }) => kind === 'error'), [])
})

test('clients that go away while they wait are not served, and those who stay are', async (t) => {
  const held = gate()
  const auth = await authority(t, made, (socket) => void held.opened.then(() => says(setOf(KEY))(socket)))
  const { stream, session, server, server2, reached, lines } = await service(t, auth.withKeys())
  const one = http('POST /gone HTTP/1.1', 'Host: localhost', 'Content-Length: 5', `Authorization: Bearer ${tokenOf(KEY)}`)
  const ends = []
  const onConnection = (socket) => ends.push(new Promise((resolve) => socket.on('close', resolve)))
  server.on('connection', onConnection)
  const sockets = await Promise.all(['', 'ab', 'hello'].map(async (part) => {
    const socket = connectTo(server.address().port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write(one + part)
    return socket
  }))
  const upgrade = connectTo(server.address().port, '127.0.0.1').on('error', () => {})
  upgrade.write(http('GET /gone HTTP/1.1', 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', `Authorization: Bearer ${tokenOf(KEY)}`))
  server.on('upgrade', (request) => reached.push(request.url))
  const streams = [0, 2, 8].map((code) => {
    const gone = session.request({ ':path': '/gone', ':method': 'POST', authorization: `Bearer ${tokenOf(KEY)}` }).on('error', () => {})
    gone.write('a')
    return [gone, code]
  })
  const stays = stream(tokenOf(KEY), '/stays')
  await until(() => auth.requests.length === 1 && ends.length === 4)
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (const socket of [...sockets, upgrade]) socket.resetAndDestroy()
  for (const [gone, code] of streams) gone.close(code)
  await Promise.all([...ends, ...streams.map(([gone]) => (gone.closed && gone.destroyed ? undefined : once(gone, 'close')))])
  held.open()
  assert.equal((await stays).status, 200)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(reached, ['/stays'])
  assert.deepEqual(lines.filter(({ hostbound: kind }) => kind === 'error'), [])
  assert.equal(server2.listening, true)
})

test('a process with a guard ends when its servers are closed, without `close`', async (t) => {
  const auth = await authority(t, made, says(setOf(KEY)))
  const script = `
    import { createServer } from 'node:http'
    import { hostbound } from 'hostbound/node'
    const guard = await hostbound({ policy: ${JSON.stringify(auth.withKeys())}, log: false, egress: { resolver: () => ['${HERE}'] } })
    const server = guard.protect(createServer((request, response) => response.end(request.auth.subject)))
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const response = await fetch('http://localhost:' + server.address().port, { headers: { authorization: 'Bearer ${tokenOf(KEY)}', connection: 'close' } })
    console.log(response.status, await response.text())
    server.close()
    const closed = performance.now()
    process.on('exit', () => console.log(performance.now() - closed < 2000))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { cwd: new URL('..', import.meta.url), timeout: 15_000 })
  assert.equal(stdout, '200 user-1\ntrue\n')
})
