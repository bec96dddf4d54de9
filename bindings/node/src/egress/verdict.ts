import type { Mode } from '../verdict.js'

/** Why the policy refuses an outbound request. Reasons are added when needed, never renamed or reused. */
export type EgressReason =
  | 'url_malformed'
  | 'scheme_not_allowed'
  | 'userinfo_not_allowed'
  | 'port_not_allowed'
  | 'destination_not_allowed'
  | 'address_missing'
  | 'address_not_allowed'
  | 'redirect_not_allowed'
  | 'credentials_not_allowed'
  | 'pin_mismatch'

/** One outbound request, as it is judged. */
export interface EgressRequest {
  /** Copied into the verdict. */
  readonly id?: string | null
  /** Where to. */
  readonly url: string
  /** What the host resolved to; null: not looked up yet. */
  readonly addresses?: readonly string[] | null
  /** The URL whose answer redirected here. */
  readonly from?: string | null
  /** The names of the headers that will be sent. */
  readonly headers?: readonly string[]
  /** `sha256/` and base64 of the SPKI of every certificate that the server presented; null: no handshake yet. */
  readonly pins?: readonly string[] | null
}

/** Where an allowed request goes. */
export interface EgressIdentity {
  /** The normalized URL, without fragment. */
  readonly url: string
  /** The host for Host and SNI: lower case, without brackets and trailing dot. */
  readonly host: string
  /** The port. */
  readonly port: number
  /** The addresses that were judged; null before the look-up. */
  readonly addresses: readonly string[] | null
}

/** In report mode, what would have refused the request. */
export interface EgressReport {
  /** The check that failed. */
  readonly check: 'egress'
  /** Why. */
  readonly reason: EgressReason
  /** Null: an outbound request has no answer to give. */
  readonly status: null
  /** The setting of the policy that decided, as a dotted path. */
  readonly rule: string | null
  /** One line for the operator. */
  readonly detail: string
}

/** The whole answer on one outbound request. Every member is always there; what does not apply is null. */
export interface EgressVerdict {
  /** The request's id. */
  readonly id: string | null
  /** Whether the request may be sent. */
  readonly decision: 'allow' | 'deny'
  /** 200, or null on deny. */
  readonly status: 200 | null
  /** The check that failed. */
  readonly check: 'egress' | null
  /** Why it failed. */
  readonly reason: EgressReason | null
  /** The same. */
  readonly public_reason: EgressReason | null
  /** The setting of the policy that decided, as a dotted path. */
  readonly rule: string | null
  /** One line for the operator, without query and credentials. */
  readonly detail: string | null
  /** The policy's mode. */
  readonly mode: Mode
  /** The policy's digest: `sha256:` and 64 hex digits. */
  readonly policy: string
  /** Where to connect; null on deny. */
  readonly identity: EgressIdentity | null
  /** In report mode, what would have refused the request; else empty. */
  readonly reported: readonly EgressReport[]
}
