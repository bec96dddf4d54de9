import { WasmKeySet } from '../../wasm-node/hostbound.js'
import type { Verifier } from '../engine.js'
import { fromEngine, HostboundError } from '../errors.js'
import type { GuardOptions } from '../guard.js'
import type { Reason } from '../reason.js'
import { loadEngine } from './modules.js'

/** An algorithm of JWS that is verified (RFC 7518 §3.1, RFC 8037 §3.1). */
export type JwsAlgorithm =
  | 'HS256' | 'HS384' | 'HS512' | 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'EdDSA'

const ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']

/** A key of a set. */
export interface Key {
  /** Its `kid`, or null. */
  readonly keyId: string | null
  /** What it verifies. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** RFC 7638 with SHA-256, in base64url; null for a secret. */
  readonly thumbprint: string | null
}

/** What a token came to: its payload and the key that signed it, or why it is refused. */
export type Verified =
  | { readonly reason: null; readonly payload: Uint8Array; readonly key: Key }
  | { readonly reason: Reason; readonly payload: null; readonly key: null }

/** What the engine makes of a token of which only the signature is to be verified. */
interface Read {
  readonly key: number
  readonly algorithm: JwsAlgorithm
  readonly isSymmetric: boolean
  readonly signedLength: number
}

/**
 * Keys that verify tokens without a policy: the signature alone. Nothing here looks at issuer, audience or expiry, which a `Guard` does.
 *
 * @example
 * ```js
 * const keys = await KeySet.fromJson(await readFile('jwks.json', 'utf8'))
 * const { reason, payload } = keys.verify(token, ['ES256'])
 * ```
 */
export class KeySet {
  readonly #engine: WasmKeySet
  readonly #verifier: Verifier | undefined
  /** The keys, in the order of the text. */
  readonly keys: readonly Key[]

  private constructor(engine: WasmKeySet, verifier: Verifier | undefined) {
    this.#engine = engine
    this.#verifier = verifier
    this.keys = engine.keys() as Key[]
  }

  /**
   * Reads a key set, or one key alone (RFC 7517), of at most 64 KiB. Every key must be one that may verify.
   *
   * @throws {@link HostboundError} `HOSTBOUND_KEYS` with every key that may not be used, one a line.
   */
  static async fromJson(text: string, { verifier = 'runtime' }: Pick<GuardOptions, 'verifier'> = {}): Promise<KeySet> {
    if (verifier !== 'runtime' && verifier !== 'engine') throw new HostboundError('HOSTBOUND_OPTION', '`verifier` is `runtime` or `engine`')
    if (typeof text !== 'string') throw new HostboundError('HOSTBOUND_OPTION', 'a key set is a text of JSON')
    const engine = await loadEngine()
    try {
      return new this(WasmKeySet.fromJson(text), verifier === 'runtime' ? engine.verifier?.() : undefined)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** The thumbprints of the keys (RFC 7638 with SHA-256), as `pins` of a policy has them; of secrets there are none. */
  get thumbprints(): string[] {
    return this.keys.flatMap(({ thumbprint }) => thumbprint ?? [])
  }

  /**
   * Verifies a compact JWS (RFC 7515 §7.1) by one of the algorithms, with the one key that the set has for it. Of a token that is refused
   * the reason is that of a verdict.
   *
   * @throws {@link HostboundError} `HOSTBOUND_OPTION` if no algorithm is given, or one that is not verified.
   */
  verify(token: string, algorithms: readonly JwsAlgorithm[]): Verified {
    const isKnown = Array.isArray(algorithms) && algorithms.length > 0 && algorithms.every((name) => ALGORITHMS.includes(name))
    if (!isKnown) throw new HostboundError('HOSTBOUND_OPTION', `\`algorithms\` is a list of ${ALGORITHMS.join(', ')}`)
    if (typeof token !== 'string') throw new HostboundError('HOSTBOUND_OPTION', 'a token is a text')
    const bytes = new TextEncoder().encode(token)
    const read = this.#engine.read(bytes, [...algorithms]) as Reason | Read
    if (typeof read === 'string') return refused(read)
    const key = this.keys[read.key]
    if (key === undefined || !this.#isRight(read, bytes)) return refused('token_signature_mismatch')
    return { reason: null, payload: this.#engine.payload(), key }
  }

  #isRight({ key, algorithm, isSymmetric, signedLength }: Read, token: Uint8Array): boolean {
    const verifier = this.#verifier
    if (verifier === undefined || isSymmetric) return this.#engine.verifies(token)
    if (!verifier.has(key)) verifier.hold(key, this.#engine.jwk(key) as JsonWebKey)
    return verifier.verify(key, algorithm, token.subarray(0, signedLength), this.#engine.signature())
  }
}

function refused(reason: Reason): Verified {
  return { reason, payload: null, key: null }
}
