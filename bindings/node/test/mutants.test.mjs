// Tokens that are real and tokens that are nearly so: the command, the engine in wasm and the engine with node:crypto come to the same
// verdict on every one, byte for byte; and nothing counts that its key did not sign.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { Worker } from 'node:worker_threads'

import { commandOf } from './support/command.mjs'

/** Each a worker with generator, engines and command of its own. */
const SEEDS = [1, 2]
const COUNT = 50_000 * (process.env.HOSTBOUND_ALL ? 10 : 1)

/** What may be changed about a signature, which is right still: in ECDSA s may be n − s, and a signer of Ed25519 may take any nonce but 0. */
const RIGHT = /^(as it was|ES: n − s|eddsa made: another nonce|ES\d+ special: .*|EdDSA special: (a key|key and R) of mixed order)$/

const REASONS = ['token_malformed', 'token_header_not_understood', 'token_type_not_allowed', 'token_algorithm_not_allowed', 'token_key_unknown', 'token_signature_mismatch', 'issuer_mismatch',
  'audience_mismatch', 'claim_missing', 'claim_malformed', 'claim_mismatch', 'token_expired', 'token_not_yet_valid', 'token_lifetime_too_long', 'token_too_old', 'token_binding_missing', 'scope_insufficient', 'allowed']

test('native, wasm and node:crypto agree on every mutated token', async (t) => {
  const command = commandOf()
  if (command === undefined) t.diagnostic('without the command: HOSTBOUND_CLI names none, and none is built')
  const begun = performance.now()
  const results = await Promise.all(SEEDS.map(async (seed) => {
    const worker = new Worker(new URL('support/judges.mjs', import.meta.url), { workerData: { command, seed, count: COUNT } })
    const [result] = await once(worker, 'message')
    return result
  }))
  const seconds = (performance.now() - begun) / 1000
  const sum = (name) => results.reduce((sum, result) => add(sum, result[name]), {})
  const total = results.reduce((sum, { count }) => sum + count, 0)
  t.diagnostic(`${total} tokens in ${seconds.toFixed(1)} s; per token ${Object.entries(sum('time')).map(([way, ms]) => `${way} ${((1000 * ms) / total).toFixed(0)} µs`).join(', ')}`)
  for (const [reason, count] of Object.entries(sum('reasons')).sort(([, one], [, other]) => other - one)) t.diagnostic(`${reason}: ${count}`)
  const kinds = {}
  for (const { kinds: own } of results) for (const [kind, counts] of Object.entries(own)) kinds[kind] = add(kinds[kind] ?? {}, counts)
  if (process.env.HOSTBOUND_KINDS) for (const [kind, { allow, deny }] of Object.entries(kinds).sort()) t.diagnostic(`${kind}: ${allow} allowed, ${deny} denied`)
  assert.deepEqual(results.flatMap(({ differences }) => differences), [])
  assert.deepEqual(results.flatMap(({ unexpected }) => unexpected), [])
  assert.equal(results.reduce((sum, { wrong }) => sum + wrong, 0), 0)
  assert.ok(total >= 100_000)
  // Each reason that a token can have of these policies.
  for (const reason of REASONS) assert.ok(sum('reasons')[reason] > 0, reason)
  for (const [kind, { allow }] of Object.entries(kinds)) if (allow > 0) assert.match(kind, /^signed anew: /.test(kind) ? /^/ : RIGHT)
})

function add(sum, counts) {
  const all = { ...sum }
  for (const [name, count] of Object.entries(counts)) all[name] = (all[name] ?? 0) + count
  return all
}
