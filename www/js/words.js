// What outcomes and verdicts are called. The words are the lab's own: `words.json` is made from its Rust.

/**
 * @typedef {{word: string, symbol: string, tone: import('./types.js').Tone}} Badge
 * @typedef {Badge & {stopped_by: string, proves: string, leaves_open: string}} OutcomeWords
 * @typedef {{outcomes: Record<string, OutcomeWords>, verdicts: Record<string, Badge>, conclusions: Record<string, Badge>}} Words
 */

/** @type {OutcomeWords} */
const UNKNOWN = { word: 'unknown', symbol: '–', tone: 'unknown', stopped_by: 'unknown', proves: 'Nothing that this page knows of.', leaves_open: 'Everything.' }

/** @type {Words} */
let words = { outcomes: {}, verdicts: {}, conclusions: {} }

/** Loads them; called once, before anything is shown that needs them. */
export async function loadWords() {
  const response = await fetch('words.json')
  if (!response.ok) throw new Error(`words.json was answered with ${response.status}`)
  words = await response.json()
}

/**
 * What an outcome is called at a target: that the negative control is read is as it should be, that it refuses is not.
 *
 * @param {string} outcome
 * @param {boolean} isControl
 * @returns {OutcomeWords}
 */
export function outcomeWords(outcome, isControl) {
  const found = words.outcomes[outcome] ?? UNKNOWN
  if (!isControl) return found
  if (outcome === 'reached_readable') {
    return { ...found, symbol: '●', tone: 'control', proves: 'This lab can rebind in this browser. The canary checks nothing, so it should be read.' }
  }
  return outcome === 'reached_refused' ? { ...found, symbol: '!', tone: 'unknown' } : found
}

/**
 * Of a service that was not tested it matters whether the browser blocked attempts: then it was hidden, which has the browser's colour.
 *
 * @param {string} verdict
 * @param {boolean} wasHidden
 * @returns {Badge}
 */
export function verdictWords(verdict, wasHidden) {
  const found = words.verdicts[verdict] ?? UNKNOWN
  return verdict === 'not_tested' && wasHidden ? { ...found, symbol: '■', tone: 'browser' } : found
}

/**
 * To a page “safe” says too much: other paths, browsers and days were not asked.
 *
 * @param {string} conclusion
 * @returns {Badge}
 */
export function conclusionWords(conclusion) {
  const found = words.conclusions[conclusion] ?? UNKNOWN
  return conclusion === 'safe' ? { ...found, word: 'refused what reached it' } : found
}

/** What is said of a target that gave no HTTP answer: whether it runs is not known. */
export const NO_ANSWER = /** @type {Badge} */ ({ word: 'no answer', symbol: '○', tone: 'unknown' })

/** What is said of a service that requests reached, whose answer no page read. */
export const UNSETTLED = /** @type {Badge} */ ({ word: 'not settled', symbol: '–', tone: 'unknown' })

/** What a negative control that was read is called: never a finding. */
export const CONTROL = /** @type {Badge} */ ({ word: 'read, as it must be', symbol: '●', tone: 'control' })
