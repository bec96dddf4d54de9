// Lines of JSON out of bytes that come in pieces (NDJSON).

/** Longest line that is read: the last one of a run holds its report. */
export const LONGEST_LINE = 64 * 1024 * 1024

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} [longest] in UTF-16 units
 * @returns {AsyncGenerator<unknown, void>}
 */
export async function* lines(stream, longest = LONGEST_LINE) {
  const reader = stream.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  /** Pieces of the line that is not yet whole: joined once, so that a long line costs what it is long. @type {string[]} */
  let pieces = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      let text = done ? decoder.decode() : decoder.decode(value, { stream: true })
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = pieces.join('') + text.slice(0, end)
        text = text.slice(end + 1)
        pieces = []
        length = 0
        if (line.trim() !== '') yield JSON.parse(line)
      }
      pieces.push(text)
      length += text.length
      if (length > longest) throw new RangeError(`a line is longer than ${longest} characters`)
      if (!done) continue
      const rest = pieces.join('')
      if (rest.trim() !== '') yield JSON.parse(rest)
      return
    }
  } finally {
    // Where the reading ended early, the sender is told.
    reader.cancel().catch(() => {})
  }
}
