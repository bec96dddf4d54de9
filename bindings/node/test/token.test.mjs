// Bearer tokens in Node: what a served request tells of them, and what is denied.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { Guard, Policy, PolicyError, reasonOf } from 'hostbound'
import { hostbound } from 'hostbound/node'

import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { own, policyWith, signerOf } from './support/signed.mjs'
import { claimsNow, newKey, policyWithTokens, tokenOf } from './support/tokens.mjs'

const KEY = newKey()

/** A protected server, and the identities of what reached it. */
async function service(t, policy = policyWithTokens(), options = {}) {
  const lines = []
  const reached = []
  const guard = await hostbound({ policy, secrets: { 'jwks.json': KEY.keySet }, log: (line) => lines.push(JSON.parse(line)), ...options })
  const server = guard.protect(createServer((request, response) => {
    reached.push({ hostbound: request.hostbound, auth: request.auth, hasAuth: 'auth' in request })
    response.end('served\n')
  }))
  await listening(server)
  t.after(() => stop(server))
  const ask = (path, token) => talk(server, http(`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...(token === undefined ? [] : [`Authorization: Bearer ${token}`])))
  return { guard, server, reached, lines, ask }
}

test('a served request says what its token proved, as `hostbound.token` and as `auth`', async (t) => {
  const { reached, ask } = await service(t)
  const claims = { ...claimsNow(), scope: 'read write read', tenant: { id: 7 } }
  assert.deepEqual(statuses(await ask('/a', tokenOf(KEY, claims))), [200])
  const token = { name: 'access', issuer: claims.iss, subject: 'user-1', scopes: ['read', 'write'], claims }
  assert.deepEqual(reached[0].hostbound, { host: 'localhost', route: '/**', preflight: false, signature: null, token })
  assert.equal(reached[0].auth, reached[0].hostbound.token)
})

test('where no token was asked for `auth` is null; where no policy has tokens there is none', async (t) => {
  const { reached, ask } = await service(t)
  assert.deepEqual(statuses(await ask('/open/a', tokenOf(KEY))), [200])
  assert.deepEqual([reached[0].auth, reached[0].hasAuth, reached[0].hostbound.token], [null, true, null])
  const plain = await service(t, { version: 1, hosts: { allow: ['localhost'] } }, { secrets: {} })
  await plain.ask('/a', tokenOf(KEY))
  assert.deepEqual([plain.reached[0].hasAuth, plain.reached[0].hostbound.token], [false, null])
  const silent = await service(t, policyWithTokens(), { identity: false })
  await silent.ask('/a', tokenOf(KEY))
  assert.deepEqual(silent.reached, [{ hostbound: undefined, auth: undefined, hasAuth: false }])
})

test('a token that does not count is a 401 with a challenge, and the log says why', async (t) => {
  const { reached, lines, ask } = await service(t)
  const rows = [
    ['/a', undefined, 401, 'token_missing', 'Bearer', 'token_missing'],
    ['/a', 'x', 401, 'token_malformed', 'Bearer error="invalid_token"', 'token_invalid'],
    ['/a', tokenOf(newKey()), 401, 'token_signature_mismatch', 'Bearer error="invalid_token"', 'token_invalid'],
    ['/a', tokenOf(KEY, { exp: claimsNow().iat - 3600, iat: claimsNow().iat - 7200 }), 401, 'token_expired', 'Bearer error="invalid_token"', 'token_invalid'],
    ['/a', tokenOf(KEY, { aud: 'billing' }), 401, 'audience_mismatch', 'Bearer error="invalid_token"', 'token_invalid'],
    ['/admin/a', tokenOf(KEY), 403, 'scope_insufficient', 'Bearer error="insufficient_scope", scope="admin"', 'scope_insufficient'],
  ]
  for (const [path, token, status, reason, challenge, text] of rows) {
    const answer = await ask(path, token)
    assert.deepEqual(statuses(answer), [status], reason)
    assert.match(answer, new RegExp(`^www-authenticate: ${challenge}\r$`, 'im'), reason)
    assert.match(answer, new RegExp(`\r\n\r\n${text}\n$`), reason)
    assert.equal(lines.at(-1).reason, reason)
  }
  assert.deepEqual(reached, [])
})

test('in report mode all are served, and nobody is told who asked', async (t) => {
  const heard = []
  // What was judged is told by the time that a hook runs.
  const onReport = ({ reported: [report] }, _, message) => heard.push([report.reason, message.auth])
  const { reached, ask } = await service(t, policyWithTokens({ mode: 'report' }), { onReport })
  for (const token of [tokenOf(KEY), 'x']) assert.deepEqual(statuses(await ask('/a', token)), [200])
  assert.deepEqual(reached.map(({ auth }) => auth), [null, null])
  assert.deepEqual(heard, [['token_malformed', null]])
})

test('HTTP/2: stream and request carry the same', async (t) => {
  const guard = await hostbound({ policy: policyWithTokens(), secrets: { 'jwks.json': KEY.keySet }, log: false })
  const found = []
  const server = guard.protect(createHttp2Server())
  server.on('stream', (stream) => found.push(stream.auth))
  server.on('request', (request, response) => {
    found.push(request.auth, request.hostbound.token)
    response.end('served')
  })
  await listening(server)
  const client = connect(`http://localhost:${server.address().port}`)
  t.after(() => {
    client.destroy()
    return stop(server)
  })
  const stream = client.request({ ':path': '/a', authorization: `Bearer ${tokenOf(KEY)}` })
  assert.equal((await once(stream, 'response'))[0][':status'], 200)
  assert.deepEqual([found.length, found[0].subject, new Set(found).size], [3, 'user-1', 1])
})

test('key sets are read from the policy’s folder, and again by `reload`', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const policy = join(folder, 'policy.json')
  const [one, other] = [newKey('one'), newKey('other')]
  writeFileSync(policy, JSON.stringify(policyWithTokens()))
  await assert.rejects(hostbound({ policy, log: false }), { code: 'ENOENT' })
  writeFileSync(join(folder, 'jwks.json'), '{"keys":[{"kty":"OKP"}]}')
  await assert.rejects(hostbound({ policy, log: false }), PolicyError)
  writeFileSync(join(folder, 'jwks.json'), one.keySet)
  const { guard, ask, reached } = await service(t, policy, { secrets: {} })
  assert.deepEqual(guard.policy.secrets, [{ kind: 'file', name: 'jwks.json' }])
  assert.deepEqual(guard.policy.tokens, ['access'])
  const served = async () => [await ask('/a', tokenOf(one)), await ask('/a', tokenOf(other))].flatMap(statuses)
  assert.deepEqual(await served(), [200, 401])
  writeFileSync(join(folder, 'jwks.json'), other.keySet)
  await guard.reload()
  assert.deepEqual(await served(), [401, 200])
  writeFileSync(join(folder, 'jwks.json'), '{}')
  await assert.rejects(guard.reload(), PolicyError)
  assert.deepEqual(await served(), [401, 200])
  // What was proved before stays what it was.
  assert.deepEqual(reached.map(({ auth }) => auth.subject), ['user-1', 'user-1', 'user-1'])
})

