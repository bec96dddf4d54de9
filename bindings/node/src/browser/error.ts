import type { EgressVerdict } from '../egress/verdict.js'
import { HostboundError } from '../errors.js'
import type { Verdict } from '../verdict.js'

/** The verdict on a page (check `host`), or on a request of it (check `egress`). */
export type PageVerdict = Verdict | EgressVerdict

/** A page was refused, or a request of it. */
export class PageError extends HostboundError {
  override name = 'PageError'
  /** Why. */
  readonly verdict: PageVerdict

  constructor(verdict: PageVerdict) {
    const { reason, detail } = verdict.reported[0] ?? verdict
    super('HOSTBOUND_PAGE', `${reason}: ${detail}`)
    this.verdict = verdict
  }
}
