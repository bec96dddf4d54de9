// The lab with the filter in Envoy as its guard: what holds with the guard in Node holds with it.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'

import { POLICY, assertGuarded, assertSameVerdicts, killAtRandomPoints, of, report, service } from './support.mjs'

const { ENVOY } = process.env
const MODULE = process.env.HOSTBOUND_ENVOY_MODULE ?? fileURLToPath(new URL('../../bindings/envoy/wasm/hostbound.wasm', import.meta.url))
const GUARD = ['--guard', 'envoy', '--envoy', String(ENVOY), '--filter', MODULE]
const skip = ENVOY === undefined && 'ENVOY does not name an Envoy'

const folder = mkdtempSync(join(tmpdir(), 'hostbound-lab-test-'))
after(() => rmSync(folder, { recursive: true }))

/** A policy in a file. */
function policy(name, document) {
  const path = join(folder, `${name}.json`)
  writeFileSync(path, JSON.stringify(document))
  return path
}

test('read without a guard, refused with Envoy', { skip }, async (t) => {
  const methods = ['fetch', 'iframe', 'websocket', 'popup']
  const words = ['--strategy', 'multiple-answers', ...methods.flatMap((method) => ['--method', method]), '--policy', policy('hosts', POLICY)]
  const started = performance.now()
  const { code, run, stderr } = await report([...GUARD, ...words])
  t.diagnostic(`${run.cases.length} cases in ${((performance.now() - started) / 1000).toFixed(1)} s`)

  await t.test('it ends well', () => {
    assert.equal(code, 0, JSON.stringify([run.reasons, stderr]))
    assert.equal(run.cases.length, 16)
    assert.equal(service(run, 'guarded').target.guard, 'envoy')
    // What is not refused is passed on, WebSockets too.
    assert.deepEqual([service(run, 'guarded').target.own_name_status, service(run, 'guarded').target.own_name_upgrade], [200, 101])
  })
  await t.test('no guarded case is read, and each whose bare twin was read is refused', () => assertGuarded(run))
  await t.test('every method arrives at Envoy with Local Network Access off', () => {
    for (const method of methods) {
      const [result] = of(run, 'guarded').filter((result) => result.case.method === method && result.case.local_network_access === 'off')
      assert.equal(result.outcome, 'reached_refused', `${method}: ${result.evidence}`)
    }
  })
  await t.test('the filter and the policy in the engine give the same verdict, byte for byte', () => assertSameVerdicts(run))
})

test('a policy with secrets and keys of another server', { skip }, async () => {
  const document = {
    ...POLICY,
    signatures: { s: { profile: 'host-nonce', keys: [{ id: 'k', secret: { env: 'LAB_KEY' }, hosts: ['localhost'] }] } },
    tokens: { t: { issuer: 'https://a.example/', audience: ['x'], algorithms: ['RS256'], keys: { url: 'https://a.example/k', pins: 'none' } } },
    egress: { allow: ['https://a.example'] },
    routes: [
      { path: '/signed', require: ['signature:s'] },
      { path: '/token', require: ['token:t'] },
      { path: '/**', require: [] },
    ],
  }
  const words = [...GUARD, '--strategy', 'multiple-answers', '--method', 'fetch', '--local-network-access', 'off', '--policy', policy('secrets', document)]
  const { code, run } = await report(words, { env: { ...process.env, LAB_KEY: '0123456789abcdef0123456789abcdef' } })
  assert.equal(code, 0, run.reasons.join('\n'))
  assertGuarded(run)

  const { LAB_KEY, ...env } = process.env
  const without = await report(words, { env })
  assert.equal(without.code, 3)
  assert.match(without.run.reasons.join('\n'), /the Envoy guard does not start: .*`LAB_KEY`/)
})

test('killed at random points, it leaves nothing behind', { skip }, async (t) => {
  const points = await killAtRandomPoints(['--all', ...GUARD], process.env.HOSTBOUND_ALL ? 10 : 3, folder)
  t.diagnostic(`killed after ${points.join(', ')} ms`)
})
