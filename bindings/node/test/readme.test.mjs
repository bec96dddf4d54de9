// Every snippet of README.md, run as it stands; only the port is another.

import assert from 'node:assert/strict'
import { execFile as execFileWithCallback, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { WebSocket } from 'ws'

import { thumbprint } from './support/asked.mjs'
import { certificates } from './support/ca.mjs'
import { answered, hostile } from './support/hostile.mjs'
import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { startRedis } from './support/redis.mjs'
import { nextSecond, policyWith, SECRETS, signedLines, signerOf } from './support/signed.mjs'
import { claimsNow, newKey, tokenOf } from './support/tokens.mjs'
import { startWorker } from './support/workerd.mjs'

const execFile = promisify(execFileWithCallback)
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const blocks = [...readFileSync(join(PACKAGE, 'README.md'), 'utf8').matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language, text]) => ({ language, text }))
const [toml, ...rest] = blocks
const [signedToml, tokenToml, opaqueToml, egressToml] = rest.filter(({ language }) => language === 'toml')
const scripts = rest.filter(({ language }) => language === 'js').map(({ text }) => text)
const GOOD = 'Host: localhost'
const EVIL = 'Host: evil.test'

/** A folder in which a script finds the package, its peers and the policy. */
function folder(t, policy = toml.text) {
  const path = mkdtempSync(join(tmpdir(), 'hostbound-readme-'))
  t.after(() => rmSync(path, { recursive: true }))
  mkdirSync(join(path, 'node_modules'))
  symlinkSync(PACKAGE, join(path, 'node_modules/hostbound'))
  for (const name of ['express', 'redis', 'undici', 'ws']) symlinkSync(join(PACKAGE, 'node_modules', name), join(path, 'node_modules', name))
  writeFileSync(join(path, 'hostbound.toml'), policy)
  return path
}

async function freePort() {
  const server = await listening(createServer())
  const { port } = server.address()
  await stop(server)
  return port
}

/** Starts a script that listens on port 8080, on another port. */
async function service(t, script, policy, files = {}) {
  assert.equal(script.match(/\b8080\b/g)?.length, 1)
  const port = await freePort()
  const path = join(folder(t, policy), 'service.mjs')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, '..', name), text)
  // It says when it listens.
  const ready = "import { Server } from 'node:net'\nconst { listen } = Server.prototype\nServer.prototype.listen = function (...args) { return listen.apply(this, args).once('listening', () => process.send('listening')) }\n"
  writeFileSync(path, script.replace('8080', port))
  writeFileSync(join(path, '../ready.mjs'), ready)
  const child = spawn(process.execPath, ['--import', './ready.mjs', path], { cwd: join(path, '..'), env: { ...process.env, PARTNER_KEY: SECRETS.KEY }, stdio: ['ignore', 'pipe', 'ignore', 'ipc'] })
  t.after(async () => {
    const ended = once(child, 'exit')
    child.kill()
    await ended
  })
  await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => assert.fail(`ended with ${code}`))])
  return { child, address: () => ({ port }) }
}

async function answers(server, field) {
  return statuses(await talk(server, http('GET / HTTP/1.1', field, 'Connection: close')))
}

test('the README has the snippets that are tested here', () => {
  assert.deepEqual(blocks.map(({ language }) => language), ['toml', 'js', 'js', 'js', 'js', 'toml', 'js', 'toml', 'js', 'toml', 'js', 'js', 'js', 'html', 'js', 'toml', 'js', 'js'])
})

test('a Node service', async (t) => {
  const server = await service(t, scripts[0])
  assert.match(await talk(server, http('GET / HTTP/1.1', 'Host: LOCALHOST:8080', 'Connection: close')), /hello at localhost:8080/)
  assert.deepEqual(await answers(server, EVIL), [421])
})

test('Express', async (t) => {
  const server = await service(t, scripts[1])
  assert.deepEqual([await answers(server, GOOD), await answers(server, EVIL)], [[200], [421]])
})

test('WebSockets', async (t) => {
  const { port } = (await service(t, scripts[2])).address()
  const good = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'localhost' } })
  assert.equal(String((await once(good, 'message'))[0]), 'hello')
  good.terminate()
  const evil = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'evil.test' } })
  evil.on('error', () => {})
  const [, response] = await once(evil, 'unexpected-response')
  assert.equal(response.statusCode, 421)
  evil.terminate()
})

