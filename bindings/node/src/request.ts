/**
 * Bytes: a string is read as latin-1, each character the byte of its code, as Node hands over what it received
 * (RFC 9110 §5.5). Text with characters above U+00FF is refused: encode it first.
 */
export type Bytes = string | Uint8Array

/** The HTTP version, as on the wire. */
export type HttpVersion = '1.0' | '1.1' | '2' | '3'

/** One HTTP request (RFC 9110), as it was received: nothing merged, decoded or normalized. */
export interface HttpRequest {
  /** Copied into the verdict. */
  readonly id?: string | null | undefined
  /** The time at which signatures and tokens are judged, in whole Unix seconds. Without it a request that needs one is malformed. */
  readonly now?: number | null | undefined
  /** The method (RFC 9110 §9). */
  readonly method: Bytes
  /** The scheme of the connection: `http` unless TLS ends here. Default: `http`. */
  readonly scheme?: 'http' | 'https' | undefined
  /** Default: `1.1`. */
  readonly version?: HttpVersion | undefined
  /** The raw request target (RFC 9112 §3.2); on HTTP/2 and 3 `:path`. */
  readonly target: Bytes
  /**
   * The header fields, in order, duplicates kept: pairs, or one flat list of names and values such as Node's
   * `rawHeaders`. On HTTP/2 and 3 with `:authority` and `:protocol`, without the other pseudo-headers. `Headers` and plain
   * objects will not do: they merge duplicates.
   */
  readonly headers: readonly (readonly [name: Bytes, value: Bytes])[] | readonly Bytes[]
  /**
   * The other end of the transport connection: an IP address without port or zone, `unix` for a Unix socket, null if it is
   * not known. Never an address that a header claims. Default: null.
   */
  readonly peer?: string | null | undefined
  /** The body, which {@link Guard.judge} reads; a string is encoded as UTF-8. */
  readonly body?: string | Uint8Array | undefined
}
