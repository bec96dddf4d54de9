// Who signs tokens (RFC 7519, RS256), and shows its key to whoever asks (RFC 7517).

import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:https'

/** An issuer with a key of its own, under whatever name. */
export function issuerOf(kid) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { e, kty, n } = publicKey.export({ format: 'jwk' })
  const input = (header, claims) => [{ kid, typ: 'at+jwt', ...header }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return {
    jwks: { keys: [{ kty, kid, use: 'sig', alg: 'RS256', n, e }] },
    /** RFC 7638. */
    thumbprint: createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url'),
    token(claims, header = {}) {
      const signed = input({ alg: 'RS256', ...header }, claims)
      return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
    },
    /** HS256, with the text of the public key for a secret. */
    confusedToken(claims) {
      const signed = input({ alg: 'HS256' }, claims)
      return `${signed}.${createHmac('sha256', publicKey.export({ type: 'spki', format: 'pem' })).update(signed).digest('base64url')}`
    },
  }
}

/** Shows the keys of an issuer at `/jwks.json`. */
export function keyServer({ jwks }, tls) {
  return createServer(tls, (request, response) => {
    if (request.url !== '/jwks.json') return response.writeHead(404).end()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(jwks))
  })
}
