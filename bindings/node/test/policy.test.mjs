import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'

import { Guard, HostboundError, Policy, PolicyError } from 'hostbound'

import { inRepository } from './support/files.mjs'
import { coded, policyOf } from './support/policies.mjs'

const TOML = 'version = 1\nname = "a"\n[hosts]\nallow = ["localhost"]\n'

test('TOML, JSON and objects give one policy', async () => {
  const object = { version: 1, name: 'a', hosts: { allow: ['localhost'] } }
  const policies = [await Policy.fromToml(TOML), await Policy.fromJson(JSON.stringify(object)), await Policy.fromObject(object)]
  for (const policy of policies) {
    assert.ok(policy instanceof Policy)
    assert.equal(policy.digest, policies[0].digest)
    assert.match(policy.digest, /^sha256:[0-9a-f]{64}$/)
    assert.deepEqual([policy.name, policy.mode, policy.needsPeer], ['a', 'enforce', false])
  }
  const other = await policyOf({ mode: 'report', peers: { allow: ['::1'] } })
  assert.deepEqual([other.name, other.mode, other.needsPeer], [null, 'report', true])
})

test('every mistake is named, with its place', async () => {
  const text = 'version = 1\n[hosts]\nallow = ["localhost"]\nport = 1\n[peer]\n'
  await assert.rejects(Policy.fromToml(text, { file: 'my.toml' }), (error) => {
    assert.ok(error instanceof PolicyError && error instanceof HostboundError && error instanceof Error)
    assert.deepEqual([error.name, error.code], ['PolicyError', 'HOSTBOUND_POLICY'])
    assert.match(error.message, /^my\.toml:4:1: hosts\.port: .+\nmy\.toml:5:2: peer: /)
    const [one, other] = error.errors
    assert.deepEqual([one.code, one.path, one.line, one.column], ['key-unknown', 'hosts.port', 4, 1])
    assert.deepEqual([other.code, other.path, other.line, other.column], ['key-unknown', 'peer', 5, 2])
    assert.equal(typeof one.fix, 'string')
    return true
  })
})

test('objects have paths, but no lines', async () => {
  await assert.rejects(policyOf({ hosts: { allow: ['localhost', 'a b'] } }), (error) => {
    const [{ code, path, line, column }] = error.errors
    assert.deepEqual([code, path, line, column], ['host-malformed', 'hosts.allow[1]', null, null])
    return true
  })
})

test('what is no policy document is refused', async () => {
  const circle = { version: 1 }
  circle.hosts = { allow: [circle] }
  const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)
  const rows = [
    [{ version: 1, hosts: { allow: [() => 1] } }, 'type-mismatch'],
    [{ version: 1, hosts: { allow: [Symbol('a')] } }, 'type-mismatch'],
    [{ version: 1.5, hosts: { allow: ['a.example'] } }, 'type-mismatch'],
    [{ version: NaN, hosts: { allow: ['a.example'] } }, 'type-mismatch'],
    [{ version: 1n, hosts: { allow: ['a.example'] }, name: undefined }, 'type-mismatch'],
    [[], 'type-mismatch'],
    [circle, 'syntax'],
    [deep, 'syntax'],
  ]
  for (const [object, code] of rows) {
    await assert.rejects(Policy.fromObject(object), (error) => {
      assert.equal(error.code, 'HOSTBOUND_POLICY', String(error))
      assert.equal(error.errors[0].code, code, error.message)
      return true
    })
  }
  await assert.rejects(Policy.fromJson('{"version":1,"version":1}'), (error) => error.errors[0].code === 'key-duplicate')
  await assert.rejects(Policy.fromJson('['.repeat(100_000)), coded('HOSTBOUND_POLICY', /64 levels/))
  await assert.rejects(Policy.fromToml(`a = ${'['.repeat(100_000)}`), coded('HOSTBOUND_POLICY'))
  for (const text of [undefined, null, 7, Buffer.from(TOML)]) await assert.rejects(Policy.fromToml(text), coded('HOSTBOUND_OPTION'))
  // After all this the engine is as good as new.
  assert.equal(new Guard(await policyOf()).inspect({ method: 'GET', target: '/', headers: ['host', 'localhost'] }), 0)
})

test('hosts are added before compiling', async () => {
  const plain = await policyOf()
  const policy = await policyOf({}, { allowHosts: ['a.example:8080', 'localhost', '[::1]'] })
  assert.deepEqual(policy.addedHosts, ['a.example:8080', '[::1]'])
  assert.notEqual(policy.digest, plain.digest)
  assert.equal(policy.digest, (await policyOf({ hosts: { allow: ['localhost', 'a.example:8080', '[::1]'] } })).digest)
  assert.equal(new Guard(policy).inspect({ method: 'GET', target: '/', headers: ['host', 'a.example:8080'] }), 0)
  await assert.rejects(policyOf({}, { allowHosts: ['*.a.example'] }), coded('HOSTBOUND_POLICY', /`\*\.a\.example` of allowHosts/))
  await assert.rejects(policyOf({}, { allowHosts: ['b c'], allowHostsSource: 'MY_HOSTS' }), coded('HOSTBOUND_POLICY', /MY_HOSTS/))
  for (const allowHosts of ['a.example', [7]]) await assert.rejects(policyOf({}, { allowHosts }), coded('HOSTBOUND_OPTION'))
})

test('files are TOML or JSON, in UTF-8', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  const file = (name, bytes) => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  }
  try {
    const toml = await Policy.fromFile(file('a.toml', TOML))
    const json = await Policy.fromFile(pathToFileURL(file('a.json', ' {"version":1,"name":"a","hosts":{"allow":["localhost"]}}')))
    assert.equal(toml.digest, json.digest)
    const path = file('b.toml', 'version = 2\n[hosts]\nallow = ["localhost"]')
    await assert.rejects(Policy.fromFile(path), (error) => error.message.startsWith(`${path}:1:`))
    await assert.rejects(Policy.fromFile(file('c.toml', Uint8Array.of(0x23, 0xff))), coded('HOSTBOUND_POLICY', /UTF-8/))
    await assert.rejects(Policy.fromFile(join(folder, 'none.toml')), coded('ENOENT'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the shipped policies are read', async () => {
  for (const name of ['local-service', 'dev-server', 'mcp-server', 'api-behind-proxy', 'compose-service']) {
    const path = inRepository(`policies/${name}.toml`)
    const policy = await Policy.fromFile(path)
    assert.equal(policy.digest, (await Policy.fromToml(readFileSync(path, 'utf8'))).digest)
  }
})
