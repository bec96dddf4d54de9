// Requests signed as policies/envoy/signed-api.toml wants it (RFC 9421 with HMAC).

import { createHash, createHmac, randomBytes } from 'node:crypto'

const HOST = 'api.partner.example'

/** A signed request to the API, in the form that clients take. */
export function signed({ method = 'GET', target = '/orders/7', body, key, keyId, now = Math.floor(Date.now() / 1000), nonce = randomBytes(16).toString('hex') }) {
  const [path, query = ''] = target.split(/\?(.*)/s)
  const digest = body === undefined ? [] : [['content-digest', `sha-256=:${createHash('sha256').update(body).digest('base64')}:`]]
  const covered = [['@method', method], ['@authority', HOST], ['@path', path], ['@query', `?${query}`], ['x-key-id', keyId], ...digest]
  const names = covered.map(([name]) => `"${name}"`).join(' ')
  const parameters = `(${names});created=${now};expires=${now + 120};nonce="${nonce}";keyid="${keyId}";alg="hmac-sha256";tag="partner-api"`
  const base = [...covered.map(([name, value]) => `"${name}": ${value}`), `"@signature-params": ${parameters}`].join('\n')
  const mac = createHmac('sha256', key).update(base).digest('base64')
  const headers = [['host', HOST], ['x-key-id', keyId], ...digest, ['signature-input', `sig=${parameters}`], ['signature', `sig=:${mac}:`]]
  return { method, target, headers, body }
}
