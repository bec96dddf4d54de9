import type { WasmGuard, WasmPolicy, WasmSecrets } from '../wasm-node/hostbound.js'
import { fromEngine, HostboundError } from './errors.js'
import { GuardMemory, putBody } from './memory.js'
import { pack } from './pack.js'
import type { Verifier } from './engine.js'
import { compiledOf, engineOf, type Policy } from './policy.js'
import type { HttpRequest, KeysKept, TokenAnswer, TokenQuestion } from './request.js'
import { type Secrets, secretsFor } from './secrets.js'
import type { Verdict } from './verdict.js'

/** What the engine returns for a buffer that is no packed request. */
const UNREADABLE = 0xffff_ffff

/** Bits of what it returns for a judgement that is not over. */
const NEEDS_NONCE = 1 << 20
const NEEDS_VERIFICATION = 1 << 23

const NOTHING = new Uint8Array()

/** What a guard needs beside its policy. */
export interface GuardOptions {
  /** The secrets and key sets that the policy refers to. Every one must be there. */
  readonly secrets?: Secrets | undefined
  /**
   * Since when the replay store in memory has kept every claim, in Unix seconds: signatures from before are refused. Default: the
   * next whole second. To be set only where `now` is not the clock's.
   */
  readonly epoch?: number | undefined
  /**
   * What verifies signatures of tokens: the runtime's own cryptography where it is synchronous, as in Node, or the engine, several times
   * slower. They agree. Default: `runtime`.
   */
  readonly verifier?: 'runtime' | 'engine' | undefined
}

/** What a replay store has to claim for a request that passed everything else. */
export interface ReplayClaim {
  /** The key of the entry: `hostbound:1:` and base64url. */
  readonly key: string
  /** The key under which the live entries of the signature's key are counted. */
  readonly shareKey: string
  /** How many of them there may be. */
  readonly shareLimit: number
  /** Until when the entry must be kept, in Unix seconds by the store's clock. From then on the store refuses the claim. */
  readonly expires: number
  /** The time at which the request is judged, in Unix seconds. */
  readonly now: number
}

/** What a replay store made of a claim. */
export interface ReplayOutcome {
  /** `made`: it was not there. `present`: it was. `full`: the share is used up, or the claim came too late. `failed`: the store cannot be asked. */
  readonly outcome: 'made' | 'present' | 'full' | 'failed'
  /** Since when the store has kept every claim, in Unix seconds. */
  readonly epoch: number
}

/** How a request is signed. Its `now` is when the signature is made; default: the clock. */
export interface SignOptions {
  /** The `signatures` section of the policy. */
  readonly section: string
  /** The key. Default: the first that signs for the request's host. */
  readonly keyId?: string | undefined
  /** The nonce, or the webhook's id. Default: 128 random bits. */
  readonly nonce?: string | undefined
}

