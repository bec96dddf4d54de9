// One attempt by fetch; the page and its worker share it.

/** What the answer is: the attacker's, or another's with its status, length and, if it is the canary's, its secret. */
async function fetchAttempt(url, marker, secretPrefix, options = {}) {
  const response = await fetch(url, { cache: 'no-store', credentials: 'omit', ...options })
  const text = await response.text()
  if (response.headers.has('x-hostbound-lab') || text.includes(marker)) return { attacker: true }
  return { status: response.status, ...textRead(text, secretPrefix) }
}

/** Of another's text only its length is told, and the canary's secret. */
function textRead(text, secretPrefix) {
  const at = text.indexOf(secretPrefix)
  const secret = at < 0 ? null : text.slice(at, at + secretPrefix.length + 32)
  return { length: text.length, secret }
}
