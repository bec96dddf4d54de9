// A result as a link: the summary lies in the part behind `#`, which browsers send to nobody.
// It holds numbers and words of fixed lists alone: no names, no addresses, no bodies, no headers; ports only where somebody wants it.
// Who opens such a link reads what its sender claims, so it is parsed as strictly as it is written.

import { groupsOf, isAbsent, isUnsettled, tally } from './findings.js'

/** What the fragment begins with; the number is that of the form. */
const PREFIX = '#result=1.'
/** Longest fragment that is read. */
export const LONGEST_FRAGMENT = 4096
/** Most services of a summary. */
export const MOST_SERVICES = 80
/** Most attempts of one outcome. */
const MOST_ATTEMPTS = 9999

// The order is part of the form: what is written is the number of the word. Words may be added at the end.
const CONCLUSIONS = /** @type {const} */ (['safe', 'vulnerable', 'inconclusive'])
const BROWSERS = ['chromium', 'firefox']
const KINDS = /** @type {const} */ (['canary', 'guarded', 'service'])
// `not_settled` is the page's own: requests arrived and were not refused, and no page read the answer.
const VERDICTS = /** @type {const} */ (['control', 'vulnerable', 'refuses', 'not_tested', 'not_settled'])
const OUTCOMES = /** @type {const} */ ([
  'reached_readable',
  'reached_refused',
  'blocked_by_browser',
  'prompted',
  'filtered_by_resolver',
  'not_requeried',
  'not_running',
  'inconclusive',
])

/**
 * @typedef {object} SharedService
 * @property {typeof KINDS[number]} kind
 * @property {typeof VERDICTS[number]} verdict
 * @property {Map<typeof OUTCOMES[number], number>} outcomes
 * @property {number | null} port null: kept back
 *
 * @typedef {object} Shared
 * @property {typeof CONCLUSIONS[number]} conclusion
 * @property {string} browser
 * @property {number} major
 * @property {string} day as 2026-10-20
 * @property {SharedService[]} services
 */

/** A fragment that is no summary. */
export class FragmentError extends Error {
  name = 'FragmentError'
}

/** Whether a fragment wants to be a summary. @param {string} fragment */
export function isShared(fragment) {
  return fragment.startsWith('#result=')
}

/**
 * The summary of a whole run.
 *
 * @param {import('./record.js').RunRecord} record
 * @param {{withPorts: boolean}} options
 * @returns {Shared}
 */
export function summarize(record, { withPorts }) {
  const { run } = record
  if (run === null) throw new TypeError('only a run that is over has a summary')
  return {
    conclusion: run.conclusion,
    browser: run.browser.kind,
    major: Number.parseInt(run.browser.version, 10) || 0,
    day: run.started.slice(0, 10),
    services: groupsOf(record).filter((group) => !isAbsent(group)).slice(0, MOST_SERVICES).map((group) => ({
      kind: group.target.kind,
      verdict: isUnsettled(group) && !group.isControl ? 'not_settled' : (group.verdict ?? 'not_tested'),
      outcomes: tally(group.attempts),
      port: withPorts ? portOf(group.target) : null,
    })),
  }
}

/** @param {Shared} shared @returns {string} with its `#` */
export function toFragment({ conclusion, browser, major, day, services }) {
  const rows = services.map(({ kind, verdict, outcomes, port }) => [
    KINDS.indexOf(kind),
    VERDICTS.indexOf(verdict),
    OUTCOMES.map((outcome) => outcomes.get(outcome) ?? 0),
    port ?? 0,
  ])
  const json = JSON.stringify([CONCLUSIONS.indexOf(conclusion), BROWSERS.indexOf(browser), major, day, rows])
  return PREFIX + btoa(json).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * @param {string} fragment with its `#`
 * @returns {Shared}
 * @throws {FragmentError}
 */
export function fromFragment(fragment) {
  if (fragment.length > LONGEST_FRAGMENT) throw new FragmentError('it is too long')
  if (!fragment.startsWith(PREFIX)) throw new FragmentError('it is of another version')
  const [conclusion, browser, major, day, rows, ...rest] = array(decoded(fragment.slice(PREFIX.length)))
  if (rest.length > 0) throw new FragmentError('there is too much of it')
  const services = array(rows)
  if (services.length > MOST_SERVICES) throw new FragmentError('it has too many services')
  return consistent({
    conclusion: word(CONCLUSIONS, conclusion),
    browser: word(BROWSERS, browser),
    major: whole(major, 9999),
    day: dayOf(day),
    services: services.map(service),
  })
}

/** No run is safe in which something was read that should not be, or no service refused. @param {Shared} shared @returns {Shared} */
function consistent(shared) {
  if (shared.conclusion !== 'safe') return shared
  const isOpen = (/** @type {SharedService} */ { kind, verdict, outcomes }) => verdict === 'vulnerable' || (kind !== 'canary' && outcomes.has('reached_readable'))
  const refuses = (/** @type {SharedService} */ { kind, verdict }) => kind === 'service' && verdict === 'refuses'
  if (shared.services.some(isOpen) || !shared.services.some(refuses)) throw new FragmentError('it contradicts itself')
  return shared
}

/** @param {unknown} row @returns {SharedService} */
function service(row) {
  const [kind, verdict, counts, port, ...rest] = array(row)
  const numbers = array(counts)
  if (rest.length > 0 || numbers.length !== OUTCOMES.length) throw new FragmentError('a service of it has another form')
  const outcomes = new Map(OUTCOMES.map((outcome, index) => [outcome, whole(numbers[index], MOST_ATTEMPTS)]))
  for (const [outcome, number] of outcomes) if (number === 0) outcomes.delete(outcome)
  const number = whole(port, 65535)
  return { kind: word(KINDS, kind), verdict: word(VERDICTS, verdict), outcomes, port: number === 0 ? null : number }
}

/** @param {string} text @returns {unknown} */
function decoded(text) {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new FragmentError('it has characters that do not belong there')
  try {
    return JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    throw new FragmentError('it is cut off or was changed')
  }
}

/** @param {unknown} value @returns {unknown[]} */
function array(value) {
  if (!Array.isArray(value)) throw new FragmentError('it has another form')
  return value
}

/** @param {unknown} value @param {number} most */
function whole(value, most) {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) throw new FragmentError('a number in it cannot be')
  return value
}

/**
 * @template Word
 * @param {readonly Word[]} words
 * @param {unknown} index
 * @returns {Word}
 */
function word(words, index) {
  return /** @type {Word} */ (words[whole(index, words.length - 1)])
}

/** @param {unknown} value */
function dayOf(value) {
  const isDay = typeof value === 'string' && /^20[0-9]{2}-[0-1][0-9]-[0-3][0-9]$/.test(value)
  const time = isDay ? Date.parse(value) : Number.NaN
  // The 31st of February is parsed too, as a day of March.
  if (!isDay || Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== value) throw new FragmentError('its day cannot be')
  return value
}

/** @param {import('./types.js').Target} target */
function portOf({ kind, address }) {
  const port = kind === 'service' ? Number(/:([0-9]{1,5})$/.exec(address ?? '')?.[1]) : 0
  return port >= 1 && port <= 65535 ? port : null
}
