import type { Reason } from './reason.js'

/** A stage of the judgement; they run in this order. */
export type Check = 'request' | 'host' | 'peer' | 'origin' | 'route' | 'signature' | 'token' | 'claims' | 'nonce'

/** What a policy does with a request that fails a check. */
export type Mode = 'enforce' | 'report'

/** Who signed a request. */
export interface SignatureIdentity {
  /** The section of the policy. */
  readonly name: string
  /** The id of the key. */
  readonly key_id: string
  /** The nonce, or the id of a webhook; null where the profile has none. */
  readonly nonce: string | null
}

/** For whom a token was issued, and what for. */
export interface TokenIdentity {
  /** The section of the policy. */
  readonly name: string
  /** `iss`. */
  readonly issuer: string
  /** `sub`; null if the token has none. */
  readonly subject: string | null
  /** The scopes, in order, each once. */
  readonly scopes: readonly string[]
  /** The whole payload. Not for logs. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Who was proved to ask, and for what. */
export interface Identity {
  /** The normalized effective authority: lower case, IPv6 as in RFC 5952, the default port left out. Null for an exempt request. */
  readonly host: string | null
  /** The name of the route that was selected. */
  readonly route: string | null
  /** True for a CORS preflight. */
  readonly preflight: boolean
  /** What a signature proved; null if none was asked for, and in report mode. */
  readonly signature: SignatureIdentity | null
  /** What a token proved; null if none was asked for, and in report mode. */
  readonly token: TokenIdentity | null
}

/** In report mode, what would have denied the request. */
export interface Report {
  /** The check that failed. */
  readonly check: Check
  /** Why. */
  readonly reason: Reason
  /** The status that enforce mode would have answered. */
  readonly status: number
  /** The setting of the policy that decided, as a dotted path. */
  readonly rule: string | null
  /** One line for the operator. */
  readonly detail: string
}

/** The whole answer to one request. Every member is always there; what does not apply is null. */
export interface Verdict {
  /** The request's id. */
  readonly id: string | null
  /** Whether the request may be served. */
  readonly decision: 'allow' | 'deny'
  /** 200, or the HTTP status to answer with. */
  readonly status: number
  /** The check that failed. */
  readonly check: Check | null
  /** Why it failed. */
  readonly reason: Reason | null
  /** What the client may know of it. */
  readonly public_reason: string | null
  /** The setting of the policy that decided, as a dotted path. */
  readonly rule: string | null
  /** One line for the operator: at most 96 bytes of the request are quoted, never a query or a credential. */
  readonly detail: string | null
  /** The policy's mode. */
  readonly mode: Mode
  /** The policy's digest: `sha256:` and 64 hex digits. */
  readonly policy: string
  /** Who was proved to ask; null on deny. */
  readonly identity: Identity | null
  /** In report mode, the check that would have denied the request; else empty. */
  readonly reported: readonly Report[]
}
