// The contract: every vector, judged through the package as an application gets it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import * as hostbound from 'hostbound'

import { inRepository, readJson, vectors } from './support/files.mjs'
import { judge, requestOf } from './support/vectors.mjs'

const { Guard, Policy, PolicyError, REASON_CODES } = hostbound

test('every vector has the verdict that it wants', async (t) => {
  const cases = vectors()
  const wrong = []
  for (const vector of cases) wrong.push(...(await judge(vector, hostbound)))
  t.diagnostic(`${cases.length} vectors`)
  assert.deepEqual(wrong, [])
  assert.ok(cases.length > 500)
})

test('the table of reasons has exactly the reasons of the vectors', () => {
  const reasons = new Set()
  for (const { want } of vectors()) if (want.reason !== null) reasons.add(want.reason)
  assert.deepEqual([...reasons].sort(), Object.keys(REASON_CODES).sort())
})

test('every policy vector is read as wanted', async () => {
  const { schema, cases } = readJson('tests/vectors/policy.json')
  assert.equal(schema, 'hostbound-policy-vectors-1')
  for (const { id, toml, want } of cases) {
    const found = await Policy.fromToml(toml, { file: 'hostbound.toml' }).then(
      () => undefined,
      (error) => {
        assert.ok(error instanceof PolicyError, id)
        return error.errors.map(({ code, path, line, column }) => [code, path, line === null ? null : `${line}:${column}`])
      },
    )
    assert.deepEqual(found, want.errors, id)
  }
})

test('every verdict is byte for byte the one of the command line', (t) => {
  const command = [process.env.HOSTBOUND_CLI, inRepository('target/release/hostbound')].find((path) => path && existsSync(path))
  if (command === undefined) return t.skip('HOSTBOUND_CLI names no command, and none is built')
  return compare(command)
})

/** One run of `hostbound decide` for each policy. */
async function compare(command) {
  const byPolicy = groups(vectors())
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  try {
    for (const [text, cases] of byPolicy) {
      const file = join(folder, 'policy.json')
      writeFileSync(file, text)
      const input = cases.map(({ id, request }) => `${JSON.stringify({ id, ...request })}\n`).join('')
      const { stdout, stderr, status } = spawnSync(command, ['decide', '--policy', file], { input, maxBuffer: 1 << 28 })
      assert.ok(status === 0 || status === 1, String(stderr))
      const guard = new Guard(await Policy.fromFile(file))
      const found = cases.map(({ id, request }) => `${guard.decideJson(requestOf({ id, ...request }))}\n`).join('')
      assert.equal(found, String(stdout))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function groups(cases) {
  const groups = new Map()
  for (const vector of cases) {
    const key = JSON.stringify(vector.policy)
    groups.set(key, [...(groups.get(key) ?? []), vector])
  }
  return groups
}
