/**
 * The stable codes of {@link HostboundError}.
 *
 * - `HOSTBOUND_POLICY`: the policy is refused; see {@link PolicyError}.
 * - `HOSTBOUND_REQUEST`: a value that was handed over is no HTTP request. It says nothing about a client.
 * - `HOSTBOUND_ENGINE`: the WebAssembly module is not loaded.
 * - `HOSTBOUND_OPTION`: an option has a value that it cannot have.
 * - `HOSTBOUND_SIGN`: a request cannot be signed as the policy asks.
 * - `HOSTBOUND_KEYS`: a key set is refused.
 * - `HOSTBOUND_EGRESS`: an outbound request was refused; see `EgressError` of `hostbound/egress`.
 * - `HOSTBOUND_PAGE`: a page, or a request of it, was refused; see `PageError` of `hostbound/browser`.
 */
export type ErrorCode =
  | 'HOSTBOUND_POLICY'
  | 'HOSTBOUND_REQUEST'
  | 'HOSTBOUND_ENGINE'
  | 'HOSTBOUND_OPTION'
  | 'HOSTBOUND_SIGN'
  | 'HOSTBOUND_KEYS'
  | 'HOSTBOUND_EGRESS'
  | 'HOSTBOUND_PAGE'

/** What this package throws. A denied inbound request is no error: it is a verdict. */
export class HostboundError extends Error {
  override name = 'HostboundError'
  /** Which kind of error; never changes its meaning. */
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** One mistake in a policy. */
export interface PolicyMistake {
  /** What kind of mistake, such as `key-unknown`. */
  readonly code: string
  /** The entry, such as `hosts.allow[2]`; empty for the document. */
  readonly path: string
  /** What is wrong. */
  readonly message: string
  /** What to write instead. */
  readonly fix: string | null
  /** The line in the text, from 1; null for a policy that came as an object. */
  readonly line: number | null
  /** The character in the line, from 1; null for a policy that came as an object. */
  readonly column: number | null
}

/** A policy that is refused. The message holds every mistake, one a line, as `file:line:column: path: message; fix`. */
export class PolicyError extends HostboundError {
  override name = 'PolicyError'
  /** The mistakes: at least one, in the order of the text. */
  readonly errors: readonly PolicyMistake[]

  constructor(message: string, errors: readonly PolicyMistake[]) {
    super('HOSTBOUND_POLICY', message)
    this.errors = errors
  }
}

/** Makes an error of this package of what the engine throws; anything else stays what it is. */
export function fromEngine(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (error.code === 'HOSTBOUND_POLICY' && 'errors' in error) {
    return new PolicyError(error.message, error.errors as PolicyMistake[])
  }
  const { code } = error
  if (code === 'HOSTBOUND_REQUEST' || code === 'HOSTBOUND_SIGN' || code === 'HOSTBOUND_ENGINE' || code === 'HOSTBOUND_KEYS') {
    return new HostboundError(code, error.message)
  }
  return error
}
