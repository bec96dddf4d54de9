// What is said to those who do not see the page change. Both regions are in the page before anything is put in.

/** Least time between two messages of progress. */
const PAUSE = 5000

let last = -Infinity

/** Says something at the next opportunity. @param {string} text */
export function say(text) {
  put('status', text)
}

/** Says where a run is, not too often. @param {string} text */
export function sayProgress(text) {
  const now = performance.now()
  if (now - last < PAUSE) return
  last = now
  put('status', text)
}

/** Says at once what went wrong. @param {string} text */
export function warn(text) {
  put('alert', text)
}

/** Forgets what went wrong. */
export function calm() {
  put('alert', '')
}

/** @param {string} id @param {string} text */
function put(id, text) {
  const region = document.getElementById(id)
  if (region === null) return
  // The same text again is a change too.
  region.textContent = region.textContent === text && text !== '' ? `${text}\u00a0` : text
}
