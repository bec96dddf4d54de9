// Tokens, and services that ask for them.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'

const base64url = (text) => Buffer.from(text).toString('base64url')

/** A new key, as what signs and as the key set of its public half. */
export function newKey(kid = 'k1') {
  const { privateKey } = generateKeyPairSync('ed25519', { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid }
  return { key: createPrivateKey(privateKey), kid, keySet: JSON.stringify({ keys: [jwk] }) }
}

/** A token; `claims` are merged into what the policy wants, or are the text of the payload. */
export function tokenOf({ key, kid }, claims = {}) {
  const payload = typeof claims === 'string' ? claims : JSON.stringify({ ...claimsNow(), ...claims })
  const signed = `${base64url(JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt', kid }))}.${base64url(payload)}`
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`
}

/** What the policy wants of a token that was issued now. */
export function claimsNow() {
  const now = Math.floor(Date.now() / 1000)
  return { iss: 'https://auth.example/', aud: 'orders', sub: 'user-1', iat: now, exp: now + 60, scope: 'read' }
}

/** A policy that asks for a token everywhere but under `/open`. */
export function policyWithTokens(more = {}) {
  return {
    version: 1,
    hosts: { allow: ['localhost'] },
    tokens: { access: { issuer: 'https://auth.example/', audience: ['orders'], algorithms: ['EdDSA'], types: ['at+jwt'], keys: { file: 'jwks.json' } } },
    routes: [
      { path: '/open/**', require: [] },
      { path: '/admin/**', require: ['token:access'], scopes: ['admin'] },
      { path: '/**', require: ['token:access'] },
    ],
    ...more,
  }
}
