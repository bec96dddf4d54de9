// Signatures of tokens: Envoy's own cryptography and the engine's come to the same, whatever the signature.

import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto'
import test from 'node:test'

import { served } from './support/served.mjs'

const NATIVE = 'proxy_call_foreign_function'
const ISSUER = 'https://auth.example'
const AUDIENCE = 'https://api.example'

const rsa = (bits) => ({ type: 'rsa', ...generateKeyPairSync('rsa', { modulusLength: bits }) })
const ec = (curve) => ({ type: 'ec', ...generateKeyPairSync('ec', { namedCurve: curve }) })

/** Of each algorithm a key, its hash, and another key of the same kind. */
const ALGORITHMS = [
  ['RS256', 'sha256', rsa(2048), rsa(2048)],
  ['RS384', 'sha384', rsa(3072), rsa(3072)],
  ['RS512', 'sha512', rsa(2048), rsa(2048)],
  ['ES256', 'sha256', ec('P-256'), ec('P-256')],
  ['ES384', 'sha384', ec('P-384'), ec('P-384')],
]

/** The order of each curve's group. */
const ORDERS = new Map([
  ['ES256', 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  ['ES384', 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
])

const policy = {
  version: 1,
  hosts: { allow: ['localhost'] },
  tokens: {
    t: {
      issuer: ISSUER,
      audience: [AUDIENCE],
      algorithms: ALGORITHMS.map(([name]) => name),
      types: ['at+jwt'],
      keys: { jwks: { keys: ALGORITHMS.map(([alg, , { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' })) } },
      cache: false,
    },
  },
  routes: [{ path: '/**', require: ['token:t'] }],
}

const part = (value) => Buffer.from(value).toString('base64url')
const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`)
const bytesOf = (value, length) => Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')

/** Signatures of a text by a kind of key, the right one first; all others are wrong. */
function signatures(alg, hash, { type, privateKey }, other, text) {
  const by = (key, more = {}) => sign(hash, text, { key, dsaEncoding: 'ieee-p1363', ...more })
  const right = by(privateKey)
  const flipped = (at) => Buffer.from(right.map((byte, index) => (index === at ? byte ^ 1 : byte)))
  const zeros = Buffer.alloc(right.length)
  const wrong = {
    'of another key': by(other.privateKey),
    'of another text': sign(hash, Buffer.concat([text, Buffer.from('x')]), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    'of the digest': sign(hash, createHash(hash).update(text).digest(), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    'with another hash': sign(hash === 'sha256' ? 'sha384' : 'sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    'first bit': flipped(0),
    'last bit': flipped(right.length - 1),
    'all zero': zeros,
    'all ones': Buffer.alloc(right.length, 0xff),
    'too short': right.subarray(1),
    'too long': Buffer.concat([Buffer.alloc(1), right]),
    empty: Buffer.alloc(0),
  }
  if (type === 'rsa') {
    wrong['with PSS'] = by(privateKey, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  } else {
    const half = right.length / 2
    const [r, s] = [right.subarray(0, half), right.subarray(half)]
    wrong['in DER'] = sign(hash, text, { key: privateKey, dsaEncoding: 'der' })
    wrong['r is zero'] = Buffer.concat([zeros.subarray(0, half), s])
    wrong['s is zero'] = Buffer.concat([r, zeros.subarray(0, half)])
    wrong['r and s changed places'] = Buffer.concat([s, r])
    const order = ORDERS.get(alg)
    wrong['r is the order'] = Buffer.concat([bytesOf(order, half), s])
    wrong['s is the order'] = Buffer.concat([r, bytesOf(order, half)])
    // The other signature that belongs to each (RFC 6979 knows no low s, nor does JWS): not wrong.
    return { right: { plain: right, 'other s': Buffer.concat([r, bytesOf(order - number(s), half)]) }, wrong }
  }
  return { right: { plain: right }, wrong }
}

/** Every token: what it is called, its text and whether it is right. */
function tokens() {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'me', iat: now, exp: now + 600 }
  return ALGORITHMS.flatMap(([alg, hash, key, other]) => {
    const text = `${part(JSON.stringify({ alg, typ: 'at+jwt', kid: alg }))}.${part(JSON.stringify(claims))}`
    const { right, wrong } = signatures(alg, hash, key, other, Buffer.from(text))
    const named = (group, isRight) => Object.entries(group).map(([name, signature]) => ({ name: `${alg} ${name}`, token: `${text}.${part(signature)}`, isRight }))
    return [...named(right, true), ...named(wrong, false)]
  })
}

test("Envoy's cryptography and the engine's agree on every signature", async (t) => {
  const native = await served(t, policy)
  const engine = await served(t, policy, {
    edit: (config) => {
      const { allowed_capabilities } = config.capability_restriction_config ?? config.vm_config.capability_restriction_config
      assert.ok(NATIVE in allowed_capabilities)
      delete allowed_capabilities[NATIVE]
    },
  })
  const clients = [native.http1(), engine.http1()]
  for (const { name, token, isRight } of tokens()) {
    const request = { method: 'GET', target: '/', headers: [['host', 'localhost'], ['authorization', `Bearer ${token}`]] }
    const answers = []
    for (const client of clients) {
      const { status, body } = await client.ask(request)
      answers.push([status, status === 200 ? '' : String(body)])
    }
    assert.deepEqual(answers[0], answers[1], name)
    assert.equal(answers[0][0], isRight ? 200 : 401, name)
  }
  const reasons = (of) => of.verdicts().map(({ reason, detail }) => [reason, detail])
  assert.deepEqual(reasons(native), reasons(engine))
  const isRefused = (line) => line.includes(`restricted proxy-wasm capability: ${NATIVE}`)
  assert.equal(native.log.filter(isRefused).length, 0, 'Envoy is asked')
  assert.equal(engine.log.filter(isRefused).length, 1, 'who may not be asked is asked once')
})
