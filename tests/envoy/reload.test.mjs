// Policies that are changed, right ones and wrong ones, while requests go on.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { bootstrap, cluster, listener } from './support/bootstrap.mjs'
import { startEnvoy, validated } from './support/envoy.mjs'
import { MODULE, hostbound, inline, put, resource } from './support/filter.mjs'
import { served, until } from './support/served.mjs'
import { hostNonce } from './support/sign.mjs'

const KEY = '0123456789abcdef0123456789abcdef'
const ROUNDS = 400
const CONNECTIONS = 8

const toml = (hosts) => `version = 1
[hosts]
allow = [${hosts.map((host) => `"${host}"`).join(', ')}]
`
/** As if somebody had changed it after it was compiled. */
const broken = (config) => (config.configuration.value = config.configuration.value.replace('localhost', '*.com'))
const MISTAKE = /hostbound: policy\.toml:3:10: hosts\.allow\[0\]: `\*\.com` covers names/

function written(t, text) {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-reload-'))
  t.after(() => rmSync(folder, { recursive: true }))
  put(join(folder, 'policy.toml'), text)
  // The name of the file as it is told: without a folder.
  return { folder, edit: (config) => (config.configuration.value = config.configuration.value.replaceAll(`${folder}/`, '')) }
}

test('a bad policy does not start, and `--mode validate` says so with its line', async (t) => {
  const { folder, edit } = written(t, toml(['localhost']))
  const of = (change) => {
    const made = resource(folder, join(folder, 'policy.toml'), { edit: (config) => (edit(config), change(config)) })
    return bootstrap([listener('l', join(folder, 'l'), 'u', [inline(made)])], [cluster('u', join(folder, 'u'))])
  }
  assert.equal(validated(folder, of(() => {})).isValid, true)
  const bad = of(broken)
  const { isValid, log } = validated(folder, bad)
  assert.equal(isValid, false)
  assert.match(log, MISTAKE)
  await assert.rejects(startEnvoy(folder, bad), MISTAKE)
})

test('what `--form bootstrap` writes is what `--mode validate` takes', async (t) => {
  const { folder } = written(t, toml(['localhost']))
  const made = JSON.parse(hostbound('envoy', join(folder, 'policy.toml'), '--module', MODULE, '--form', 'bootstrap'))
  assert.equal(validated(folder, made).isValid, true)
})

test('a bad policy in a file of discovery is refused: at the start every request, later the file alone', async (t) => {
  const { folder, edit } = written(t, toml(['localhost']))
  const policy = join(folder, 'policy.toml')
  const bad = resource(folder, policy, { edit: (config) => (edit(config), broken(config)) })
  const service = await served(t, policy, { workers: 2, edit: broken })
  const http = service.http1()
  const ask = async (host) => (await http.ask({ method: 'GET', target: '/', headers: [['host', host]] })).status
  assert.equal(await ask('localhost'), 500)
  assert.equal(await ask('evil.test'), 500)
  put(service.file, resource(folder, policy))
  await until(async () => (await ask('localhost')) === 200)
  const mark = service.log.length
  put(service.file, bad)
  await until(() => service.log.slice(mark).some((line) => line.includes('update rejected')))
  assert.match(service.log.slice(mark).join('\n'), MISTAKE)
  for (let count = 0; count < 20; count++) assert.deepEqual([await ask('localhost'), await ask('evil.test'), await ask('a.com')], [200, 421, 421])
  put(service.file, '{ "resources": [')
  await until(() => service.log.slice(mark).filter((line) => /filesystem|config/i.test(line)).length > 1)
  assert.deepEqual([await ask('localhost'), await ask('evil.test')], [200, 421])
})

/** Each key has the same share of the store, however many there are: else a key that comes changes those of all. */
const signedPolicy = (more, keys = ['k']) => ({
  version: 1,
  name: 'signed',
  hosts: { allow: ['localhost', ...more] },
  signatures: { s: { profile: 'host-nonce', clock_tolerance: '1s', replay_capacity: 100_000 * keys.length, keys: keys.map((id) => ({ id, secret: { env: id.toUpperCase() } })) } },
  routes: [
    { path: '/signed', require: ['signature:s'] },
    { path: '/open', require: [] },
  ],
})

test('two workers, eight connections, reloads: each nonce counts once, and nothing is lost', async (t) => {
  const service = await served(t, signedPolicy([]), { workers: 2, secrets: { K: KEY } })
  const clients = Array.from({ length: CONNECTIONS }, () => service.http1())
  const request = (now) => ({ method: 'GET', target: '/signed', headers: [['host', 'localhost'], ...hostNonce({ host: 'localhost', target: '/signed' }, { key: KEY, now })] })
  const fresh = () => request(Math.floor(Date.now() / 1000))
  await until(async () => (await clients[0].ask(fresh())).status === 200)
  let isOver = false
  const others = { answers: 0, lost: [] }
  const load = Array.from({ length: 4 }, async () => {
    for (const http = service.http1(); !isOver; others.answers++) {
      const answer = await http.ask({ method: 'GET', target: '/open', headers: [['host', 'localhost']] })
      if (answer?.status !== 200) others.lost.push(answer?.status)
    }
  })
  const started = () => service.log.filter((line) => line.includes('started with policy')).length
  const rounds = []
  const replayed = []
  for (let round = 0; round < ROUNDS; round++) {
    // A host more each time, so that it is another policy.
    if (round % 80 === 40) put(service.file, resource(service.folder, signedPolicy([`round-${round}.test`]), { secrets: { K: KEY } }))
    const one = fresh()
    const answers = await Promise.all(clients.map((client) => client.ask(one)))
    rounds.push(answers.map((answer) => answer?.status).sort().join())
    if (round % 20 === 0) replayed.push(one)
  }
  isOver = true
  await Promise.all(load)
  assert.deepEqual(new Set(rounds), new Set([[200, ...Array(CONNECTIONS - 1).fill(401)].join()]))
  assert.deepEqual(others.lost, [])
  assert.ok(others.answers > ROUNDS, String(others.answers))
  // Five reloads, at the main thread and both workers.
  assert.ok(started() >= 6 * 3, String(started()))
  for (const one of replayed) for (const client of clients) assert.equal((await client.ask(one)).status, 401)
})

test('a reload keeps the nonces of keys that stay, and begins anew for a key that comes', async (t) => {
  const secrets = { K: KEY, L: KEY.split('').reverse().join('') }
  const service = await served(t, signedPolicy([]), { workers: 2, secrets: { K: KEY } })
  const http = service.http1()
  const signedBy = (key) => ({ method: 'GET', target: '/signed', headers: [['host', 'localhost'], ...hostNonce({ host: 'localhost', target: '/signed' }, { key, now: Math.floor(Date.now() / 1000) })] })
  let used
  await until(async () => (await http.ask((used = signedBy(KEY)))).status === 200)
  const early = signedBy(secrets.L)
  put(service.file, resource(service.folder, signedPolicy([], ['k', 'l']), { secrets }))
  await until(async () => (await http.ask(early)).status === 503)
  assert.equal((await http.ask(used)).status, 401)
  assert.equal((await http.ask(signedBy(KEY))).status, 200)
  await until(async () => (await http.ask(signedBy(secrets.L))).status === 200)
  assert.equal((await http.ask(early)).status, 503)
})
