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

import { http, listening, statuses, stop, talk } from './support/raw.mjs'
import { startRedis } from './support/redis.mjs'
import { nextSecond, policyWith, SECRETS, signedLines, signerOf } from './support/signed.mjs'
import { newKey, tokenOf } from './support/tokens.mjs'
import { startWorker } from './support/workerd.mjs'

const execFile = promisify(execFileWithCallback)
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const blocks = [...readFileSync(join(PACKAGE, 'README.md'), 'utf8').matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language, text]) => ({ language, text }))
const [toml, ...rest] = blocks
const [signedToml, tokenToml, egressToml] = rest.filter(({ language }) => language === 'toml')
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
  assert.deepEqual(blocks.map(({ language }) => language), ['toml', 'js', 'js', 'js', 'js', 'toml', 'js', 'toml', 'js', 'js', 'js', 'js', 'toml', 'js', 'js'])
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
  writeFileSync(join(path, 'script.mjs'), scripts[10].replaceAll('8080', port))
  const { stdout } = await execFile(process.execPath, ['script.mjs'], { cwd: path, env: { ...process.env, PARTNER_KEY: SECRETS.KEY } })
  assert.equal(stdout, '200 hello partner-1\n200\n')
})

test('after a start, who signs is told when to come again', async (t) => {
  const server = await service(t, scripts[4], signedToml.text)
  assert.match(await talk(server, await signedRequest(server.address().port)), /^HTTP\/1\.1 503 [^]*retry-after: 6\r\n[^]*unavailable/)
})

test('bearer tokens', async (t) => {
  const key = newKey()
  const server = await service(t, scripts[5], tokenToml.text, { 'jwks.json': key.keySet })
  const token = tokenOf(key, { iss: 'https://auth.example.com/', aud: 'https://api.example.com', sub: 'user-7' })
  assert.match(await talk(server, http('GET / HTTP/1.1', GOOD, `Authorization: Bearer ${token}`, 'Connection: close')), /^HTTP\/1\.1 200 [^]*hello user-7/)
  assert.match(await talk(server, http('GET / HTTP/1.1', GOOD)), /^HTTP\/1\.1 401 [^]*www-authenticate: Bearer\r\n[^]*token_missing/)
})

test('replay in Redis', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip('there is no redis-server')
  const script = scripts[6].replace('createClient()', `createClient({ url: 'redis://127.0.0.1:${redis.port}' })`)
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
  writeFileSync(path, scripts[7])
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' })
  assert.equal(stdout, 'host_not_allowed host `evil.test` is not allowed\n', stderr)
})

test('an edge runtime', async (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'worker.mjs'), scripts[8])
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
  writeFileSync(join(path, 'script.mjs'), here(scripts[9]))
  const { stdout } = await execFile(process.execPath, ['script.mjs'], { cwd: path })
  assert.equal(stdout, 'Basic b3JkZXJzOnB3\nurl_malformed\ndestination_not_allowed egress.allow\n')
})
