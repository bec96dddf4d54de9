import type { Policy } from '../policy.js'
import type { Reason } from '../reason.js'
import type { HttpRequest, KeysKept } from '../request.js'
import type { Verdict } from '../verdict.js'
import type { FetchFailure } from './fetcher.js'
import { Lines, type Log } from './lines.js'

/** Writes the log of a guard. */
export class Reporter {
  readonly #lines: Lines

  constructor(log: Log | undefined) {
    this.#lines = new Lines(log)
  }

  /** True if lines go somewhere. */
  get isOn(): boolean {
    return this.#lines.isOn
  }

  started({ name, mode, digest, addedHosts }: Policy): void {
    this.#lines.write({ hostbound: 'start', name, mode, policy: digest, added_hosts: addedHosts })
  }

  denied(verdict: Verdict, request: HttpRequest): void {
    this.#writeSome('deny', verdict, request)
  }

  /** In report mode: what would have been denied. */
  reported(verdict: Verdict, request: HttpRequest): void {
    const [report] = verdict.reported
    if (report !== undefined) this.#writeSome('report', { ...report, policy: verdict.policy }, request)
  }

  /** What was asked of another server about tokens, and not answered. */
  unanswered({ reason, rule, detail, origin }: FetchFailure): void {
    this.#lines.writeSome({ hostbound: 'no-answer', reason, rule, detail, origin })
  }

  /** Keys that were fetched and cannot be used, or are others than before. */
  keys(section: string, { error, thumbprints, isNew }: KeysKept): void {
    if (error !== null) this.#lines.writeSome({ hostbound: 'keys-refused', section, detail: error })
    else if (isNew) this.#lines.writeSome({ hostbound: 'keys', section, unpinned: thumbprints })
  }

  /** A defect of ours or of a hook's. */
  failed(what: string, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error)
    this.#lines.write({ hostbound: 'error', what, detail })
  }

  #writeSome(event: string, failure: LoggedFailure, { method, peer = null }: HttpRequest): void {
    const { status, reason, rule, detail, policy } = failure
    this.#lines.writeSome({ hostbound: event, status, reason, rule, detail, method, peer, policy })
  }
}

/** What is logged of a verdict or a report. */
interface LoggedFailure {
  readonly status: number
  readonly reason: Reason | null
  readonly rule: string | null
  readonly detail: string | null
  readonly policy: string
}
