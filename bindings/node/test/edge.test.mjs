// The edge entry: the engine comes as a compiled module. Once here, and once in workerd, which compiles none from bytes.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { Guard, Policy } from 'hostbound'
import { hostbound } from 'hostbound/node'

import { vectors } from './support/files.mjs'
import { coded } from './support/policies.mjs'
import { startWorker } from './support/workerd.mjs'

const resolved = (name) => fileURLToPath(import.meta.resolve(name))

test('`initialize` takes a compiled module, and is needed', async () => {
  // In a process of its own, where nothing has been handed over yet.
  const script = `
    import assert from 'node:assert/strict'
    import { readFileSync } from 'node:fs'
    import { Guard, HostboundError, initialize, Policy } from 'hostbound/edge'
    const toml = 'version = 1\\n[hosts]\\nallow = ["localhost"]'
    const isEngineError = (error) => error instanceof HostboundError && error.code === 'HOSTBOUND_ENGINE'
    await assert.rejects(Policy.fromToml(toml), isEngineError)
    const bytes = readFileSync(process.argv[1])
    for (const wrong of [undefined, bytes, {}]) assert.throws(() => initialize(wrong), { code: 'HOSTBOUND_ENGINE' })
    const module = new WebAssembly.Module(bytes)
    initialize(module)
    await assert.rejects(Policy.fromToml(toml), isEngineError)
    assert.throws(() => initialize(module, bytes), { code: 'HOSTBOUND_ENGINE' })
    initialize(module, new WebAssembly.Module(readFileSync(process.argv[2])))
    const guard = new Guard(await Policy.fromToml(toml))
    console.log(guard.decideJson({ method: 'GET', target: '/', headers: ['host', 'evil.test'] }))
  `
  const found = execFileSync(process.execPath, ['--input-type=module', '--eval', script, '--', resolved('hostbound/hostbound.wasm'), resolved('hostbound/hostbound-toml.wasm')], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    encoding: 'utf8',
  })
  const guard = new Guard(await Policy.fromToml('version = 1\n[hosts]\nallow = ["localhost"]'))
  assert.equal(found.trim(), guard.decideJson({ method: 'GET', target: '/', headers: ['host', 'evil.test'] }))
})

test('the engines of two entries run side by side, each with its own policies', async () => {
  const edge = await import('hostbound/edge')
  const [core, toml] = ['hostbound/hostbound.wasm', 'hostbound/hostbound-toml.wasm'].map((name) => new WebAssembly.Module(readFileSync(resolved(name))))
  edge.initialize(core, toml)
  await assert.rejects(edge.Policy.fromToml('x'), coded('HOSTBOUND_POLICY'))
  const text = (host) => `version = 1\n[hosts]\nallow = ["${host}"]`
  const policies = { one: await edge.Policy.fromToml(text('one.example')), other: await Policy.fromToml(text('other.example')) }
  const guards = { one: new Guard(policies.one), other: new edge.Guard(policies.other) }
  const request = { method: 'GET', target: `/${'x'.repeat(9000)}`, headers: ['host', 'one.example'] }
  const judged = () => {
    // Interleaved: what one asks of its memory concerns the other's in no way.
    const codes = [guards.one.inspect(request), guards.other.inspect(request)]
    return [codes.map((code) => code === 0), guards.one.verdict().policy, guards.other.verdict().policy]
  }
  const wanted = [[true, false], policies.one.digest, policies.other.digest]
  assert.deepEqual(judged(), wanted)
  assert.throws(() => guards.one.reload(policies.other), coded('HOSTBOUND_OPTION', /another engine/))
  assert.throws(() => guards.other.reload(policies.one), coded('HOSTBOUND_OPTION', /another engine/))
  assert.deepEqual(judged(), wanted)
  // The middleware of Node works by a policy of the core too.
  const node = await hostbound({ policy: policies.one, log: false })
  assert.equal(node.policy, policies.one)
  await assert.rejects(node.reload({ policy: policies.other }), coded('HOSTBOUND_OPTION', /another engine/))
  assert.equal(node.policy, policies.one)
})

test('the conditions of runtimes that compile nothing lead to the edge entry', () => {
  const resolve = (condition) =>
    execFileSync(process.execPath, [`--conditions=${condition}`, '--input-type=module', '--eval', 'console.log(import.meta.resolve("hostbound"))'], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
    }).trim()
  for (const condition of ['workerd', 'edge-light']) assert.match(resolve(condition), /\/dist\/edge\.js$/)
  assert.match(resolve('other'), /\/dist\/index\.node\.js$/)
})

test('a worker in workerd gives the same verdicts', async (t) => {
  const port = await startWorker(t, fileURLToPath(new URL('support/worker.mjs', import.meta.url)))
  if (port === undefined) return t.skip('workerd has no binary for this platform')
  // Not every vector: what differs between runtimes is how the engine is loaded.
  const cases = vectors().filter((_, index) => index % 20 === 0)
  for (const { id, policy, request } of cases) {
    // Secrets are not sent to the worker.
    if (policy.signatures !== undefined) continue
    // The core takes no policy that has them.
    if (policy.tokens !== undefined) continue
    if (request.headers.some(([, value]) => typeof value !== 'string')) continue
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify({ policy, request: { id, ...request } }) })
    const guard = new Guard(await Policy.fromObject(policy))
    assert.equal(await answer.text(), guard.decideJson({ id, ...request }), id)
  }
})
