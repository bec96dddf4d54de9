import type { Policy } from '../policy.js'
import type { Reason } from '../reason.js'
import type { HttpRequest } from '../request.js'
import type { Verdict } from '../verdict.js'
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
