// The replay store in a real Redis: each nonce is accepted once, whatever processes, clients and the server itself do.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { Guard, Policy } from 'hostbound'
import { hostbound } from 'hostbound/node'
import { redisReplay } from 'hostbound/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

import { inRepository } from './support/files.mjs'
import { coded } from './support/policies.mjs'
import { startRedis } from './support/redis.mjs'
import { nextSecond, own, policyWith, SECRETS, signedService } from './support/signed.mjs'
import { http, statuses, talk } from './support/raw.mjs'
import { signedLines } from './support/signed.mjs'

const NONE = 'there is no redis-server'
const CLAIMS = 'hostbound:1:claims'
const SHARED = policyWith({ replay: 'shared', replay_capacity: 1_000_000 })

/** Both clients, connected. */
async function clients(t, port) {
  const nodeRedis = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: 50 } })
  const ioRedis = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null })
  // Lost connections are what some of the tests are about.
  nodeRedis.on('error', () => {})
  ioRedis.on('error', () => {})
  await nodeRedis.connect()
  t.after(() => {
    nodeRedis.destroy()
    ioRedis.disconnect()
  })
  return { nodeRedis, ioRedis }
}

/** A signed request, and its verdict by a store. */
function signing(guard) {
  let count = 0
  return (now = Math.floor(Date.now() / 1000)) => {
    const request = { method: 'GET', target: `/${(count += 1)}`, headers: [['host', 'localhost']], now }
    const { headers } = guard.sign(request, { section: 'api' })
    return { ...request, headers: [...request.headers, ...headers] }
  }
}

async function judged(guard, store, request) {
  const claim = guard.claim(request)
  if (claim === undefined) return guard.decide(request)
  const outcome = await store.claim(claim).catch(() => ({ outcome: 'failed', epoch: 0 }))
  guard.answer(request, outcome)
  return guard.verdict()
}

test('what is no client is refused', () => {
  for (const wrong of [undefined, null, {}, { call() {} }, { sendCommand() {} }]) assert.throws(() => redisReplay(wrong), coded('HOSTBOUND_OPTION'))
  const client = { sendCommand() {}, multi() {} }
  for (const timeout of [0, -1, NaN, Infinity]) assert.throws(() => redisReplay(client, { timeout }), coded('HOSTBOUND_OPTION'))
})

test('both clients keep one store: a nonce is accepted once', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis, ioRedis } = await clients(t, redis.port)
  const guard = new Guard(await Policy.fromObject(SHARED), { secrets: own(SHARED) })
  const [one, other] = [redisReplay(nodeRedis), redisReplay(ioRedis)]
  const signed = signing(guard)
  // The first claim finds a server that has started anew.
  assert.equal((await judged(guard, one, signed())).reason, 'replay_store_unavailable')
  await nextSecond()
  await nextSecond()
  for (const [first, second] of [[one, other], [other, one], [one, one]]) {
    const request = signed()
    assert.equal((await judged(guard, first, request)).decision, 'allow')
    assert.equal((await judged(guard, second, request)).reason, 'nonce_replayed')
  }
  // What the server holds: the claims, all of which end, and nothing of the request.
  const [claims, share, ...others] = (await nodeRedis.sendCommand(['KEYS', '*'])).sort()
  assert.deepEqual([claims, others], [CLAIMS, []])
  assert.match(share, /^hostbound:1:share:[\w-]{43}$/)
  const seconds = await nodeRedis.sendCommand(['TTL', share])
  assert.ok(seconds > 100 && seconds <= 180, String(seconds))
  const members = await nodeRedis.sendCommand(['ZRANGE', CLAIMS, '0', '-1'])
  assert.deepEqual(members.splice(0, 2).sort(), ['clock', 'epoch'])
  assert.equal(members.length, 4)
  for (const member of members) assert.match(member, /^hostbound:1:[\w-]{43}$/)
})

