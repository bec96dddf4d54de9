// What other servers are asked about tokens: keys and introspection, once for all requests that wait for the same.

import { createHash } from 'node:crypto'

import type { Guard } from '../guard.js'
import type { HttpRequest, TokenAnswer, TokenQuestion } from '../request.js'
import { Fetcher, type FetcherOptions } from './fetcher.js'
import { Flights } from './flights.js'
import type { Reporter } from './log.js'

/** What a question brings for the request that it is asked for: of keys nothing, they are the guard's. */
type Found = Pick<HttpRequest, 'introspection'>

const NOTHING: Found = {}
const NO_ANSWER: Found = { introspection: null }

const FORM = ['content-type', 'application/x-www-form-urlencoded'] as const

/** Asks the questions of one guard, by one policy. */
export class Asker {
  readonly #guard: Guard
  readonly #fetcher: Fetcher
  readonly #reporter: Reporter
  /** Apart: tokens that nobody knows must not keep keys from being fetched. */
  readonly #keyFlights = new Flights<string, Found>(NOTHING)
  readonly #tokenFlights = new Flights<string, Found>(NO_ANSWER)
  /** The questions for keys that are held, by section. */
  readonly #held = new Map<string, TokenQuestion>()
  /** When it was last asked which of them are due, in Unix seconds. */
  #looked = 0
  #isClosed = false

  private constructor(guard: Guard, fetcher: Fetcher, reporter: Reporter) {
    this.#guard = guard
    this.#fetcher = fetcher
    this.#reporter = reporter
  }

  /**
   * @param time - How long an answer may take, in milliseconds.
   * @throws what {@link Fetcher.load} throws.
   */
  static async load(guard: Guard, options: FetcherOptions, reporter: Reporter, time?: number): Promise<Asker> {
    return new this(guard, await Fetcher.load(options, (failure) => reporter.unanswered(failure), time), reporter)
  }

  /** Asks, or waits with those who have asked already. What comes of it goes to the guard or, of introspection, into the request. It never rejects. */
  ask(question: TokenQuestion): Promise<Found> {
    const { section, body } = question
    if (body === null) return this.#keyFlights.run(section, () => this.#fetchKeys(question).catch((error: unknown) => this.#failed(error)))
    // A token is a credential: it is no key of a map.
    const key = `${section} ${createHash('sha256').update(body).digest('base64')}`
    return this.#tokenFlights.run(key, async () => ({ introspection: (await this.#fetch(question)) ?? null }))
  }

  /** Fetches keys again that are due: requests do with the held ones meanwhile. */
  refresh(now: number): void {
    if (now === this.#looked) return
    this.#looked = now
    for (const [section, question] of this.#held) {
      if (!this.#guard.isRefreshDue(section, now)) continue
      this.#guard.refreshing(section, now)
      void this.ask(question)
    }
  }

  /** Nothing that comes from now on reaches the guard. */
  close(): void {
    this.#isClosed = true
    this.#fetcher.close().catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): Found {
    this.#reporter.failed('keys could not be kept', error)
    return NOTHING
  }

  async #fetchKeys(question: TokenQuestion): Promise<Found> {
    const { section } = question
    const answer = await this.#fetch(question)
    // The guard judges by another policy now.
    if (this.#isClosed) return NOTHING
    const now = Math.floor(Date.now() / 1000)
    const kept = this.#guard.keepKeys(section, answer, now)
    this.#reporter.keys(section, kept)
    if (kept.refreshAt !== null) this.#held.set(section, question)
    return NOTHING
  }

  #fetch({ url, authorization, body }: TokenQuestion): Promise<TokenAnswer | undefined> {
    if (body === null) return this.#fetcher.fetch({ url, method: 'GET', headers: [] })
    const headers = authorization === null ? [FORM] : [FORM, ['authorization', authorization] as const]
    return this.#fetcher.fetch({ url, method: 'POST', headers, body })
  }
}
