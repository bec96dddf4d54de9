// Third-party vectors, as src/token/third_party.rs has them for native: Wycheproof's JWS and JWK, RFC 7520, RFC 7638 and RFC 8037, by the engine
// in wasm and by node:crypto. Read from HOSTBOUND_VECTORS (default: ../shared/vectors beside the repository); nothing of them is copied here.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'

import { KeySet } from 'hostbound/node'

import { inRepository, readJson } from './support/files.mjs'

const FOLDER = process.env.HOSTBOUND_VECTORS ?? inRepository('../shared/vectors')
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi']
const SECRET_ALGS = ['HS256', 'HS384', 'HS512']
const PUBLIC_ALGS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']

/** A test of a file, once for each verifier. */
function each(name, count, run) {
  for (const verifier of ['engine', 'runtime']) {
    test(`${name}, ${verifier}`, async (t) => {
      const path = join(FOLDER, name)
      if (!existsSync(path)) return t.skip(`no vectors (${count} cases)`)
      assert.equal(await run(JSON.parse(readFileSync(path, 'utf8')), verifier, t), count)
    })
  }
}

/** Without what only signs. */
function publicPart(key) {
  if (Array.isArray(key.keys)) return { ...key, keys: key.keys.map(publicPart) }
  return Object.fromEntries(Object.entries(key).filter(([name]) => !PRIVATE.includes(name)))
}

/** What a token comes to; `undefined` if the keys are refused. */
async function verified(keys, token, verifier) {
  const set = await KeySet.fromJson(JSON.stringify(keys), { verifier }).catch((error) => assert.equal(error.code, 'HOSTBOUND_KEYS'))
  const isSecret = set?.keys.some(({ thumbprint }) => thumbprint === null)
  return set?.verify(token, isSecret ? SECRET_ALGS : PUBLIC_ALGS)
}

const accepts = async (keys, token, verifier) => (await verified(keys, token, verifier))?.reason === null

async function different(file, verifier) {
  const ids = []
  let count = 0
  for (const group of file.testGroups) {
    const keys = publicPart(group.public ?? group.private)
    for (const { tcId, jws, result } of group.tests) {
      count += 1
      if ((await accepts(keys, jws, verifier)) !== (result === 'valid')) ids.push(tcId)
    }
  }
  return { ids, count }
}

each('wycheproof/json_web_signature_test.json', 401, async (file, verifier, t) => {
  const { ids, count } = await different(file, verifier)
  const { deviations } = readJson('tests/vectors/third_party/jws_deviations.json')
  assert.deepEqual(ids, Object.keys(deviations).map(Number))
  assert.equal(ids.length, 8)
  t.diagnostic(`${count - ids.length} of ${count}`)
  return count
})

each('wycheproof/json_web_key_test.json', 26, async (file, verifier) => {
  const { ids, count } = await different(file, verifier)
  assert.deepEqual(ids, [])
  return count
})

each('jwk-thumbprint/vectors.json', 2, async (file, verifier) => {
  for (const { jwk, thumbprint } of file) assert.deepEqual((await KeySet.fromJson(jwk, { verifier })).thumbprints, [thumbprint])
  return file.length
})

/** The signatures of a case that have a protected header, each as a compact JWS (RFC 7515 §7.1), with its key. */
function compact({ input, output }) {
  const signatures = output.json?.signatures ?? [output.json_flat ?? output.json]
  const keys = [input.key].flat()
  const payload = Buffer.from(input.payload).toString('base64url')
  return signatures.flatMap((one, index) => (one.protected === undefined ? [] : [{ key: keys[index], token: `${one.protected}.${payload}.${one.signature}` }]))
}

for (const [name, wanted] of [
  ['rfc7520/jws/4_1.rsa_v15_signature.json', [true]],
  ['rfc7520/jws/4_2.rsa-pss_signature.json', [true]],
  // ES512, which no key here can be.
  ['rfc7520/jws/4_3.ecdsa_signature.json', [false]],
  ['rfc7520/jws/4_4.hmac-sha2_integrity_protection.json', [true]],
  // Its payload is sent beside the token; here it is where it belongs.
  ['rfc7520/jws/4_5.signature_with_detached_content.json', [true]],
  // The `kid` is outside: it is the only key.
  ['rfc7520/jws/4_6.protecting_specific_header_fields.json', [true]],
  // Without a protected header there is no compact form.
  ['rfc7520/jws/4_7.protecting_content_only.json', []],
  // The second has no protected header.
  ['rfc7520/jws/4_8.multiple_signatures.json', [true, true]],
  ['rfc7520/curve25519/jws.json', [true]],
]) {
  each(name, wanted.length, async (file, verifier) => {
    const found = compact(file)
    for (const [index, { key, token }] of found.entries()) {
      const keys = publicPart(key)
      const result = await verified(keys, token, verifier)
      assert.equal(result?.reason === null, wanted[index])
      if (wanted[index]) assert.equal(Buffer.from(result.payload).toString(), file.input.payload)
      const at = token.length - 3
      const tampered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      assert.equal(await accepts(keys, tampered, verifier), false)
      // A private key has no place in a set, but where the key is a secret.
      assert.equal((await verified(key, token, verifier)) !== undefined, wanted[index] && key.kty === 'oct')
    }
    const { compact: given } = file.output
    if (given !== undefined) assert.equal(await accepts(publicPart([file.input.key].flat()[0]), given, verifier), wanted[0] && !given.includes('..'))
    return found.length
  })
}

each('rfc7520/rfc7797/hmac-sha2_b64_false.json', 1, async ({ input, output }, verifier) => {
  assert.equal(await accepts(input.key, output.compact, verifier), false)
  return 1
})