test('the clock of the store does not go back', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis } = await clients(t, redis.port)
  const guard = new Guard(await Policy.fromObject(SHARED), { secrets: own(SHARED) })
  const store = redisReplay(nodeRedis)
  const signed = signing(guard)
  const seconds = async () => -Number(await nodeRedis.sendCommand(['ZSCORE', CLAIMS, 'clock']))
  await judged(guard, store, signed())
  await nextSecond()
  await nextSecond()
  const request = signed()
  assert.equal((await judged(guard, store, request)).decision, 'allow')
  assert.ok(Math.abs((await seconds()) - Date.now() / 1000) < 2)
  const ends = Number((await nodeRedis.sendCommand(['ZRANGE', CLAIMS, '-1', '-1', 'WITHSCORES'])).flat().at(-1))
  // What it has shown, up to an hour too much, before it was set right; and what ended by it is forgotten.
  for (const [shown, reason] of [[ends - 2, 'nonce_replayed'], [ends, 'replay_store_unavailable'], [ends + 3600, 'replay_store_unavailable']]) {
    await nodeRedis.sendCommand(['ZADD', CLAIMS, String(-shown), 'clock'])
    await nodeRedis.sendCommand(['ZREMRANGEBYSCORE', CLAIMS, '0', String(shown)])
    assert.equal((await judged(guard, store, request)).reason, reason)
    assert.equal(await seconds(), shown)
  }
  assert.equal((await judged(guard, store, signed())).reason, 'replay_store_unavailable')
  // The server itself ends no claim, and what takes the claims takes the epoch.
  assert.equal(await nodeRedis.sendCommand(['TTL', CLAIMS]), -1)
  await nodeRedis.sendCommand(['DEL', CLAIMS])
  assert.equal((await judged(guard, store, request)).reason, 'replay_store_unavailable')
  await nextSecond()
  await nextSecond()
  assert.equal((await judged(guard, store, request)).reason, 'replay_store_unavailable')
  assert.equal((await judged(guard, store, signed())).decision, 'allow')
})

test('a server that may evict is refused', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis, ioRedis } = await clients(t, redis.port)
  const guard = new Guard(await Policy.fromObject(SHARED), { secrets: own(SHARED) })
  const signed = signing(guard)
  const configure = async (...settings) => {
    await nodeRedis.sendCommand(['CONFIG', 'SET', ...settings])
    await nodeRedis.sendCommand(['SCRIPT', 'FLUSH'])
  }
  for (const store of [redisReplay(nodeRedis), redisReplay(ioRedis)]) {
    for (const policy of ['volatile-lru', 'volatile-ttl', 'allkeys-lru', 'allkeys-random']) {
      await configure('maxmemory', '100mb', 'maxmemory-policy', policy)
      for (let time = 0; time < 2; time += 1) {
        await assert.rejects(store.claim(guard.claim(signed())), ({ message }) => message.includes(`\`maxmemory-policy\` is \`${policy}\``))
      }
      assert.deepEqual(await nodeRedis.sendCommand(['KEYS', '*']), [])
    }
    for (const settings of [['maxmemory', '0'], ['maxmemory', '100mb', 'maxmemory-policy', 'noeviction']]) {
      await configure(...settings)
      assert.equal((await store.claim(guard.claim(signed()))).outcome, 'made')
      await nodeRedis.sendCommand(['FLUSHALL'])
    }
  }
})

test('a server that is made to evict takes the epoch with the claims', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis } = await clients(t, redis.port)
  const guard = new Guard(await Policy.fromObject(SHARED), { secrets: own(SHARED) })
  const store = redisReplay(nodeRedis)
  const signed = signing(guard)
  for (const policy of ['volatile-lru', 'allkeys-lru']) {
    await judged(guard, store, signed())
    await nextSecond()
    await nextSecond()
    const request = signed()
    assert.equal((await judged(guard, store, request)).decision, 'allow')
    await nodeRedis.sendCommand(['CONFIG', 'RESETSTAT'])
    const used = Number(/used_memory:(\d+)/.exec(await nodeRedis.sendCommand(['INFO', 'memory']))[1])
    await nodeRedis.sendCommand(['CONFIG', 'SET', 'maxmemory', String(used + 400_000), 'maxmemory-policy', policy])
    for (let index = 0; index < 1000; index += 1) await nodeRedis.sendCommand(['SET', `other:${index}`, 'x'.repeat(2000)]).catch(() => {})
    await nodeRedis.sendCommand(['CONFIG', 'SET', 'maxmemory', '0'])
    const evicted = Number(/evicted_keys:(\d+)/.exec(await nodeRedis.sendCommand(['INFO', 'stats']))[1])
    assert.ok(evicted > 0, policy)
    assert.notEqual((await judged(guard, store, request)).decision, 'allow')
    await nodeRedis.sendCommand(['FLUSHALL'])
  }
})

