// What every entry exports beside its `Policy`.

export { HostboundError, PolicyError, type ErrorCode, type PolicyMistake } from './errors.js'
export { Guard } from './guard.js'
export type { PolicyOptions } from './policy.js'
export { isDenied, REASON_CODES, reasonOf, statusOf, type Reason } from './reason.js'
export type { Bytes, HttpRequest, HttpVersion } from './request.js'
export type { Check, Identity, Mode, Report, Verdict } from './verdict.js'