/** What makes a request a signed one. */
export interface SignedRequest {
  /** The headers to add, as names in lower case and values. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What was signed, without the body. */
  readonly base: string
  /** How many bytes of body follow the base; null where the base has a digest of it instead. */
  readonly bodyLength: number | null
}

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
  readonly #engine: WasmGuard
  readonly #memory: GuardMemory
  readonly #wasm: WebAssembly.Memory
  readonly #verifier: Verifier | undefined
  readonly #algorithms: readonly string[] = []
  #policy: Policy
  /** The id of the request in memory; undefined if there is none. */
  #id: string | null | undefined

  /**
   * @param policy - What to judge by.
   * @throws {@link PolicyError} for secrets that are missing or cannot be keys.
   */
  constructor(policy: Policy, options: GuardOptions = {}) {
    const { secrets = {}, epoch, verifier = 'runtime' } = options
    if (verifier !== 'runtime' && verifier !== 'engine') throw new HostboundError('HOSTBOUND_OPTION', '`verifier` is `runtime` or `engine`')
    this.#policy = policy
    const since = epoch === undefined ? nextSecond() : seconds(epoch)
    const { WasmGuard, memory, verifier: verifierOf } = engineOf(policy)
    this.#engine = usingSecrets(policy, secrets, (compiled, found) => new WasmGuard(compiled, found, since))
    this.#memory = new GuardMemory(this.#engine, memory)
    this.#wasm = memory
    if (verifier === 'runtime' && verifierOf !== undefined) {
      this.#verifier = verifierOf()
      this.#algorithms = WasmGuard.algorithms()
      this.#engine.verifyOutside()
    }
  }

  /** The policy. */
  get policy(): Policy {
    return this.#policy
  }

  /**
   * Judges by another policy and other secrets from now on, as after a rotation of keys. Nonces that were used stay used. If a key has
   * another name now, or its section another window or profile, the store in memory begins anew: signatures from before are refused,
   * for `clock_tolerance` and a second.
   *
   * @throws {@link PolicyError} for secrets that are missing or cannot be keys, {@link HostboundError} `HOSTBOUND_OPTION` for a policy of
   * an entry with another engine; then nothing has changed.
   */
  reload(policy: Policy, { secrets = {} }: Pick<GuardOptions, 'secrets'> = {}): void {
    if (engineOf(policy) !== engineOf(this.#policy)) {
      throw new HostboundError('HOSTBOUND_OPTION', 'the policy is of another engine: read it with the `Policy` of the same entry')
    }
    usingSecrets(policy, secrets, (compiled, found) => this.#engine.reload(compiled, found, nextSecond()))
    this.#policy = policy
    this.#id = undefined
  }

  /**
   * Judges the head of a request: 0 for a plain allow.
   *
   * Bits 0–7: the number of the reason, denied or reported ({@link reasonOf}); bits 8–17: the status to answer with
   * ({@link statusOf}), 0 on allow; bit 18: denied ({@link isDenied}); bit 19: not finished, the body is needed
   * ({@link needsBody}); bits 21 and 22: not finished, another server has to be asked ({@link needsAnswer}). Higher bits are 0.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request: the caller has a defect.
   */
  inspect(request: HttpRequest): number {
    return this.#run(request, (length) => this.#engine.inspect(length), false)
  }

  /**
   * Judges a whole request, with its body: 0 for a plain allow, as {@link Guard.inspect}. Nonces are used up in memory.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request.
   */
  judge(request: HttpRequest): number {
    return this.#run(request, (length, body) => this.#engine.judgeWhole(length, body))
  }

  /**
   * Judges a whole request but for its nonce, for a replay store of the caller's: what is to be claimed there. Undefined if it is
   * decided already.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request.
   */
  claim(request: HttpRequest): ReplayClaim | undefined {
    const code = this.#run(request, (length, body) => this.#engine.judgeToClaim(length, body))
    return (code & NEEDS_NONCE) === 0 ? undefined : this.#ask(() => this.#engine.claim() as ReplayClaim | undefined)
  }

  /**
   * The integer form of the verdict on a request, by what a store made of its claim.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request.
   */
  answer(request: HttpRequest, { outcome, epoch }: ReplayOutcome): number {
    return this.#run(request, (length, body) => this.#engine.answer(length, body, outcome, seconds(epoch)))
  }

  /**
   * Signs a request as it will be sent, by a section of the policy: the headers to add, and what was signed.
   *
   * @throws {@link HostboundError} `HOSTBOUND_SIGN` if it cannot be signed, `HOSTBOUND_REQUEST` if it is no request.
   */
  sign(request: HttpRequest, { section, keyId, nonce = randomNonce() }: SignOptions): SignedRequest {
    this.#id = undefined
    const now = request.now ?? Math.floor(Date.now() / 1000)
    const length = pack({ ...request, now }, this.#memory)
    try {
      return this.#engine.sign(length, this.#body(request, length), section, keyId, nonce) as SignedRequest
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /**
   * What has to be asked of another server before the request can be judged that was inspected or judged last; undefined if nothing is.
   * Keys go to {@link Guard.keepKeys}, what is said of a token into the request as `introspection`; then it is judged again. Many requests
   * can ask for the same keys: one fetch does for all.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was no request, and the policy has tokens.
   */
  question(): TokenQuestion | undefined {
    if (this.#policy.tokens.length === 0) return undefined
    return this.#ask(() => this.#engine.question() as TokenQuestion | undefined)
  }

  /**
   * Keeps the keys that were fetched for a `tokens` section, or that there was no answer: what cannot be used changes nothing but that there
   * was an attempt. For 30 seconds from `now` on none are asked for. An answer to a question from before a {@link Guard.reload} is to be dropped.
   *
   * @param now - When the answer came, in Unix seconds. Default: the clock's time.
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no answer.
   */
  keepKeys(section: string, answer: TokenAnswer | undefined, now: number = Math.floor(Date.now() / 1000)): KeysKept {
    const { status, contentType, body } = answerOf(answer)
    if (!this.#policy.tokens.includes(section)) {
      return { error: 'the policy has no such section', thumbprints: [], isNew: false, refreshAt: null }
    }
    return this.#engine.keepKeys(section, seconds(now), status, contentType, body) as KeysKept
  }

  /**
   * Whether the keys of a section are to be fetched again, beside the requests that the held ones do for. False if there are none.
   *
   * @param now - In Unix seconds.
   */
  isRefreshDue(section: string, now: number): boolean {
    return this.#policy.tokens.length > 0 && this.#engine.isRefreshDue(section, seconds(now))
  }

  /**
   * Says that the keys of a section are being fetched, as is due at {@link KeysKept.refreshAt}: until {@link Guard.keepKeys} requests do with
   * those that are held, if these are less than an hour old.
   *
   * @param now - In Unix seconds.
   */
  refreshing(section: string, now: number): void {
    if (this.#policy.tokens.length === 0) return
    this.#engine.refreshing(section, seconds(now))
  }

  /** The most bytes of body that the request may have that was inspected last; undefined if its body is not asked for. */
  bodyLimit(): number | undefined {
    return this.#id === undefined ? undefined : this.#engine.bodyLimit()
  }

  /**
   * The full verdict on the request that was judged last.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was none, or its body was not judged.
   */
  verdict(): Verdict {
    return this.#ask((id) => this.#engine.verdict(id))
  }

  /** {@link Guard.judge} and {@link Guard.verdict} in one. */
  decide(request: HttpRequest): Verdict {
    this.judge(request)
    return this.verdict()
  }

  /** The verdict as one line of JSON: byte for byte what every other face gives. */
  decideJson(request: HttpRequest): string {
    this.judge(request)
    return this.#ask((id) => this.#engine.verdictJson(id))
  }

  /**
   * The text to answer the request that was judged last with, ending in a line feed; empty on allow. All that the client
   * may know.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was none.
   */
  clientText(): string {
    return this.#ask(() => this.#engine.clientText())
  }

  /**
   * The header that goes with {@link Guard.clientText}, as name and value: `WWW-Authenticate` for a 401, `Retry-After` for a 503.
   *
   * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if there was no request.
   */
  clientHeader(): readonly [name: string, value: string] | undefined {
    const header = this.#ask(() => this.#engine.clientHeader())
    if (header === undefined) return undefined
    const [name, value] = header.split(': ', 2) as [string, string]
    return [name, value]
  }

  #run(request: HttpRequest, judge: (length: number, body: number) => number, hasBody = true): number {
    this.#id = undefined
    const length = pack(request, this.#memory)
    const body = hasBody ? this.#body(request, length) : 0
    const { introspection } = request
    const code = introspection === undefined ? judge(length, body) : this.#runAnswered(introspection, () => judge(length, body))
    this.#id = request.id ?? null
    if (code === UNREADABLE) {
      // The engine says why.
      this.verdict()
      return code
    }
    return (code & NEEDS_VERIFICATION) === 0 ? code : this.#engine.verified(this.#verify())
  }

  #runAnswered(answer: TokenAnswer | null, judge: () => number): number {
    const { status, contentType, body } = answerOf(answer ?? undefined)
    // Where there are no tokens nobody asks for it.
    if (this.#policy.tokens.length > 0) this.#engine.introspected(status, contentType, body)
    try {
      return judge()
    } catch (error) {
      // The engine takes an answer for that about the request that it judges next: it must never be that of another.
      this.#engine.inspect(0)
      throw error
    }
  }

  /** Whether the signature that the engine asks about is right. */
  #verify(): boolean {
    const verifier = this.#verifier
    if (verifier === undefined) return false
    const at = this.#engine.verification()
    const key = new Uint32Array(this.#wasm.buffer, at, 1)[0] ?? 0
    if (!verifier.has(key)) verifier.hold(key, this.#engine.verificationKey() as JsonWebKey)
    // Only now: to give the key the engine's memory may have grown, and what was seen of it before is lost.
    const { buffer } = this.#wasm
    const words = new Uint32Array(buffer, at, 6)
    const [, algorithm = 0, signed = 0, signedLength = 0, signature = 0, signatureLength = 0] = words
    return verifier.verify(
      key,
      this.#algorithms[algorithm] ?? '',
      new Uint8Array(buffer, signed, signedLength),
      new Uint8Array(buffer, signature, signatureLength),
    )
  }

  #body({ body }: HttpRequest, head: number): number {
    if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
      throw new HostboundError('HOSTBOUND_REQUEST', '`body` is neither a string nor a Uint8Array')
    }
    return putBody(body, head, this.#memory)
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

/** An answer as the engine takes it: none has no status. */
function answerOf(answer: TokenAnswer | undefined): { status: number | undefined; contentType: string | undefined; body: Uint8Array } {
  if (answer === undefined) return { status: undefined, contentType: undefined, body: NOTHING }
  const { status, contentType, body } = answer
  const isStatus = Number.isSafeInteger(status) && status >= 0 && status <= 0xffff
  if (isStatus && (contentType === undefined || typeof contentType === 'string') && body instanceof Uint8Array) return { status, contentType, body }
  throw new HostboundError('HOSTBOUND_REQUEST', 'an answer has a `status`, a `contentType` that is a string or undefined, and a `body` of bytes')
}

/** 128 bits in hex: a nonce in every profile. */
function randomNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The engine's copies of the secrets are wiped when this is over. */
function usingSecrets<Result>(policy: Policy, secrets: Secrets, use: (compiled: WasmPolicy, found: WasmSecrets) => Result): Result {
  const found = secretsFor(policy, secrets)
  try {
    return use(compiledOf(policy), found)
  } catch (error) {
    throw fromEngine(error)
  } finally {
    found.free()
  }
}

/** The first whole second that has not begun. */
function nextSecond(): bigint {
  return BigInt(Math.floor(Date.now() / 1000) + 1)
}

/** Whole seconds. What is none is far in the future: a store of which nothing is known vouches for nothing. */
function seconds(time: number): bigint {
  return Number.isSafeInteger(time) && time >= 0 ? BigInt(time) : 0xffff_ffff_ffff_ffffn
}