test('before `max_age` is raised the claims are deleted: what was used stays used', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis } = await clients(t, redis.port)
  const [small, large] = await Promise.all(['1s', '10m'].map(async (max_age) => {
    const policy = policyWith({ replay: 'shared', max_age })
    return new Guard(await Policy.fromObject(policy), { secrets: own(policy) })
  }))
  const store = redisReplay(nodeRedis)
  const signed = signing(small)
  await judged(small, store, signed())
  await nextSecond()
  await nextSecond()
  const request = signed()
  assert.equal((await judged(small, store, request)).decision, 'allow')
  assert.equal((await judged(large, store, request)).reason, 'nonce_replayed')
  await nodeRedis.sendCommand(['DEL', CLAIMS])
  await judged(large, store, signed())
  await nextSecond()
  await nextSecond()
  assert.equal((await judged(large, store, request)).reason, 'replay_store_unavailable')
  assert.equal((await judged(large, store, signed())).decision, 'allow')
})

test('one key cannot use up the share of another', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis } = await clients(t, redis.port)
  const keys = [{ id: 'a', secret: { env: 'KEY' } }, { id: 'b', secret: { env: 'OTHER_KEY' } }]
  const policy = policyWith({ replay: 'shared', replay_capacity: 6, keys })
  const guard = new Guard(await Policy.fromObject(policy), { secrets: own(policy) })
  const store = redisReplay(nodeRedis)
  const by = (keyId) => {
    const request = { method: 'GET', target: '/', headers: [['host', 'localhost']], now: Math.floor(Date.now() / 1000) }
    return { ...request, headers: [...request.headers, ...guard.sign(request, { section: 'api', keyId }).headers] }
  }
  await judged(guard, store, by('a'))
  await nextSecond()
  await nextSecond()
  const decisions = []
  for (const keyId of ['a', 'a', 'a', 'b', 'b', 'a', 'b', 'b']) decisions.push((await judged(guard, store, by(keyId))).reason)
  // The claim before the epoch counts too: its entry is there.
  const full = 'replay_store_unavailable'
  assert.deepEqual(decisions, [null, null, full, null, null, full, null, full])
})

test('a service with Redis: served once by one of two, refused while the server is away', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis, ioRedis } = await clients(t, redis.port)
  const one = await signedService(t, SHARED, { replay: redisReplay(nodeRedis, { timeout: 300 }) })
  const other = await signedService(t, SHARED, { replay: redisReplay(ioRedis, { timeout: 300 }) })
  const text = () => http('GET /a HTTP/1.1', ...signedLines(one.signer, { target: '/a', host: 'localhost' }), 'Connection: close')
  const ask = async (service, request) => statuses(await talk(service.server, request))[0]
  await ask(one, text())
  await nextSecond()
  await nextSecond()
  const request = text()
  assert.deepEqual([await ask(one, request), await ask(other, request), await ask(one, request)], [200, 401, 401])
  await redis.kill()
  const refused = await talk(one.server, text())
  assert.match(refused, /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*unavailable\n$/)
  assert.match(one.lines.find(({ what }) => what === 'the replay store failed').detail, /./)
  await redis.start()
  const deadline = Date.now() + 8000
  while ((await ask(one, text())) !== 200) {
    assert.ok(Date.now() < deadline, 'the service comes back')
    await after(100)
  }
  assert.equal(await ask(other, request), 503)
})

test('eight processes with ten thousand requests each accept each of a thousand nonces once', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const built = join(process.env.CARGO_TARGET_DIR ?? inRepository('target'), 'release/hostbound')
  const command = [process.env.HOSTBOUND_CLI, built].find((path) => path && existsSync(path))
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = (name, content) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const { nodeRedis } = await clients(t, redis.port)
  const policy = file('policy.json', JSON.stringify(SHARED))
  const secrets = file('secrets.json', JSON.stringify(own(SHARED)))
  const guard = new Guard(await Policy.fromFile(policy), { secrets: own(SHARED) })
  const signed = signing(guard)
  await judged(guard, redisReplay(nodeRedis), signed())
  await nextSecond()
  await nextSecond()
  const requests = Array.from({ length: 1000 }, (_, index) => ({ id: String(index), ...signed() }))
  const requestsFile = file('requests.jsonl', requests.map((request) => `${JSON.stringify(request)}\n`).join(''))
  const ready = []
  let begin
  const beginning = new Promise((resolve) => (begin = resolve))
  const run = async (program, args, stdin) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    let output = ''
    const isReady = new Promise((resolve) => child.stdout.on('data', (chunk) => resolve((output += chunk))))
    // The command says nothing before it has read something.
    if (program === process.execPath) ready.push(isReady)
    beginning.then(() => child.stdin.end(stdin))
    await once(child, 'close')
    return output.replace('ready\n', '')
  }
  const order = () => Array.from({ length: 10_000 }, () => Math.floor(Math.random() * 1000))
  const works = Array.from({ length: 8 }, async (_, index) => {
    // Half of them are the command: the two clients of the store have to agree.
    if (index % 2 === 1 && command !== undefined) {
      const input = order().map((at) => `${JSON.stringify(requests[at])}\n`).join('')
      const lines = (await run(command, ['decide', '--policy', policy, '--secrets', secrets, '--replay', `redis://127.0.0.1:${redis.port}`], input)).trim().split('\n').map(JSON.parse)
      assert.equal(lines.length, 10_000)
      return lines.filter(({ decision }) => decision === 'allow').map(({ id }) => Number(id))
    }
    const orderFile = file(`order-${index}.json`, JSON.stringify(order()))
    return JSON.parse(await run(process.execPath, [fileURLToPath(new URL('support/replayer.mjs', import.meta.url)), policy, secrets, requestsFile, orderFile, String(redis.port)], ''))
  })
  await after(0)
  await Promise.all(ready)
  begin()
  const accepted = await Promise.all(works)
  const all = accepted.flat().sort((a, b) => a - b)
  assert.deepEqual(all, [...new Set(all)], 'none twice')
  // 80,000 draws of a thousand leave none out, but once in 10^31 runs.
  assert.equal(all.length, 1000)
  if (command === undefined) t.diagnostic('without the command: it is not built')
  t.diagnostic(`accepted by each: ${accepted.map((indices) => indices.length).join(' ')}`)
})

