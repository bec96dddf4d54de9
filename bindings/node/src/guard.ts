import { WasmGuard } from '../wasm/hostbound.js'
import { engineMemory } from './engine.js'
import { fromEngine, HostboundError } from './errors.js'
import { pack, type Memory } from './pack.js'
import { engineOf, type Policy } from './policy.js'
import type { HttpRequest } from './request.js'
import type { Verdict } from './verdict.js'

/** What the engine's `inspect` returns for a buffer that is no packed request. */
const UNREADABLE = 0xffff_ffff

/**
 * Judges requests by one policy. Synchronous: a request is packed into the engine's memory and one integer comes back.
 *
 * @example
 * ```js
 * const guard = new Guard(await Policy.fromToml('version = 1\n[hosts]\nallow = ["localhost"]'))
 * guard.decide({ method: 'GET', target: '/', headers: [['host', 'rebound.example']] }).status // 421
 * ```
 */
export class Guard {
  /** The policy. */
  readonly policy: Policy
  readonly #engine: WasmGuard
  readonly #memory: GuardMemory
  /** The id of the request in memory; undefined if there is none. */
  #id: string | null | undefined

  /** @param policy - What to judge by. */
  constructor(policy: Policy) {
    this.policy = policy
    this.#engine = new WasmGuard(engineOf(policy))
    this.#memory = new GuardMemory(this.#engine)
  }

  /**
   * Judges a request: 0 for a plain allow.
   *
   * Bits 0–7: the number of the reason, denied or reported ({@link reasonOf}); bits 8–17: the status to answer with
   * ({@link statusOf}), 0 on allow; bit 18: denied ({@link isDenied}). Higher bits are 0.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request: the caller has a defect.
   */
  inspect(request: HttpRequest): number {
    this.#id = undefined
    const code = this.#engine.inspect(pack(request, this.#memory))
    this.#id = request.id ?? null
    // The engine says why.
    if (code === UNREADABLE) this.verdict()
    return code
  }

  /**
   * The full verdict on the request that was inspected last.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was none.
   */
  verdict(): Verdict {
    return this.#ask((id) => this.#engine.verdict(id))
  }

  /** {@link Guard.inspect} and {@link Guard.verdict} in one. */
  decide(request: HttpRequest): Verdict {
    this.inspect(request)
    return this.verdict()
  }

  /** The verdict as one line of JSON: byte for byte what every other face gives. */
  decideJson(request: HttpRequest): string {
    this.inspect(request)
    return this.#ask((id) => this.#engine.verdictJson(id))
  }

  /**
   * The text to answer the request that was inspected last with, ending in a line feed; empty on allow. All that the client
   * may know.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was none.
   */
  clientText(): string {
    return this.#ask(() => this.#engine.clientText())
  }

  #ask<Answer>(question: (id: string | null) => Answer): Answer {
    const id = this.#id
    if (id === undefined) throw new HostboundError('HOSTBOUND_REQUEST', 'no request has been inspected')
    if (id?.isWellFormed() === false) throw new HostboundError('HOSTBOUND_REQUEST', '`id` has a lone surrogate')
    try {
      return question(id)
    } catch (error) {
      throw fromEngine(error)
    }
  }
}

/** The buffer of one guard, seen through a view that is renewed when the engine's memory has grown. */
class GuardMemory implements Memory {
  readonly #engine: WasmGuard
  #view = new Uint8Array()

  constructor(engine: WasmGuard) {
    this.#engine = engine
  }

  room(length: number): Uint8Array {
    // When memory grows, views of it lose their length.
    if (length > this.#view.length) {
      const size = Math.max(4096, 2 ** Math.ceil(Math.log2(length)))
      const start = this.#engine.reserve(size)
      this.#view = new Uint8Array(engineMemory().buffer, start, size)
    }
    return this.#view
  }
}
