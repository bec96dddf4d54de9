import type { WasmGuard, WasmPolicy, WasmSecrets } from '../wasm-node/hostbound.js'

/**
 * A module of the engine that runs: its classes, and the memory that they share. Each policy knows the one that compiled it, and whatever
 * works by the policy works in there: what one module has made means nothing to another.
 *
 * The types are those of Node's module, which has all that the core has.
 */
export interface Engine {
  readonly WasmGuard: typeof WasmGuard
  readonly WasmPolicy: typeof WasmPolicy
  readonly WasmSecrets: typeof WasmSecrets
  /** Its buffer is another one after it has grown. */
  readonly memory: WebAssembly.Memory
  /** What verifies signatures of tokens in its place, for one guard. */
  readonly verifier?: (() => Verifier) | undefined
}

/** Verifies signatures with keys and algorithms that the engine has chosen and that fit each other. */
export interface Verifier {
  /** True if the key of that number, which stands for no other, is held. */
  has(key: number): boolean
  /** Holds a key. */
  hold(key: number, jwk: JsonWebKey): void
  /** True if the signature is right, by a key that is held. `algorithm` is as JWS names it; none of HMAC. */
  verify(key: number, algorithm: string, signed: Uint8Array, signature: Uint8Array): boolean
}

/** What was generated around a module. The core lacks what only tokens need, and asks for none of it. */
interface Glue {
  readonly WasmGuard: unknown
  readonly WasmPolicy: unknown
  readonly WasmSecrets: unknown
  initSync(options: { module: WebAssembly.Module }): { memory: WebAssembly.Memory }
}

/** Instantiates a module; one that runs stays what it is. */
export function start(glue: Glue, module: WebAssembly.Module, verifier?: () => Verifier): Engine {
  const { WasmGuard, WasmPolicy, WasmSecrets } = glue as Glue & Omit<Engine, 'memory' | 'verifier'>
  return { WasmGuard, WasmPolicy, WasmSecrets, memory: glue.initSync({ module }).memory, verifier }
}
