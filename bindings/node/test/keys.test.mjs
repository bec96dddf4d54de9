// Key sets without a policy.

import assert from 'node:assert/strict'
import test from 'node:test'

import { HostboundError } from 'hostbound'
import { KeySet } from 'hostbound/node'

import { weakKeys } from './support/mutants.mjs'
import { newKey, tokenOf } from './support/tokens.mjs'

const KEY = newKey()
const SECRET = JSON.stringify({ kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') })

test('a token is what its key signed, or there is a reason', async () => {
  for (const verifier of ['engine', 'runtime']) {
    const keys = await KeySet.fromJson(KEY.keySet, { verifier })
    assert.equal(keys.keys.length, 1)
    assert.deepEqual([keys.keys[0].keyId, keys.keys[0].algorithms, keys.keys[0].thumbprint], ['k1', ['EdDSA'], keys.thumbprints[0]])
    assert.match(keys.thumbprints[0], /^[\w-]{43}$/)
    const token = tokenOf(KEY, '"any text"')
    const { reason, payload, key } = keys.verify(token, ['ES256', 'EdDSA'])
    assert.deepEqual([reason, Buffer.from(payload).toString(), key], [null, '"any text"', keys.keys[0]])
    // 63 bytes.
    const cut = token.slice(0, -2)
    for (const [other, algorithms, wanted] of [
      ['', ['EdDSA'], 'token_malformed'],
      ['a.b', ['EdDSA'], 'token_malformed'],
      [`${token}é`, ['EdDSA'], 'token_malformed'],
      [token, ['ES256'], 'token_algorithm_not_allowed'],
      [token, ['HS256'], 'token_algorithm_not_allowed'],
      [tokenOf({ ...KEY, kid: 'k2' }), ['EdDSA'], 'token_key_unknown'],
      [tokenOf(newKey()), ['EdDSA'], 'token_signature_mismatch'],
      [cut, ['EdDSA'], 'token_signature_mismatch'],
      [`${token.split('.')[0]}.e30.${token.split('.')[2]}`, ['EdDSA'], 'token_signature_mismatch'],
    ]) {
      assert.deepEqual(keys.verify(other, algorithms), { reason: wanted, payload: null, key: null }, other)
    }
  }
})

test('of a secret there is no thumbprint', async () => {
  const keys = await KeySet.fromJson(SECRET)
  assert.deepEqual([keys.thumbprints, keys.keys], [[], [{ keyId: null, algorithms: ['HS256'], thumbprint: null }]])
})

test('keys that may not verify are refused, and what is no text or algorithm', async () => {
  const code = (code, message) => (error) => error instanceof HostboundError && error.code === code && message.test(error.message)
  await assert.rejects(KeySet.fromJson('{'), code('HOSTBOUND_KEYS', /^no JSON/))
  await assert.rejects(KeySet.fromJson(JSON.stringify({ keys: [JSON.parse(SECRET), JSON.parse(KEY.keySet).keys[0]] })), code('HOSTBOUND_KEYS', /^secrets/))
  await assert.rejects(KeySet.fromJson(7), code('HOSTBOUND_OPTION', /text/))
  await assert.rejects(KeySet.fromJson(KEY.keySet, { verifier: 'x' }), code('HOSTBOUND_OPTION', /verifier/))
  const keys = await KeySet.fromJson(KEY.keySet)
  for (const algorithms of [[], undefined, ['none'], ['EdDSA', 'ES512'], 'EdDSA']) assert.throws(() => keys.verify('', algorithms), code('HOSTBOUND_OPTION', /algorithms/))
  assert.throws(() => keys.verify(7, ['EdDSA']), code('HOSTBOUND_OPTION', /token/))
})

test('a key of Ed25519 by which anybody signs is refused: of small order, or not reduced', async () => {
  const keys = weakKeys()
  assert.equal(keys.length, 48)
  for (const x of keys) {
    const jwk = JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') })
    await assert.rejects(KeySet.fromJson(jwk), { code: 'HOSTBOUND_KEYS', message: /small order/ })
  }
})
