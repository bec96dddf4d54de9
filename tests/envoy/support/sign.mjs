// What clients send that prove something: requests signed by the profile `host-nonce`, and JSON Web Tokens.

import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** The headers that sign a request (docs/contract.md §9). */
export function hostNonce({ method = 'GET', host, target, body = '' }, { key, now, nonce = randomBytes(16).toString('hex') }) {
  const mac = createHmac('sha256', key).update(`${method}\n${host}\n${target}\n${now}\n${nonce}\n${body}`).digest('hex')
  return [
    ['x-api-signature', mac],
    ['x-timestamp', String(now)],
    ['x-nonce', nonce],
  ]
}

/** An issuer of tokens, with a private key as JWK or one of its own. */
export class Issuer {
  #key
  #kid

  constructor(jwk, kid = 'k') {
    this.#key = jwk === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : createPrivateKey({ key: jwk, format: 'jwk' })
    this.#kid = kid
    this.keys = { keys: [{ ...createPublicKey(this.#key).export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] }
  }

  /** A token with these claims. */
  token(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: this.#kid })}.${part(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
}
