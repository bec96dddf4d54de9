// What every entry exports beside its `Policy`.

export { HostboundError, PolicyError, type ErrorCode, type PolicyMistake } from './errors.js'
export { Guard, type GuardOptions, type ReplayClaim, type ReplayOutcome, type SignedRequest, type SignOptions } from './guard.js'
export type { PolicyOptions, SecretReference } from './policy.js'
export { isDenied, needsAnswer, needsBody, REASON_CODES, reasonOf, statusOf, type Reason } from './reason.js'
export type { Bytes, HttpRequest, HttpVersion, KeysKept, TokenAnswer, TokenQuestion } from './request.js'
export type { Secrets } from './secrets.js'
export type { Check, Identity, Mode, Report, SignatureIdentity, TokenIdentity, Verdict } from './verdict.js'
