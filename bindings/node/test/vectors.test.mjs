// The contract: every vector, judged through the package as an application gets it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import * as hostbound from 'hostbound'
import * as edge from 'hostbound/edge'

import { inRepository, readJson, vectors } from './support/files.mjs'
import { judge, secretsOf, settled } from './support/vectors.mjs'

const { Guard, Policy, PolicyError, REASON_CODES } = hostbound

test('every vector has the verdict that it wants', async (t) => {
  const cases = vectors()
  const wrong = []
  for (const vector of cases) wrong.push(...(await judge(vector, hostbound)))
  t.diagnostic(`${cases.length} vectors`)
  assert.deepEqual(wrong, [])
  assert.ok(cases.length > 4000)
})

test('the table of reasons has exactly the reasons of the vectors', () => {
  const reasons = new Set()
  for (const { want } of vectors()) if (want.reason !== null) reasons.add(want.reason)
  assert.deepEqual([...reasons].sort(), Object.keys(REASON_CODES).sort())
})

/** The cases of a file of policies. */
function policyCases(name) {
  const { schema, cases } = readJson(`tests/vectors/${name}.json`)
  assert.equal(schema, 'hostbound-policy-vectors-1')
  return cases
}

test('every policy vector is read as wanted', async () => {
  for (const { id, toml, want, secrets } of [...policyCases('policy'), ...policyCases('policy_token')]) {
    const found = await Policy.fromToml(toml, { file: 'hostbound.toml' }).then(
      (policy) => mistakesOfSecrets(policy, secrets),
      (error) => {
        assert.ok(error instanceof PolicyError, id)
        return error.errors.map(({ code, path, line, column }) => [code, path, line === null ? null : `${line}:${column}`])
      },
    )
    assert.deepEqual(found, want.errors, id)
  }
})

test('a policy that asks for tokens is refused by the core, and taken by the engine of Node', async () => {
  const [core, toml] = ['hostbound/hostbound.wasm', 'hostbound/hostbound-toml.wasm'].map((name) => new WebAssembly.Module(readFileSync(new URL(import.meta.resolve(name)))))
  edge.initialize(core, toml)
  const isUnknown = (error) => error instanceof PolicyError && error.errors.some(({ code, path }) => code === 'key-unknown' && path === 'tokens')
  let count = 0
  for (const { id, toml, want } of policyCases('policy_token')) {
    // What is no mistake to an engine with tokens.
    if (want.errors !== undefined) continue
    count += 1
    await assert.rejects(edge.Policy.fromToml(toml), isUnknown, id)
    assert.equal((await Policy.fromToml(toml)).tokens.length > 0, true, id)
  }
  assert.equal(count, 59)
})

/** The mistakes that show when the policy meets its secrets. */
function mistakesOfSecrets(policy, secrets) {
  if (secrets === undefined) return undefined
  try {
    new Guard(policy, { secrets })
  } catch (error) {
    assert.ok(error instanceof PolicyError)
    return error.errors.map(({ code, path, line, column }) => [code, path, `${line}:${column}`])
  }
}

test('every verdict is byte for byte the one of the command line', async (t) => {
  const built = join(process.env.CARGO_TARGET_DIR ?? inRepository('target'), 'release/hostbound')
  const command = [process.env.HOSTBOUND_CLI, built].find((path) => path && existsSync(path))
  if (command === undefined) return t.skip('HOSTBOUND_CLI names no command, and none is built')
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  t.after(() => rmSync(folder, { recursive: true }))
  let count = 0
  for (const { policy: text, requests, secrets = {}, epoch = 0 } of [...runs(vectors()), everyByte()]) {
    const file = join(folder, 'policy.json')
    writeFileSync(file, text)
    const policy = await Policy.fromFile(file)
    const own = secretsOf(policy, secrets)
    // Key sets are read where the policy says.
    const values = { ...own }
    for (const { kind, name } of policy.secrets) {
      if (kind !== 'file') continue
      writeFileSync(join(folder, name), own[name])
      delete values[name]
    }
    writeFileSync(join(folder, 'secrets.json'), JSON.stringify(values))
    const input = requests.map((request) => `${JSON.stringify(request)}\n`).join('')
    const options = ['--offline', '--policy', file, '--secrets', join(folder, 'secrets.json'), '--epoch', String(epoch)]
    const { stdout, stderr, status } = spawnSync(command, ['decide', ...options], { input, encoding: 'utf8', maxBuffer: 1 << 28 })
    assert.ok(status === 0 || status === 1, stderr)
    const guard = new Guard(policy, { secrets: own, epoch })
    const found = requests.map((request) => `${guard.decideJson(settled(guard, request))}\n`).join('')
    assert.equal(found, stdout)
    count += requests.length
  }
  t.diagnostic(`${count} requests`)
})

/** What is judged by one run of the command: the requests of one policy, in order, with one replay store. */
function runs(cases) {
  const groups = new Map()
  for (const { id, policy, request, before, secrets, epoch } of cases) {
    const text = JSON.stringify(policy)
    const key = `${epoch} ${text}`
    if (!groups.has(key)) groups.set(key, { policy: text, requests: [], secrets, epoch })
    groups.get(key).requests.push(...before, { id, ...request })
  }
  return groups.values()
}

/** A policy, and requests with every byte in every place. */
function everyByte() {
  const policy = { version: 1, hosts: { allow: ['a.example', '**.b.example'] }, routes: [{ path: '/a/*', require: [] }] }
  const requests = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).flatMap((byte) => [
    { headers: [['host', `a.example${byte}`]] },
    { headers: [['host', `${byte}.b.example`]] },
    { headers: [['host', `a.example:8${byte}`]] },
    { headers: [['host', 'a.example'], [`x${byte}`, 'y']] },
    { headers: [['host', 'a.example'], ['x', `y${byte}`]] },
    { headers: [['host', 'a.example'], ['origin', `http://a.example${byte}`]] },
    { headers: [['host', 'a.example']], target: `/a/${byte}` },
    { headers: [['host', 'a.example']], target: `/a/%${byte}0` },
    { headers: [['host', 'a.example']], target: `http://a.example${byte}/a/b` },
    { headers: [['host', 'a.example']], method: `GET${byte}` },
  ])
  return { policy: JSON.stringify(policy), requests: requests.map((request) => ({ id: 'a', method: 'GET', target: '/a/b', ...request })) }
}
