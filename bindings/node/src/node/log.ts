import type { Policy } from '../policy.js'
import type { Reason } from '../reason.js'
import type { HttpRequest } from '../request.js'
import type { Verdict } from '../verdict.js'

/** Takes one line of JSON, without the line feed. */
export type Log = (line: string) => void

/** The most denials and reports that are logged in a second. */
const LINES_A_SECOND = 10

/** Writes the log. A flood of denials must not become a flood of lines: what is over the rate is counted. */
export class Reporter {
  readonly #log: Log | undefined
  #second = 0
  #lines = 0
  #suppressed = 0

  constructor(log: Log | undefined) {
    this.#log = log
  }

  /** True if lines go somewhere. */
  get isOn(): boolean {
    return this.#log !== undefined
  }

  started({ name, mode, digest, addedHosts }: Policy): void {
    this.#write({ hostbound: 'start', name, mode, policy: digest, added_hosts: addedHosts })
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
    this.#write({ hostbound: 'error', what, detail })
  }

  #writeSome(event: string, failure: LoggedFailure, { method, peer = null }: HttpRequest): void {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#lines = 0
    }
    if (this.#lines >= LINES_A_SECOND) {
      this.#suppressed += 1
      return
    }
    this.#lines += 1
    const { status, reason, rule, detail, policy } = failure
    const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed
    this.#suppressed = 0
    this.#write({ hostbound: event, status, reason, rule, detail, method, peer, policy, suppressed })
  }

  #write(line: object): void {
    try {
      this.#log?.(JSON.stringify(line))
    } catch {
      // A log that fails must not decide who is served.
    }
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
