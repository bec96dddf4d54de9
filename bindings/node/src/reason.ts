/** Every reason and its number in the integer form of a verdict. Reasons are added when needed, never renamed or reused. */
export const REASON_CODES = Object.freeze({
  request_malformed: 1,
  header_duplicate: 2,
  body_too_large: 3,
  host_missing: 10,
  host_malformed: 11,
  host_duplicate: 12,
  authority_mismatch: 13,
  host_not_allowed: 14,
  peer_not_allowed: 20,
  origin_malformed: 30,
  origin_not_allowed: 31,
  fetch_site_not_allowed: 32,
  route_not_allowed: 40,
  signature_missing: 50,
  signature_malformed: 51,
  signature_component_missing: 52,
  signature_algorithm_not_allowed: 53,
  signature_key_unknown: 54,
  signature_service_mismatch: 55,
  signature_mismatch: 56,
  signature_expired: 57,
  signature_not_yet_valid: 58,
  signature_window_too_long: 59,
  content_digest_missing: 60,
  content_digest_mismatch: 61,
  nonce_missing: 70,
  nonce_malformed: 71,
  nonce_replayed: 72,
  replay_store_unavailable: 73,
  token_missing: 80,
  token_malformed: 81,
  token_type_not_allowed: 82,
  token_algorithm_not_allowed: 83,
  token_header_not_understood: 84,
  token_key_unknown: 85,
  token_signature_mismatch: 86,
  token_binding_missing: 87,
  token_keys_unavailable: 88,
  claim_missing: 100,
  claim_malformed: 101,
  claim_mismatch: 102,
  issuer_mismatch: 103,
  audience_mismatch: 104,
  token_expired: 105,
  token_not_yet_valid: 106,
  token_lifetime_too_long: 107,
  token_too_old: 108,
  token_inactive: 110,
  scope_insufficient: 109,
})

/** Why a request was denied, or would have been. */
export type Reason = keyof typeof REASON_CODES

const REASONS = new Map<number, Reason>(
  Object.entries(REASON_CODES).map(([reason, code]) => [code, reason as Reason]),
)

/**
 * The reason in the integer form of a verdict, denied or reported; null for a plain allow.
 *
 * @param code - What {@link Guard.inspect} returned.
 */
export function reasonOf(code: number): Reason | null {
  return REASONS.get(code & 0xff) ?? null
}

/**
 * True if the integer form of a verdict denies the request. Also for one that is not finished: see {@link needsBody}.
 *
 * @param code - What {@link Guard.inspect} returned.
 */
export function isDenied(code: number): boolean {
  return (code & (1 << 18)) !== 0
}

/**
 * True if the head of the request passed and its body is needed for the verdict: {@link Guard.judge} takes both.
 *
 * @param code - What {@link Guard.inspect} returned.
 */
export function needsBody(code: number): boolean {
  return (code & (1 << 19)) !== 0
}

/**
 * True if another server has to be asked before the request can be judged: {@link Guard.question} says what.
 *
 * @param code - What {@link Guard.inspect} or {@link Guard.judge} returned.
 */
export function needsAnswer(code: number): boolean {
  return (code & (3 << 21)) !== 0
}

/**
 * The HTTP status in the integer form of a verdict: 200 means "serve it".
 *
 * @param code - What {@link Guard.inspect} returned.
 */
export function statusOf(code: number): number {
  return isDenied(code) ? (code >> 8) & 0x3ff : 200
}
