// A body in chunks (RFC 9112 §7.1), of programs that send no extensions and no trailers.

/** The body at the start of some bytes, and what follows it; undefined if it is not all there. */
export function unchunked(bytes) {
  const parts = []
  for (let start = 0; ; ) {
    const line = bytes.indexOf('\r\n', start)
    if (line < 0) return undefined
    const length = parseInt(bytes.subarray(start, line).toString('latin1'), 16)
    const next = line + 2 + length + 2
    if (next > bytes.length) return undefined
    if (length === 0) return { body: Buffer.concat(parts), rest: bytes.subarray(next) }
    parts.push(bytes.subarray(line + 2, next - 2))
    start = next
  }
}

/** A body in at most one chunk. */
export function chunked(body) {
  const chunk = body.length === 0 ? [] : [`${body.length.toString(16)}\r\n`, body, '\r\n']
  return Buffer.concat([...chunk, '0\r\n\r\n'].map((part) => Buffer.from(part)))
}
