// Asks for key sets and at introspection endpoints, through egress. What an answer is worth is the engine's to say.

import type { Dispatcher } from 'undici'

import type { Egress, EgressOptions } from '../egress.js'
import { destinationOf } from '../egress/destination.js'
import { EgressError, type EgressFailure } from '../egress/error.js'
import { HostboundError } from '../errors.js'

/** The most bytes of an answer's body. */
const MAX_BODY = 65_536

/** The most bytes of an answer's head. */
const MAX_HEAD = 16_384

/** From the call to the last byte, with the look-up, the connection and TLS; in milliseconds. */
const TOTAL_TIME = 5_000

/** How long a connection without a request is kept, in milliseconds, and how long if the server says so. */
const IDLE_TIME = 4_000
const LONGEST_IDLE_TIME = 30_000

/** What is asked. */
export interface Outgoing {
  /** With `https`; nothing else is asked. */
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** `accept` is added where it is not among them, and `accept-encoding` is always `identity`. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: Uint8Array | string | undefined
}

/** What came back: the whole of it, with whatever status. Redirects are answers. */
export interface Answer {
  readonly status: number
  /** The value of the only `content-type`. */
  readonly contentType: string | undefined
  /** At most 65,536 bytes, without any encoding. */
  readonly body: Uint8Array
}

/**
 * Why there is no answer: a reason of egress, or
 *
 * - `timed_out`: it was not whole in time;
 * - `connection_failed`: nobody was there, or the connection ended before the head of the answer;
 * - `answer_malformed`: it is not HTTP;
 * - `answer_too_large`: its head or its body;
 * - `answer_truncated`: the connection ended before the body did;
 * - `answer_encoded`: it has a `content-encoding`, or a `transfer-encoding` other than `chunked`;
 * - `request_invalid`: it cannot be asked, as with a header that is none, or with a file that the policy names and nobody can read.
 */
export type FetchReason =
  | EgressFailure
  | 'timed_out'
  | 'connection_failed'
  | 'answer_malformed'
  | 'answer_too_large'
  | 'answer_truncated'
  | 'answer_encoded'
  | 'request_invalid'

/** One answer that did not come. Neither headers nor bodies are in it. */
export interface FetchFailure {
  readonly reason: FetchReason
  /** The setting of the policy that decided, as a dotted path. */
  readonly rule: string | null
  /** One line for the operator. */
  readonly detail: string
  /** Scheme, host and port, or null if the URL has none. */
  readonly origin: string | null
}

/** Told of each answer that did not come. What it throws changes nothing. */
export type OnFailure = (failure: FetchFailure) => void

/** How requests go out: `timeout` is the whole time here. */
export type FetcherOptions = Omit<EgressOptions, 'timeout'>

/** Asks one question at a time or many; it is for the caller to bound them (see `Flights`). */
export class Fetcher {
  readonly #egress: Egress
  readonly #dispatcher: Dispatcher
  readonly #onFailure: OnFailure
  readonly #time: number
  #closed: Promise<void> | undefined

  private constructor(egress: Egress, onFailure: OnFailure, time: number) {
    this.#egress = egress
    this.#onFailure = onFailure
    this.#time = time
    this.#dispatcher = egress.dispatcher({
      maxHeaderSize: MAX_HEAD,
      maxResponseSize: MAX_BODY,
      keepAliveTimeout: IDLE_TIME,
      keepAliveMaxTimeout: LONGEST_IDLE_TIME,
      // One clock, of `fetch`.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /**
   * Reads the policy, as `hostboundEgress` does.
   *
   * @throws what `hostboundEgress` throws; {@link HostboundError} `HOSTBOUND_OPTION` if undici is not installed.
   */
  static async load(options: FetcherOptions, onFailure: OnFailure, time: number = TOTAL_TIME): Promise<Fetcher> {
    const { hostboundEgress } = await egressModule()
    return new this(await hostboundEgress({ ...options, timeout: time }), onFailure, time)
  }

  /** The answer to a request; undefined, and `onFailure` is told, if there is none. It never rejects. */
  async fetch(outgoing: Outgoing): Promise<Answer | undefined> {
    const exchange = new Exchange(this.#time)
    try {
      return await exchange.before(this.#answer(outgoing, exchange))
    } catch (error) {
      exchange.abort()
      this.#failed(outgoing.url, failureOf(error, exchange))
      return undefined
    } finally {
      exchange.end()
    }
  }

  /** Ends the connections; questions that were asked are still answered. */
  close(): Promise<void> {
    return (this.#closed ??= this.#dispatcher.close())
  }

  async #answer({ url, method, headers, body }: Outgoing, exchange: Exchange): Promise<Answer> {
    const names = headers.map(([name]) => name)
    // As it is written: the dispatcher is given what a parser made of it.
    const { reason, rule, detail, identity } = this.#egress.judgeUrl(url, { headers: names })
    if (identity === null) throw new Refusal(reason ?? 'request_invalid', detail ?? '', rule)
    if (!identity.url.startsWith('https:')) throw new Refusal('scheme_not_allowed', 'keys and introspection are asked for by https')
    const { origin, target } = destinationOf(identity.url)
    const response = await this.#dispatcher.request({
      origin,
      path: target,
      method,
      headers: fieldsOf(headers),
      body: body ?? null,
      signal: exchange.signal,
    })
    exchange.hasHead = true
    const { 'content-length': length, 'content-type': type } = response.headers
    const { 'content-encoding': encoding = 'identity', 'transfer-encoding': framing = 'chunked' } = response.headers
    if (encoding !== 'identity') throw new Refusal('answer_encoded', 'the answer has a `content-encoding`, and none was asked for')
    if (String(framing).toLowerCase() !== 'chunked') throw new Refusal('answer_encoded', 'the answer has another `transfer-encoding` than `chunked`')
    // Not a byte of what says that it is too long; of what does not, undici counts.
    if (Number(length) > MAX_BODY) throw new Refusal('answer_too_large', TOO_LONG)
    return {
      status: response.statusCode,
      contentType: typeof type === 'string' ? type : undefined,
      body: new Uint8Array(await response.body.arrayBuffer()),
    }
  }

  #failed(url: string, failure: Omit<FetchFailure, 'origin'>): void {
    const origin = URL.canParse(url) ? new URL(url).origin : null
    try {
      this.#onFailure({ ...failure, origin })
    } catch {
      // Who is told must not decide what is answered.
    }
  }
}