/** What befalls the server while it is asked. */
const DISASTERS = [
  ['kill -9, nothing saved', async (redis) => { await redis.kill(); await redis.start(['--save', '', '--appendonly', 'no']) }],
  ['kill -9, back with an old snapshot', async (redis, client) => {
    await client.sendCommand(['SAVE'])
    await after(300)
    await redis.kill()
    await redis.start(['--save', '3600 1', '--appendonly', 'no'])
  }],
  ['FLUSHALL', async (_, client) => client.sendCommand(['FLUSHALL'])],
  ['SCRIPT FLUSH', async (_, client) => client.sendCommand(['SCRIPT', 'FLUSH'])],
  ['FLUSHALL and kill -9', async (redis, client) => { await client.sendCommand(['FLUSHALL']); await redis.kill(); await redis.start() }],
]

test('nothing is accepted twice while the server is killed and emptied and set back under load', async (t) => {
  const redis = await startRedis(t)
  if (redis === undefined) return t.skip(NONE)
  const { nodeRedis, ioRedis } = await clients(t, redis.port)
  const guards = await Promise.all([1, 2].map(async () => new Guard(await Policy.fromObject(SHARED), { secrets: own(SHARED) })))
  const stores = [redisReplay(nodeRedis, { timeout: 500 }), redisReplay(ioRedis, { timeout: 500 })]
  const accepted = new Map()
  const twice = []
  let isOver = false
  let refused = 0
  const ask = async (index, request) => {
    const { decision, identity } = await judged(guards[index], stores[index], request)
    if (decision !== 'allow') return false
    const { nonce } = identity.signature
    if (accepted.has(nonce)) twice.push(nonce)
    accepted.set(nonce, request)
    return true
  }
  const load = async (index) => {
    const signed = signing(guards[index])
    while (!isOver) {
      const request = signed()
      if (!(await ask(index, request))) refused += 1
      // An eager attacker: what was just accepted, and something older, to the other process.
      await ask(1 - index, request)
      const old = [...accepted.values()].at(Math.floor(Math.random() * accepted.size))
      if (old !== undefined) await ask(1 - index, old)
    }
  }
  const loads = [load(0), load(1)]
  // Until the store accepts anew.
  const untilAccepting = async () => {
    const size = accepted.size
    const deadline = Date.now() + 10_000
    while (accepted.size < size + 20) {
      assert.ok(Date.now() < deadline, 'requests are accepted again')
      await after(20)
    }
  }
  await untilAccepting()
  for (const [name, strike] of DISASTERS) {
    const before = accepted.size
    await strike(redis, nodeRedis)
    await untilAccepting()
    t.diagnostic(`${name}: ${accepted.size - before} accepted since`)
  }
  isOver = true
  await Promise.all(loads)
  assert.deepEqual(twice, [])
  // And once more, all of them, when everything is calm.
  await nextSecond()
  for (const request of [...accepted.values()]) await ask(0, request)
  assert.deepEqual(twice, [])
  assert.ok(accepted.size > 100 && refused > 0, `${accepted.size} accepted, ${refused} refused`)
  t.diagnostic(`${accepted.size} accepted, ${refused} fresh ones refused meanwhile`)
})