test('report mode', async (t) => {
  const server = await service(t, scripts[3])
  const line = once(createInterface({ input: server.child.stdout }), 'line')
  assert.deepEqual(await answers(server, EVIL), [200])
  assert.deepEqual(await line, ['/: host `evil.test` is not allowed'])
})

/** The policy of the page, without the tolerance that would have clients wait after a start. */
const signedPolicy = signedToml.text.replace('profile =', 'clock_tolerance = "0s"\nprofile =')

/** A signed request, as by the page's policy. */
async function signedRequest(port) {
  const host = `localhost:${port}`
  const signer = await signerOf(policyWith())
  return http('GET /a HTTP/1.1', ...signedLines(signer, { target: '/a', host }), 'Connection: close')
}

test('signed requests, and signing', async (t) => {
  const server = await service(t, scripts[4], signedPolicy)
  await nextSecond()
  const { port } = server.address()
  const text = await signedRequest(port)
  assert.match(await talk(server, text), /^HTTP\/1\.1 200 [^]*hello partner-1/)
  assert.match(await talk(server, text), /^HTTP\/1\.1 401 [^]*signature_invalid/)
  assert.deepEqual(await answers(server, GOOD), [401])
  const path = folder(t, signedPolicy)
  writeFileSync(join(path, 'script.mjs'), scripts[11].replaceAll('8080', port))
  const { stdout } = await execFile(process.execPath, ['script.mjs'], { cwd: path, env: { ...process.env, PARTNER_KEY: SECRETS.KEY } })
  assert.equal(stdout, '200 hello partner-1\n200\n')
})

test('after a start, who signs is told when to come again', async (t) => {
  const server = await service(t, scripts[4], signedToml.text)
  assert.match(await talk(server, await signedRequest(server.address().port)), /^HTTP\/1\.1 503 [^]*retry-after: 6\r\n[^]*unavailable/)
})

const CLAIMS = { iss: 'https://auth.example.com/', aud: 'https://api.example.com', sub: 'user-7' }
const bearer = (server, token) => talk(server, http('GET / HTTP/1.1', GOOD, `Authorization: Bearer ${token}`, 'Connection: close'))

/** The page's authority, on this machine: what it is asked, and a policy of the page that asks it. */
async function authorityHere(t, answer) {
  const made = certificates(t)
  made.authority('ca')
  made.issue('server', 'ca', 'DNS:localhost')
  const { port, seen } = await hostile(t, { cert: made.read('server.pem'), key: made.read('server.key') }, answer, ['127.0.0.1'])
  const policyOf = (text) => `${text
    .replaceAll(/https:\/\/auth\.example\.com(?!\/")/g, `https://localhost:${port}`)
    .replace('[egress]', '[egress]\naddresses = ["127.0.0.1/32", "::1/128"]')}