test('claims cross as JSON’s own reader has them', async () => {
  const numbers = ['0', '-0', '1.0', '1e2', '-1.5', '9007199254740991', '9007199254740993', '-9223372036854775809', '18446744073709551615',
    '18446744073709551616', '123456789012345678901234567890', '1e21', '1.7976931348623157e308', '5e-324', '1e-400', '2.2250738585072011e-308',
    '0.500000000000000166533453693773481063544750213623046875']
  const { aud, exp, iat, iss } = claimsNow()
  const odd = `"__proto__":{"admin":true},"constructor":1,"10":"b","9":"a","":null,"é\\u0000\\ud83d\\ude00":[[],{},[false]]`
  const payload = `{"iss":"${iss}","aud":"${aud}","iat":${iat}.0,"exp":${exp},"numbers":[${numbers}],${odd}}`
  const policy = await Policy.fromObject(policyWithTokens())
  const guard = new Guard(policy, { secrets: { 'jwks.json': KEY.keySet } })
  const request = (text) => ({ method: 'GET', target: '/a', headers: ['host', 'localhost', 'authorization', `Bearer ${tokenOf(KEY, text)}`], now: iat })
  // A date with a fraction is none.
  assert.equal(reasonOf(guard.judge(request(payload))), 'claim_malformed')
  const whole = payload.replace(`${iat}.0`, `${iat}`)
  const { claims } = guard.decide(request(whole)).identity.token
  assert.deepStrictEqual(claims, JSON.parse(whole))
  for (const [index, text] of numbers.entries()) assert.ok(Object.is(claims.numbers[index], JSON.parse(text)), text)
  assert.equal(Object.getPrototypeOf(claims), Object.prototype)
  assert.deepEqual(JSON.parse(guard.decideJson(request(whole))).identity.token.claims, claims)
  // What no double holds is null, in JSON as here.
  assert.equal(guard.decide(request(whole.replace('"constructor":1', '"constructor":1e400'))).identity.token.claims.constructor, null)
})

test('without a time a request that needs a token is malformed', async () => {
  const guard = new Guard(await Policy.fromObject(policyWithTokens()), { secrets: { 'jwks.json': KEY.keySet } })
  const request = { method: 'GET', target: '/a', headers: ['host', 'localhost', 'authorization', `Bearer ${tokenOf(KEY)}`] }
  assert.equal(reasonOf(guard.inspect(request)), 'request_malformed')
  assert.equal(guard.inspect({ ...request, now: claimsNow().iat }), 0)
  assert.equal(guard.inspect({ ...request, target: '/open/a' }), 0)
})

test('a route may ask for a signature and a token', async (t) => {
  const { tokens } = policyWithTokens()
  const signed = policyWith({}, { tokens, routes: [{ path: '/**', require: ['signature:api', 'token:access'] }] })
  const { ask, reached, server } = await service(t, signed, { secrets: { ...own(signed), 'jwks.json': KEY.keySet } })
  const signer = await signerOf(signed, { secrets: { ...own(signed), 'jwks.json': KEY.keySet } })
  await new Promise((resolve) => setTimeout(resolve, 1005 - (Date.now() % 1000)))
  const headers = [['Host', 'localhost'], ['Authorization', `Bearer ${tokenOf(KEY)}`]]
  const { headers: added } = signer.sign({ method: 'GET', target: '/a', headers })
  const text = http('GET /a HTTP/1.1', ...[...headers, ...added].map((pair) => pair.join(': ')), 'Connection: close')
  assert.deepEqual(statuses(await ask('/a', tokenOf(KEY))), [401])
  assert.deepEqual([statuses(await talk(server, text)), statuses(await talk(server, text))], [[200], [401]])
  assert.deepEqual(reached.map(({ auth, hostbound }) => [auth.subject, hostbound.signature.key_id]), [['user-1', 'k1']])
})
