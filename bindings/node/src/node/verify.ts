// Signatures of tokens by Node's own cryptography, which takes a tenth of the time. The engine has chosen key and algorithm.

import { constants, createPublicKey, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto'

import type { Verifier } from '../engine.js'

/** How a kind of signature is verified: the hash, and what goes with the key. */
type Method = readonly [hash: string | null, options: Omit<VerifyKeyObjectInput, 'key'>]

const { RSA_PKCS1_PADDING: PKCS1, RSA_PKCS1_PSS_PADDING: PSS, RSA_PSS_SALTLEN_DIGEST: OF_HASH } = constants

/** RFC 7518 §3.1, RFC 8037 §3.1. */
const METHODS = new Map<string, Method>([
  ['RS256', ['sha256', { padding: PKCS1 }]],
  ['RS384', ['sha384', { padding: PKCS1 }]],
  ['RS512', ['sha512', { padding: PKCS1 }]],
  ['PS256', ['sha256', { padding: PSS, saltLength: OF_HASH }]],
  ['PS384', ['sha384', { padding: PSS, saltLength: OF_HASH }]],
  ['PS512', ['sha512', { padding: PSS, saltLength: OF_HASH }]],
  ['ES256', ['sha256', { dsaEncoding: 'ieee-p1363' }]],
  ['ES384', ['sha384', { dsaEncoding: 'ieee-p1363' }]],
  ['EdDSA', [null, {}]],
])

/** How many keys are held. */
const MAX_KEYS = 128

/** Verifies with `node:crypto`, and holds the keys ready. */
export class NodeVerifier implements Verifier {
  readonly #keys = new Map<number, KeyObject>()
  /** By key and algorithm, since to make one for each token takes longer than to find it. */
  readonly #inputs = new Map<string, VerifyKeyObjectInput>()

  has(number: number): boolean {
    return this.#keys.has(number)
  }

  hold(number: number, jwk: JsonWebKey): void {
    if (this.#keys.size >= MAX_KEYS) {
      this.#keys.clear()
      this.#inputs.clear()
    }
    this.#keys.set(number, createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' }))
  }

  verify(number: number, algorithm: string, signed: Uint8Array, signature: Uint8Array): boolean {
    const method = METHODS.get(algorithm)
    if (method === undefined) return false
    const [hash, options] = method
    const input = this.#input(number, algorithm, options)
    return input !== undefined && verify(hash, signed, input, signature)
  }

  #input(number: number, algorithm: string, options: Omit<VerifyKeyObjectInput, 'key'>): VerifyKeyObjectInput | undefined {
    const name = `${algorithm} ${number}`
    const known = this.#inputs.get(name)
    if (known !== undefined) return known
    const key = this.#keys.get(number)
    if (key === undefined) return undefined
    const input = { ...options, key }
    this.#inputs.set(name, input)
    return input
  }
}