[[egress.destinations]]
origin = "https://localhost:${port}"
ca = { file = "${made.path('ca.pem')}" }
`
  return { requests: seen['127.0.0.1'].requests, policyOf }
}

/** The page's script that judges by hand, for a token. */
async function byHand(t, policy, token, change = (script) => script) {
  const path = folder(t, policy)
  writeFileSync(join(path, 'script.mjs'), change(scripts[6]))
  const { stdout } = await execFile(process.execPath, ['script.mjs', token], { cwd: path })
  return stdout.trim()
}

test('bearer tokens, with keys by URL: before a server, and by hand', async (t) => {
  const key = newKey()
  const { requests, policyOf } = await authorityHere(t, (socket) => socket.write(answered(key.keySet)))
  const policy = policyOf(tokenToml.text).replace(/(?<=pins = \[").*(?="\])/, thumbprint(key))
  const server = await service(t, scripts[5], policy)
  assert.match(await bearer(server, tokenOf(key, CLAIMS)), /^HTTP\/1\.1 200 [^]*hello user-7/)
  assert.match(await bearer(server, tokenOf(newKey(), CLAIMS)), /^HTTP\/1\.1 401 /)
  assert.match(await talk(server, http('GET / HTTP/1.1', GOOD)), /^HTTP\/1\.1 401 [^]*www-authenticate: Bearer\r\n[^]*token_missing/)
  assert.equal(requests.length, 1)
  assert.equal(await byHand(t, policy, tokenOf(key, CLAIMS)), 'user-7')
  assert.equal(await byHand(t, policy, tokenOf(newKey(), CLAIMS)), 'token_signature_mismatch')
  // As the page has it, for other keys.
  assert.equal(await byHand(t, policyOf(tokenToml.text), tokenOf(key, CLAIMS)), 'token_keys_unavailable')
  const local = tokenToml.text.replace(/keys = .*\n/, 'keys = { file = "jwks.json" }\n')
  assert.match(await bearer(await service(t, scripts[5], local, { 'jwks.json': key.keySet }), tokenOf(key, CLAIMS)), /^HTTP\/1\.1 200 [^]*hello user-7/)
})

test('bearer tokens, with introspection: before a server, and by hand', async (t) => {
  const { requests, policyOf } = await authorityHere(t, (socket, { body }) => {
    const isActive = new URLSearchParams(body).get('token') === 'good'
    socket.write(answered(JSON.stringify(isActive ? { active: true, ...claimsNow(), ...CLAIMS } : { active: false })))
  })
  process.env.INTROSPECTION_SECRET = 'published-test-secret'
  t.after(() => delete process.env.INTROSPECTION_SECRET)
  const server = await service(t, scripts[5], policyOf(opaqueToml.text))
  assert.match(await bearer(server, 'good'), /^HTTP\/1\.1 200 [^]*hello user-7/)
  assert.match(await bearer(server, 'bad'), /^HTTP\/1\.1 401 [^]*error="invalid_token"/)
  assert.match(requests[0].head, new RegExp(`^authorization: Basic ${btoa('orders:published-test-secret')}\r?$`, 'im'))
  const secrets = (script) => script.replace("fromFile('hostbound.toml'))", "fromFile('hostbound.toml'), { secrets: { INTROSPECTION_SECRET: process.env.INTROSPECTION_SECRET } })")
  assert.equal(await byHand(t, policyOf(opaqueToml.text), 'good', secrets), 'user-7')
  assert.equal(await byHand(t, policyOf(opaqueToml.text), 'bad', secrets), 'token_inactive')
})

test('replay in Redis', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip('there is no redis-server')
  const script = scripts[7].replace('createClient()', `createClient({ url: 'redis://127.0.0.1:${redis.port}' })`)
  const policy = signedPolicy.replace('profile =', 'replay = "shared"\nprofile =')
  const [one, other] = [await service(t, script, policy), await service(t, script, policy)]
  // The store begins with the first claim.
  assert.match(await talk(one, await signedRequest(80)), /^HTTP\/1\.1 503 [^]*retry-after: 1/)
  await nextSecond()
  const text = await signedRequest(80)
  assert.deepEqual([await talk(one, text), await talk(other, text), await talk(one, text)].flatMap(statuses), [200, 401, 401])
})

test('by hand', (t) => {
  const path = join(folder(t), 'script.mjs')
  writeFileSync(path, scripts[8])
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' })
  assert.equal(stdout, 'host_not_allowed host `evil.test` is not allowed\n', stderr)
})

test('an edge runtime', async (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'worker.mjs'), scripts[9])
  const port = await startWorker(t, join(path, 'worker.mjs'))
  if (port === undefined) return t.skip('workerd has no binary for this platform')
  const server = { address: () => ({ port }) }
  assert.deepEqual([await answers(server, GOOD), await answers(server, EVIL)], [[200], [421]])
})

test('outbound requests', async (t) => {
  const orders = createHttpServer((request, response) => response.end(request.headers.authorization)).listen(0, '127.0.0.1')
  await once(orders, 'listening')
  t.after(() => orders.close())
  const here = (text) => text.replaceAll('8000', orders.address().port)
  const path = folder(t)
  writeFileSync(join(path, 'hostbound.toml'), here(egressToml.text))
  writeFileSync(join(path, 'script.mjs'), here(scripts[10]))
  const { stdout } = await execFile(process.execPath, ['script.mjs'], { cwd: path })
  assert.equal(stdout, 'Basic b3JkZXJzOnB3\nurl_malformed\ndestination_not_allowed egress.allow\n')
})
