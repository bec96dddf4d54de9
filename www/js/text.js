// Foreign text made fit to be shown, and numbers in words: as `lab/src/report/text.rs` does it.

/** Control characters, and what is not seen or turns the direction of writing. */
const UNPLAIN = /[\p{Cc}\u{ad}\u{61c}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{fffe}\u{ffff}\u{e0000}-\u{e007f}]/gu

/**
 * A foreign text in one line: what is not plain is escaped, and past `limit` characters it is cut, with the number of those left out.
 *
 * @param {unknown} text
 * @param {number} [limit]
 */
export function plain(text, limit = 300) {
  const characters = [...String(text)]
  const left = characters.length - limit
  const kept = characters.slice(0, limit).join('')
  const escaped = kept.replace(UNPLAIN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return left > 0 ? `${escaped}… (${left} more)` : escaped
}

/** `1 case`, `2 cases`. @param {number} number @param {string} noun */
export function count(number, noun) {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`
}

/** `a`, `a and b`, `a, b and c`. @param {string[]} words */
export function list(words) {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

/** `42 ms`, `0.5 s`. @param {number} milliseconds */
export function moment(milliseconds) {
  return milliseconds < 100 ? `${milliseconds} ms` : `${(Math.round(milliseconds / 100) / 10).toFixed(1)} s`
}

/** `12.3 s`, `3 min 12 s`. @param {number} milliseconds */
export function duration(milliseconds) {
  const whole = Math.floor(milliseconds / 1000)
  return whole < 60 ? moment(Math.max(milliseconds, 100)) : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** `chromium` → `Chromium`. @param {string} word */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