/** The module of egress, which needs undici: only some policies do, so it is loaded for these. */
async function egressModule(): Promise<typeof import('../egress.js')> {
  try {
    await import('undici')
  } catch (cause) {
    if (codeOf(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'the policy has keys at a URL or introspection, which need undici: `npm install undici`'
    throw new HostboundError('HOSTBOUND_OPTION', message, { cause })
  }
  return import('../egress.js')
}

/** The time of one request, and how far it came. */
class Exchange {
  readonly #abort = new AbortController()
  readonly #time: number
  readonly #late: Promise<never>
  #timer: NodeJS.Timeout | undefined
  hasHead = false

  constructor(time: number) {
    this.#time = time
    this.#late = new Promise((_, reject) => {
      this.#timer = setTimeout(() => reject(new Refusal('timed_out', `no whole answer within ${this.#time} ms`)), time)
    })
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** What `work` gives, or an error at the end of the time: undici hears of an abort only when it has connected. */
  async before<Result>(work: Promise<Result>): Promise<Result> {
    return Promise.race([work, this.#late])
  }

  /** Closes the connection, or has it closed unused when it is there. */
  abort(): void {
    this.#abort.abort()
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/** What is refused here. */
class Refusal extends Error {
  readonly reason: FetchReason
  readonly rule: string | null

  constructor(reason: FetchReason, detail: string, rule: string | null = null) {
    super(detail)
    this.reason = reason
    this.rule = rule
  }
}

const TOO_LONG = `the body has more than ${MAX_BODY} bytes`

const LENGTH_MISMATCH = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'

/** Codes of undici. Of messages nothing is told: what a stranger sent may be in them. */
const CODES = new Map<string, readonly [FetchReason, detail: string]>([
  ['UND_ERR_CONNECT_TIMEOUT', ['timed_out', 'no connection in time']],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', ['answer_too_large', TOO_LONG]],
  ['UND_ERR_HEADERS_OVERFLOW', ['answer_too_large', `the head has more than ${MAX_HEAD} bytes`]],
  [LENGTH_MISMATCH, ['answer_truncated', 'the body is not as long as was said']],
  ['UND_ERR_INVALID_ARG', ['request_invalid', 'a header or the body cannot be sent']],
  ['UND_ERR_NOT_SUPPORTED', ['request_invalid', 'a header cannot be sent']],
  ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', ['request_invalid', 'the body is not as long as its header says']],
])

function failureOf(error: unknown, { hasHead }: Exchange): Omit<FetchFailure, 'origin'> {
  if (error instanceof Refusal) return { reason: error.reason, rule: error.rule, detail: error.message }
  if (error instanceof EgressError) {
    const { reason, verdict, message, cause } = error
    if (codeOf(cause) === 'UND_ERR_CONNECT_TIMEOUT') return { reason: 'timed_out', rule: null, detail: 'no address in time' }
    // What failed in TLS is in the message; in a look-up, in the cause.
    const detail = verdict.detail === null ? message : cause === undefined ? verdict.detail : `${verdict.detail} (${codeOf(cause)})`
    return { reason, rule: verdict.rule, detail }
  }
  if (error instanceof HostboundError) return { reason: 'request_invalid', rule: null, detail: error.message }
  const code = codeOf(error)
  // Undici's errors of its parser have no code; a head with two lengths is one of another length to it.
  const isMalformed = error instanceof Error && error.name === 'HTTPParserError' && !/\bEOF\b/.test(error.message)
  if (isMalformed || (code === LENGTH_MISMATCH && !hasHead)) {
    return { reason: 'answer_malformed', rule: null, detail: 'the answer is not HTTP/1.1' }
  }
  const [reason, detail] = CODES.get(code) ?? []
  if (reason !== undefined && detail !== undefined) return { reason, rule: null, detail }
  if (hasHead) return { reason: 'answer_truncated', rule: null, detail: `the connection ended within the body (${code})` }
  return { reason: 'connection_failed', rule: null, detail: `no answer (${code})` }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no code'
}

/** As undici takes them: names and values in turn. */
function fieldsOf(headers: Outgoing['headers']): string[] {
  const others = headers.filter(([name]) => name.toLowerCase() !== 'accept-encoding')
  const hasAccept = others.some(([name]) => name.toLowerCase() === 'accept')
  const fields = [...others, ...(hasAccept ? [] : [['accept', 'application/json']]), ['accept-encoding', 'identity']]
  return fields.flat()
}
