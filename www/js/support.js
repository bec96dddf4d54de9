// What the page needs of a browser. In the plainest JavaScript, for it runs first.

/** @type {[string, () => boolean][]} */
const NEEDS = [
  ['answers that can be read as they come (streams)', () => typeof ReadableStream === 'function' && 'body' in Response.prototype],
  ['requests that can be cancelled (AbortController)', () => typeof AbortController === 'function' && 'throwIfAborted' in AbortSignal.prototype],
  ['text in pieces (TextDecoder)', () => typeof TextDecoder === 'function'],
  ['parts of the page that are out of reach (inert)', () => 'inert' in HTMLElement.prototype],
  ['JavaScript of 2022 (Object.hasOwn, Array.prototype.at)', () => typeof Object.hasOwn === 'function' && 'at' in Array.prototype],
]

/** What of it this browser lacks, in words. */
export function lacking() {
  return NEEDS.filter(([, has]) => !has()).map(([name]) => name)
}
