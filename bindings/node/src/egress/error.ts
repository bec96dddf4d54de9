import { HostboundError } from '../errors.js'
import type { EgressReason, EgressVerdict } from './verdict.js'

/**
 * Why a request was not sent or not followed: a reason of the policy, or
 *
 * - `tls_failed`: the server did not prove its name to the certificate authorities of the destination;
 * - `redirect_limit`: more redirects than are followed.
 */
export type EgressFailure = EgressReason | 'tls_failed' | 'redirect_limit'

/** An outbound request that was refused: no byte of it went out. `cause`, where there is one, is the system's error. */
export class EgressError extends HostboundError {
  override name = 'EgressError'
  /** Why. */
  readonly reason: EgressFailure
  /** The last verdict; an allow if it was not the policy that refused. */
  readonly verdict: EgressVerdict

  constructor(reason: EgressFailure, message: string, verdict: EgressVerdict, options?: ErrorOptions) {
    super('HOSTBOUND_EGRESS', message, options)
    this.reason = reason
    this.verdict = verdict
  }
}
