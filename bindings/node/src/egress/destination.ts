/** Where a request goes that was judged. */
export interface Destination {
  /** Scheme, host and port, by which undici finds the pool. */
  readonly origin: string
  /** For Host. */
  readonly host: string
  /** Path and query. */
  readonly target: string
}

/** A normalized URL without user information or fragment. */
const PLAIN = /^(https?:\/\/([a-z0-9._:[\]-]+))(\/[^#]*)$/

/** What a normalized URL is made of. One that is plain is not parsed again. */
export function destinationOf(normalized: string): Destination {
  const [, origin, host, target] = PLAIN.exec(normalized) ?? []
  if (origin !== undefined && host !== undefined && target !== undefined) return { origin, host, target }
  const url = new URL(normalized)
  return { origin: url.origin, host: url.host, target: url.pathname + url.search }
}
