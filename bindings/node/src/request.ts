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
  /** What a server answered about the request's opaque token, after {@link Guard.question}; null: nothing. */
  readonly introspection?: TokenAnswer | null | undefined
}

/** What another server answered about tokens: the whole of it, with whatever status. */
export interface TokenAnswer {
  /** The status of HTTP. */
  readonly status: number
  /** The value of the only `content-type`. */
  readonly contentType: string | undefined
  /** The body, without any encoding; of one that is longer than 65,536 bytes, that many and one more. */
  readonly body: Uint8Array
}

/** What has to be asked of another server before a request can be judged; as section `egress` of the policy lets it be asked. */
export interface TokenQuestion {
  /** The `tokens` section that asks. */
  readonly section: string
  /** Whom it asks: `https`, without following redirects. */
  readonly url: string
  /** The `authorization` header, a secret; null for keys. */
  readonly authorization: string | null
  /** The body of a POST, `application/x-www-form-urlencoded`, with a token in it; null for keys, which are got with GET. */
  readonly body: string | null
}

/** What became of keys that were fetched. */
export interface KeysKept {
  /** Why they cannot be used; null if they can. */
  readonly error: string | null
  /** For a log, the RFC 7638 thumbprints of keys that are not pinned; if none is pinned, of all. */
  readonly thumbprints: readonly string[]
  /** True if they are others than before. */
  readonly isNew: boolean
  /** When they are due to be fetched again beside the requests, in Unix seconds; null if none are held. */
  readonly refreshAt: number | null
}
