// Signatures of JWS as their keys make them, and as nobody should: the edges of each algorithm. The same for the same random numbers.

import { constants, createHash, createHmac, createPrivateKey, createPublicKey, privateDecrypt, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { bytesOf, Ed25519, inverse, mod, numberOf, P256, P384 } from './numbers.mjs'

/** Published: whoever trusts them trusts everybody. */
const PRIVATE = JSON.parse(readFileSync(new URL('mutant_keys.json', import.meta.url), 'utf8'))
const SECRETS = { 'hs-32': Buffer.alloc(32, 'published test key '), 'hs-64': Buffer.alloc(64, 'published test key '), 'hs-200': Buffer.alloc(200, 'published test key ') }

const from = (text) => Buffer.from(text, 'base64url')
const hash = (name, ...parts) => parts.reduce((state, part) => state.update(part), createHash(name)).digest()
const nameOf = (alg) => `sha${alg.slice(2)}`
const DIGEST_INFO = { sha1: '3021300906052b0e03021a05000414', sha256: '3031300d060960864801650304020105000420', sha384: '3041300d060960864801650304020205000430', sha512: '3051300d060960864801650304020305000440' }

export const bytesBy = (random, length) => Buffer.from(Array.from({ length }, () => random(256)))
export const one = (random, list) => list[random(list.length)]

/** RSA: what is made with the private key, and what is made of a right signature. */
class Rsa {
  constructor(kid, jwk) {
    this.kid = kid
    this.key = createPrivateKey({ key: jwk, format: 'jwk' })
    this.n = numberOf(from(jwk.n))
    this.bits = this.n.toString(2).length
    this.length = from(jwk.n).length
    /** The bits that an encoded message of PSS does not use. */
    this.unused = 8 * Math.ceil((this.bits - 1) / 8) - (this.bits - 1)
    this.algs = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  }

  /** RSASP1 of an encoded message, which is padded with zeros in front. */
  raw(encoded) {
    const message = numberOf(encoded) % this.n
    return privateDecrypt({ key: this.key, padding: constants.RSA_NO_PADDING }, bytesOf(message, this.length))
  }

  /** EMSA-PKCS1-v1_5 (RFC 8017 §9.2), or what is like it. */
  pkcs1(data, name, { info = DIGEST_INFO[name], digest = hash(name, data), type = 1, fill = 0xff, separator = 0, after = '', pad = undefined } = {}) {
    const tail = Buffer.concat([Buffer.from(info, 'hex'), digest, Buffer.from(after, 'hex')])
    const padding = Buffer.alloc(pad ?? Math.max(this.length - tail.length - 3, 0), fill)
    return Buffer.concat([Buffer.of(0, type), padding, Buffer.of(separator), tail, Buffer.alloc(Math.max(this.length - tail.length - 3 - padding.length, 0), 0x5a)])
  }

  /** EMSA-PSS (RFC 8017 §9.1.1), or what is like it. */
  pss(data, name, random, { salt = hash(name).length, mgf = name, trailer = 0xbc, marker = 1, first = 0, zeros = 8, top = false } = {}) {
    const digest = hash(name, data)
    const salted = bytesBy(random, salt)
    const inner = hash(name, Buffer.alloc(zeros), digest, salted)
    const length = Math.ceil((this.bits - 1) / 8)
    const block = Buffer.concat([Buffer.alloc(length - salt - inner.length - 2, 0), Buffer.of(marker), salted])
    block[0] ^= first
    const mask = []
    for (let count = 0; count * hash(mgf).length < block.length; count += 1) mask.push(hash(mgf, inner, bytesOf(BigInt(count), 4)))
    const masked = Buffer.concat(mask).subarray(0, block.length).map((byte, at) => byte ^ block[at])
    masked[0] = top ? masked[0] | 0x80 : masked[0] & (0xff >> this.unused)
    return Buffer.concat([masked, inner, Buffer.of(trailer)])
  }

  sign(alg, data, random) {
    return this.raw(alg.startsWith('RS') ? this.pkcs1(data, nameOf(alg)) : this.pss(data, nameOf(alg), random))
  }

  /** With the private key, none of them right. */
  made(alg, data, random) {
    const name = nameOf(alg)
    const other = one(random, ['sha1', 'sha256', 'sha384', 'sha512'].filter((other) => other !== name))
    const size = hash(name).length
    const most = Math.ceil((this.bits - 1) / 8) - size - 2
    const without = DIGEST_INFO[name].replace('0500', '').replace(/^(..)(..)(..)(..)/, (_, a, b, c, d) => a + less(b) + c + less(d))
    const long = DIGEST_INFO[name].replace(/^30(..)/, (_, length) => `3081${length}`)
    const pkcs1 = [
      ['no NULL', { info: without }],
      ['other OID', { info: DIGEST_INFO[other] }],
      ['other hash', { info: DIGEST_INFO[other], digest: hash(other, data) }],
      ['OID of another length', { info: DIGEST_INFO[name], digest: hash(other, data) }],
      ['long form of a length', { info: long }],
      ['no DigestInfo', { info: '' }],
      ['trailing garbage, padding kept short', { pad: 8 }],
      ['trailing garbage, no padding', { pad: 0 }],
      ['trailing byte', { after: '00' }],
      ['NULL behind', { after: '0500' }],
      ['block type 0', { type: 0, fill: 0 }],
      ['block type 2', { type: 2, fill: 0x5a }],
      ['padding of others', { fill: 0xfe }],
      ['no separator', { separator: 0xff }],
      ['digest of nothing', { digest: hash(name) }],
      ['digest of zeros', { digest: Buffer.alloc(size) }],
      ['digest with a bit flipped', { digest: flip(hash(name, data), random) }],
    ]
    const pss = [
      ['salt of no bytes', { salt: 0 }],
      ['salt a byte shorter', { salt: size - 1 }],
      ['salt a byte longer', { salt: size + 1 }],
      ['salt of another hash', { salt: size === 32 ? 48 : 32 }],
      ['longest salt', { salt: most }],
      ['salt of any length', { salt: random(most) }],
      ['other mask', { mgf: other }],
      ['other trailer', { trailer: one(random, [0xcc, 0xbd, 0, 0x3c]) }],
      ['other marker', { marker: one(random, [0, 2, 0x81]) }],
      ['padding of others', { first: 1 }],
      ['top bit', { top: true }],
      ['seven zeros', { zeros: 7 }],
    ].filter(([, { salt, top }]) => salt !== size && !(top && this.unused === 0))
    const isRs = alg.startsWith('RS')
    const kinds = isRs ? pkcs1 : pss
    const all = [
      ...kinds.map(([kind, options]) => [kind, () => (isRs ? this.pkcs1(data, name, options) : this.pss(data, name, random, options))]),
      ['other scheme', () => (isRs ? this.pss(data, name, random) : this.pkcs1(data, name))],
      ['other hash in all', () => (isRs ? this.pkcs1(data, other) : this.pss(data, other, random))],
      ['hash alone', () => hash(name, data)],
      ['moved by a byte', () => Buffer.concat([(isRs ? this.pkcs1(data, name) : this.pss(data, name, random)).subarray(isRs ? 1 : 0), Buffer.of(0)])],
    ]
    const [kind, make] = one(random, all)
    return { kind: `rsa made: ${kind}`, signature: this.raw(make()) }
  }

  /** Of a right signature. */
  edges({ signature }, random) {
    const { n, length } = this
    const s = numberOf(signature)
    const number = (value) => bytesOf(value, length)
    return one(random, [
      ['s + n', () => (s + n < 1n << BigInt(8 * length) ? number(s + n) : bytesOf(s + n, length + 1))],
      ['s + kn', () => bytesOf(s + n * BigInt(1 + random(255)), length + 1)],
      ['n − s', () => number(n - s)],
      ['0', () => number(0n)],
      ['1', () => number(1n)],
      ['n − 1', () => number(n - 1n)],
      ['n', () => number(n)],
      ['n + 1', () => number(n + 1n)],
      ['most', () => Buffer.alloc(length, 0xff)],
      ['a byte shorter in front', () => signature.subarray(1)],
      ['a byte shorter behind', () => signature.subarray(0, -1)],
      ['a zero in front', () => Buffer.concat([Buffer.of(0), signature])],
      ['a zero behind', () => Buffer.concat([signature, Buffer.of(0)])],
      ['moved', () => Buffer.concat([signature.subarray(1), Buffer.of(0)])],
      ['backwards', () => Buffer.from(signature).reverse()],
      ['twice', () => Buffer.concat([signature, signature])],
      ['s²', () => number((s * s) % n)],
      ['2s', () => number((2n * s) % n)],
      ['1/s', () => number(inverse(s, n))],
      ['s + 1', () => number((s + 1n) % n)],
      ['any number', () => number(numberOf(bytesBy(random, length)) % n)],
    ])
  }
}

const less = (hex) => (parseInt(hex, 16) - 2).toString(16).padStart(2, '0')

export function flip(bytes, random) {
  const flipped = Buffer.from(bytes)
  flipped[random(flipped.length)] ^= 1 << random(8)
  return flipped
}

/** ECDSA, with few nonces: that they tell the private key is no loss. */
class Ecdsa {
  constructor(kid, jwk, curve, alg) {
    Object.assign(this, { kid, curve, alg, algs: [alg], d: numberOf(from(jwk.d)), length: 2 * curve.size })
    this.nonces = Array.from({ length: 12 }, (_, index) => {
      const k = numberOf(hash('sha512', `${kid} ${index}`)) % curve.n
      return [mod(curve.timesBase(k)[0], curve.n), inverse(k, curve.n)]
    })
  }

  pair(r, s) {
    return Buffer.concat([bytesOf(r, this.curve.size), bytesOf(s, this.curve.size)])
  }

  /** The leftmost bits of the hash that the order has. */
  by(digest, random) {
    const { n, size } = this.curve
    const [r, inverted] = one(random, this.nonces)
    return this.pair(r, mod(inverted * (numberOf(digest.subarray(0, size)) + r * this.d), n))
  }

  sign(alg, data, random) {
    return this.by(hash(nameOf(alg), data), random)
  }

  made(alg, data, random) {
    const digest = hash(nameOf(alg), data)
    const [kind, signature] = one(random, [
      ['SHA-1', () => this.by(hash('sha1', data), random)],
      ['another SHA-2', () => this.by(hash(alg === 'ES256' ? one(random, ['sha384', 'sha512']) : one(random, ['sha256', 'sha512']), data), random)],
      ['the data itself', () => this.by(data, random)],
      ['a hash of 0', () => this.by(Buffer.alloc(this.curve.size), random)],
      ['a flipped hash', () => this.by(flip(digest, random), random)],
      ['hashed twice', () => this.by(hash(nameOf(alg), digest), random)],
    ])
    return { kind: `ecdsa made: ${kind}`, signature: signature() }
  }

  edges({ signature, signed }, random) {
    const { curve, length } = this
    const { n, p, size } = curve
    const [r, s] = [numberOf(signature.subarray(0, size)), numberOf(signature.subarray(size))]
    const all = (1n << BigInt(8 * size)) - 1n
    const values = [0n, 1n, 2n, n - 1n, n, n + 1n, p - 1n, p, all, n >> 1n, curve.base[0] % n]
    return one(random, [
      ['r of the edge', () => this.pair(one(random, values), s)],
      ['s of the edge', () => this.pair(r, one(random, values))],
      ['both of the edge', () => this.pair(one(random, values), one(random, values))],
      ['swapped', () => this.pair(s, r)],
      ['n − s', () => this.pair(r, n - s), 'allow'],
      ['n − r', () => this.pair(n - r, s)],
      ['n − r and n − s', () => this.pair(n - r, n - s)],
      ['p − r', () => this.pair(p - r, s)],
      ['−s', () => this.pair(r, all + 1n - s)],
      ['r + 1', () => this.pair(r + 1n, s)],
      ['1/s', () => this.pair(r, inverse(s, n))],
      ['in DER', () => der(r, s)],
      ['in DER, cut', () => der(r, s).subarray(0, length)],
      ['in DER, filled', () => Buffer.concat([Buffer.alloc(Math.max(length - der(r, s).length, 0)), der(r, s)])],
      ['zeros in front of both', () => Buffer.concat([bytesOf(r, size + 1), bytesOf(s, size + 1)])],
      ['r + n and s + n, longer', () => Buffer.concat([bytesOf(r + n, size + 1), bytesOf(s + n, size + 1)])],
      ['a byte shorter', () => signature.subarray(0, -1)],
      ['a byte longer', () => Buffer.concat([signature, Buffer.of(0)])],
      ['as of another curve', () => Buffer.concat([bytesOf(r, size === 32 ? 48 : 32), bytesOf(s, size === 32 ? 48 : 32)])],
      ['r alone', () => signature.subarray(0, size)],
      ['backwards', () => Buffer.from(signature).reverse()],
      ['each backwards', () => Buffer.concat([Buffer.from(signature.subarray(0, size)).reverse(), Buffer.from(signature.subarray(size)).reverse()])],
      ['s of another hash', () => this.pair(r, numberOf(hash(nameOf(this.alg), signed)) % n)],
    ])
  }
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3). */
function der(r, s) {
  const integer = (number) => {
    const hex = number.toString(16)
    const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : /^[89a-f]/.test(hex) ? `00${hex}` : hex, 'hex')
    return Buffer.concat([Buffer.of(2, bytes.length), bytes])
  }
  const both = Buffer.concat([integer(r), integer(s)])
  return Buffer.concat([Buffer.of(0x30, both.length), both])
}

