// A worker of `cargo xtask bench`: requests with tokens of about 600 bytes through the engine in WebAssembly, with the signature verified by
// `node:crypto` and by ring in WebAssembly, from the cache, and the same tokens through the npm package fast-jwt. The protocol is that of worker.mjs.

import { generateKeyPairSync, sign } from 'node:crypto'
import { createInterface } from 'node:readline'

import { createVerifier } from 'fast-jwt'
import { Guard, Policy } from 'hostbound'

const KINDS = {
  rs256: { alg: 'RS256', type: 'rsa', options: { modulusLength: 2048 }, hash: 'sha256', padding: 0 },
  es256: { alg: 'ES256', type: 'ec', options: { namedCurve: 'P-256' }, hash: 'sha256', padding: 190 },
  eddsa: { alg: 'EdDSA', type: 'ed25519', options: {}, hash: null, padding: 190 },
}
const ISSUER = 'https://auth.example.com/'
const AUDIENCE = 'https://api.example.com'
const now = Math.floor(Date.now() / 1000)

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const rows = {}

for (const [name, { alg, type, options, hash, padding }] of Object.entries(KINDS)) {
  const { publicKey, privateKey } = generateKeyPairSync(type, options)
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'user-1', scope: 'orders:read', iat: now, exp: now + 3600, ...(padding > 0 && { note: 'x'.repeat(padding) }) }
  const signed = `${encoded({ alg, typ: 'at+jwt', kid: 'k1' })}.${encoded(claims)}`
  const token = `${signed}.${sign(hash, Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  if (Math.abs(token.length - 600) > 60) throw new Error(`${alg}: ${token.length} bytes`)
  const policy = (cache) =>
    Policy.fromObject({
      version: 1,
      hosts: { allow: ['api.example.com'] },
      tokens: { main: { issuer: ISSUER, audience: [AUDIENCE], algorithms: [alg], keys: { jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] } }, cache } },
      routes: [{ path: '/**', require: ['token:main'], scopes: ['orders:read'] }],
    })
  const request = { now, method: 'GET', scheme: 'https', target: '/orders?id=7', headers: ['Host', 'api.example.com', 'Authorization', `Bearer ${token}`, 'Accept', 'application/json'] }
  const [uncached, cached] = await Promise.all([policy(false), policy(true)])
  const guards = { [`node/${name}`]: new Guard(uncached), [`node/${name}-cached`]: new Guard(cached), [`node/${name}-wasm`]: new Guard(uncached, { verifier: 'engine' }) }
  for (const [row, guard] of Object.entries(guards)) {
    if (guard.inspect(request) !== 0) throw new Error(`${row} does not verify`)
    rows[row] = () => guard.inspect(request)
  }
  const verify = createVerifier({ key: publicKey.export({ type: 'spki', format: 'pem' }), algorithms: [alg], allowedIss: ISSUER, allowedAud: AUDIENCE, requiredClaims: ['exp'], cache: false })
  if (verify(token).sub !== 'user-1') throw new Error('fast-jwt does not verify')
  rows[`node/${name}-fast-jwt`] = () => verify(token)
}

/** In turns of a few calls, so that what disturbs the machine disturbs all alike. */
function round(turns, calls) {
  const figures = Object.fromEntries(Object.keys(rows).map((row) => [row, []]))
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [row, call] of Object.entries(rows)) {
      const count = row.endsWith('-wasm') ? Math.ceil(calls / 10) : calls
      const start = process.hrtime.bigint()
      for (let index = 0; index < count; index += 1) call()
      figures[row].push(Number(process.hrtime.bigint() - start) / count)
    }
  }
  return Object.fromEntries(Object.entries(figures).map(([row, values]) => [row, values.sort((a, b) => a - b)[values.length >> 1]]))
}

round(20, 50)

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== 'go') continue
  console.log(JSON.stringify(round(21, 40)))
}
