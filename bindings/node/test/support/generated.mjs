// Requests that are as different as they can be, and the same in each run.

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const PIECES = ['a', 'B7', '%41', '%7E', '%2F', '~', ';v=1', '.', 'Zoë', '🔑', '+', '-_', '=', ',', ':', '@', '%C3%BC', '%25']
const QUERY = [...PIECES, '&', '&q=', '?', '/', '%20', '%26']
const TYPES = ['application/json', 'text/plain;charset=UTF-8', 'application/octet-stream', 'multipart/form-data; boundary="a b"']
const WORDS = ['{"id":7}', 'Zoë 🔑', '\n', '.', '|', '\u0000', '"', '\u2028', 'x'.repeat(300)]

/** A generator of numbers from 0 to below `limit` (mulberry32). */
export function randomBy(seed) {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

/**
 * So many requests: each with a `url` as WHATWG has it, its `target`, a `type` and a `body` of bytes; of text alone if `isText`.
 */
export function requests(count, { seed = 9421, isText = false, hosts = ['api.example.com'] } = {}) {
  const random = randomBy(seed)
  const one = (list) => list[random(list.length)]
  const some = (list, most) => Array.from({ length: random(most + 1) }, () => one(list))
  return Array.from({ length: count }, (_, index) => {
    // No segment is a dot or two.
    const path = some(PIECES, 3).map((piece) => `/s${piece}`).join('') || '/'
    const query = index % 3 === 0 ? '' : `?${some(QUERY, 4).join('')}z`
    const scheme = one(['http', 'https'])
    const port = one(['', '', ':8443'])
    const url = new URL(`${scheme}://${one(hosts)}${port}${path}${query}`)
    const method = one(METHODS)
    const kind = random(isText ? 2 : 3)
    const bytes = Uint8Array.from({ length: random(200) }, () => random(256))
    const body = kind === 0 ? new Uint8Array() : kind === 1 ? new TextEncoder().encode(some(WORDS, 4).join('')) : bytes
    return { method, scheme, host: url.host, target: url.pathname + url.search, url: url.href, type: one(TYPES), body, nonce: `nonce-${seed}-${String(index).padStart(8, '0')}` }
  })
}