/** Ed25519, with few nonces of its own where it has to make what no library makes. */
class EdDsa {
  constructor(kid, jwk) {
    Object.assign(this, { kid, algs: ['EdDSA'], length: 64, key: createPrivateKey({ key: jwk, format: 'jwk' }), public: from(jwk.x) })
    const scalar = hash('sha512', from(jwk.d)).subarray(0, 32)
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 63) | 64
    this.a = Ed25519.little(scalar)
    this.nonces = Array.from({ length: 6 }, (_, index) => {
      const r = numberOf(hash('sha256', `${kid} ${index}`)) % Ed25519.L
      return [r, Ed25519.times(r, Ed25519.base)]
    })
  }

  /** By r, with R as it is encoded. */
  by(r, R, data, dom = '', of = this.public) {
    const h = Ed25519.little(hash('sha512', dom, R, of, data))
    return Buffer.concat([R, Ed25519.littleBytes(mod(r + h * this.a, Ed25519.L))])
  }

  sign(_, data) {
    return sign(null, data, this.key)
  }

  made(_, data, random) {
    const [r, point] = one(random, this.nonces)
    const R = Ed25519.encoded(point)
    const torsion = () => Ed25519.encoded(Ed25519.add(point, one(random, Ed25519.small.slice(1))))
    const identity = Ed25519.encoded(Ed25519.small[0])
    const { P } = Ed25519
    const [kind, signature, expects] = one(random, [
      ['another nonce', () => this.by(r, R, data), 'allow'],
      // ring would take it, and Node 20, but not Node 24 (nodejs/node#64026).
      ['nonce 0', () => this.by(0n, identity, data)],
      ['nonce 0, R with a sign', () => this.by(0n, signed(identity), data)],
      ['nonce 0, R not reduced', () => this.by(0n, Ed25519.littleBytes(P + 1n), data)],
      ['nonce 0, R not reduced, with a sign', () => this.by(0n, signed(Ed25519.littleBytes(P + 1n)), data)],
      ['R of small order', () => this.by(0n, Ed25519.encoded(one(random, Ed25519.small.slice(1))), data)],
      ['R of mixed order', () => this.by(r, torsion(), data)],
      ['R of the other sign', () => this.by(r, signed(R), data)],
      ['Ed25519ctx', () => this.by(r, R, data, Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions\0'), Buffer.of(0)]))],
      ['Ed25519ph', () => this.by(r, R, hash('sha512', data), Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions\x01'), Buffer.of(0)]))],
      ['of the hash', () => this.by(r, R, hash('sha512', data))],
      ['without the key in the hash', () => this.by(r, R, data, '', Buffer.alloc(0))],
      ['with another key in the hash', () => this.by(r, R, data, '', bytesBy(random, 32))],
    ])
    return { kind: `eddsa made: ${kind}`, signature: signature(), expects }
  }

  edges({ signature }, random) {
    const { L, littleBytes, encoded, small, P } = Ed25519
    const [R, S] = [signature.subarray(0, 32), signature.subarray(32)]
    const s = Ed25519.little(S)
    const with_ = (R, s) => Buffer.concat([R, typeof s === 'bigint' ? littleBytes(s) : s])
    const identity = encoded(small[0])
    return one(random, [
      ['S + L', () => with_(R, s + L)],
      ['S + kL', () => with_(R, s + L * BigInt(1 + random(14)))],
      ['L − S', () => with_(R, L - s)],
      ['S of the edge', () => with_(R, one(random, [0n, 1n, L - 1n, L, L + 1n, P, (1n << 252n) - 1n, 1n << 252n, (1n << 255n) - 1n, (1n << 256n) - 1n]))],
      ['a high bit of S', () => with_(R, s | (1n << BigInt(253 + random(3))))],
      ['R of small order', () => with_(encoded(one(random, small)), s)],
      ['R of small order, S = 0', () => with_(encoded(one(random, small)), 0n)],
      ['R of small order, S = L', () => with_(encoded(one(random, small)), L)],
      ['R not reduced', () => with_(littleBytes(P + BigInt(random(19))), one(random, [0n, s]))],
      ['R with a sign', () => with_(signed(R), s)],
      ['R the identity with a sign', () => with_(signed(identity), 0n)],
      ['R the key', () => with_(this.public, s)],
      ['R the base point, S = 1', () => with_(encoded(Ed25519.base), 1n)],
      ['swapped', () => Buffer.concat([S, R])],
      ['zeros', () => Buffer.alloc(64)],
      ['ones', () => Buffer.alloc(64, 0xff)],
      ['a byte shorter', () => signature.subarray(0, 63)],
      ['a byte longer', () => Buffer.concat([signature, Buffer.of(0)])],
      ['R alone', () => R],
      ['as of Ed448', () => Buffer.concat([signature, Buffer.alloc(50)])],
      ['backwards', () => Buffer.from(signature).reverse()],
    ])
  }
}

function signed(bytes) {
  const other = Buffer.from(bytes)
  other[31] ^= 0x80
  return other
}

/** HMAC. */
class Hmac {
  constructor(kid, secret) {
    Object.assign(this, { kid, secret, algs: ['HS256', 'HS384', 'HS512'].filter((alg) => secret.length >= Number(alg.slice(2)) / 8) })
  }

  sign(alg, data) {
    return createHmac(nameOf(alg), this.secret).update(data).digest()
  }

  made(alg, data, random) {
    const name = nameOf(alg)
    const mac = (name, key, data) => createHmac(name, key).update(data).digest()
    const { length } = hash(name)
    const [kind, signature] = one(random, [
      ['no key', () => mac(name, '', data)],
      ['a key a byte shorter', () => mac(name, this.secret.subarray(1), data)],
      ['the key in base64url', () => mac(name, this.secret.toString('base64url'), data)],
      ['the key in hex', () => mac(name, this.secret.toString('hex'), data)],
      ['another hash', () => mac(name === 'sha256' ? 'sha512' : 'sha256', this.secret, data)],
      ['SHA-512 cut', () => mac(name === 'sha512' ? 'sha384' : 'sha512', this.secret, data).subarray(0, length)],
      ['a hash with a key', () => hash(name, this.secret, data)],
      ['a hash without a key', () => hash(name, data)],
      ['a flipped key', () => mac(name, flip(this.secret, random), data)],
    ])
    return { kind: `hmac made: ${kind}`, signature: signature() }
  }

  edges({ signature }, random) {
    return one(random, [
      ['half', () => signature.subarray(0, signature.length / 2)],
      ['a byte shorter', () => signature.subarray(0, -1)],
      ['a byte', () => signature.subarray(0, 1)],
      ['a byte longer', () => Buffer.concat([signature, Buffer.of(0)])],
      ['zeros', () => Buffer.alloc(signature.length)],
      ['backwards', () => Buffer.from(signature).reverse()],
      ['in hex', () => Buffer.from(signature.toString('hex'))],
    ])
  }
}

const made = (kid) => {
  const jwk = PRIVATE[kid]
  if (jwk.kty === 'RSA') return new Rsa(kid, jwk)
  if (jwk.kty === 'OKP') return new EdDsa(kid, jwk)
  return jwk.crv === 'P-256' ? new Ecdsa(kid, jwk, P256, 'ES256') : new Ecdsa(kid, jwk, P384, 'ES384')
}

/** What signs, by `kid`. */
export const SIGNERS = Object.fromEntries([...Object.keys(PRIVATE).map((kid) => [kid, made(kid)]), ...Object.entries(SECRETS).map(([kid, secret]) => [kid, new Hmac(kid, secret)])])

/** The public keys. */
export const PUBLIC = Object.keys(PRIVATE).map((kid) => ({ ...createPublicKey(SIGNERS[kid].key ?? createPrivateKey({ key: PRIVATE[kid], format: 'jwk' })).export({ format: 'jwk' }), kid }))

export const SECRET = Object.entries(SECRETS).map(([kid, secret]) => ({ kty: 'oct', kid, k: secret.toString('base64url') }))
