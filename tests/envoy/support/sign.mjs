// What clients send that prove something: requests signed by the profile `host-nonce`, and JSON Web Tokens.

import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** The headers that sign a request (docs/contract.md §9). */
export function hostNonce({ method = 'GET', host, target, body = '' }, { key, now, nonce = randomBytes(16).toString('hex') }) {
  const mac = createHmac('sha256', key).update(`${method}\n${host}\n${target}\n${now}\n${nonce}\n${body}`).digest('hex')
  return [
    ['x-api-signature', mac],
    ['x-timestamp', String(now)],
    ['x-nonce', nonce],
  ]
}

/** An issuer with a key of its own. */
export class Issuer {
  #key
  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    this.keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }] }
  }

  /** A token with these claims. */
  token(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })}.${part(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
}
