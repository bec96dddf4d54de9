// What a run, whole or not, says: about each service, about the three layers, and in one sentence.
// The conclusion and the verdicts are the lab's; nothing here makes them better.

import { capital, count, list, plain } from './text.js'

/**
 * A target with its attempts.
 *
 * @typedef {object} Group
 * @property {import('./types.js').Target} target
 * @property {boolean} isControl the bare canary
 * @property {import('./types.js').ServiceVerdict | null} verdict null: not known before the run is over
 * @property {string} summary
 * @property {import('./record.js').Attempt[]} attempts
 */

/** @typedef {{word: string, symbol: string, tone: import('./types.js').Tone, text: string}} Layer */

/**
 * @param {import('./record.js').RunRecord} record
 * @returns {Group[]}
 */
export function groupsOf(record) {
  return record.targets.map((target) => {
    // A service that does not run is told, and left out of the run.
    const found = record.run?.services.find((service) => service.target.name === target.name)
    const { verdict, summary } = found ?? { verdict: record.run === null ? null : /** @type {const} */ ('not_tested'), summary: '' }
    const attempts = record.attempts.filter(({ plan }) => plan.target === target.name)
    const isControl = target.kind === 'canary'
    // Once read, read for good, however the run goes on.
    const wasRead = !isControl && countOf(attempts, 'reached_readable') > 0
    return { target, isControl, verdict: verdict ?? (wasRead ? 'vulnerable' : null), summary, attempts }
  })
}

/** @param {import('./record.js').Attempt[]} attempts @param {import('./types.js').Outcome} outcome */
export function countOf(attempts, outcome) {
  return attempts.filter(({ result }) => result?.outcome === outcome).length
}

/** Outcomes of attempts with how often each came. @param {import('./record.js').Attempt[]} attempts */
export function tally(attempts) {
  /** @type {Map<import('./types.js').Outcome, number>} */
  const found = new Map()
  for (const { result } of attempts) if (result !== null) found.set(result.outcome, (found.get(result.outcome) ?? 0) + 1)
  return found
}

/** No HTTP answer came from there, nor one to a WebSocket, so nothing was attacked. @param {Pick<Group, 'target'>} group */
export function isAbsent({ target }) {
  return target.own_name_status === null && target.own_name_upgrade !== 101
}

/** A request of the attempt came to the target. @param {import('./record.js').Attempt} attempt */
export function hasArrived({ result }) {
  return result !== null && result.logs.connections.some(({ requests }) => requests.length > 0)
}

/** Requests came to it and were not refused, but no page read the answer: it may be open. @param {Group} group */
export function isUnsettled({ verdict, attempts }) {
  return verdict === 'not_tested' && attempts.some(hasArrived)
}

/** Whether the run is about more than the lab's own canaries, or found one of them open. @param {import('./record.js').RunRecord} record */
export function ofYours(record) {
  return record.run?.conclusion === 'vulnerable' || record.targets.some((target) => target.kind === 'service' && !isAbsent({ target }))
}

/** The browser, and nobody else, kept it from being tested. @param {Group} group */
export function wasHidden({ attempts }) {
  return countOf(attempts, 'blocked_by_browser') > 0
}

/**
 * The run in one sentence.
 *
 * @param {import('./record.js').RunRecord} record
 * @param {'done' | 'cancelled' | 'offline' | 'failed'} state
 */
export function headline(record, state) {
  const groups = groupsOf(record).filter(({ isControl }) => !isControl)
  const names = (/** @type {Group[]} */ found) => list(found.map(({ target }) => (target.kind === 'guarded' ? 'the guarded canary' : plain(target.name, 60))))
  const vulnerable = groups.filter(({ verdict }) => verdict === 'vulnerable')
  if (state !== 'done') {
    const how = { cancelled: 'Cancelled', offline: 'The lab went away', failed: 'The run broke off' }[state]
    const read = vulnerable.length > 0 ? ` By then a web page had read ${names(vulnerable)}.` : ''
    if (record.total === 0) return `${how} before the first attempt.`
    return `${how} after ${record.over} of ${count(record.total, 'attempt')}.${read}`
  }
  const services = groups.filter((group) => group.target.kind === 'service')
  const isRead = record.run?.conclusion === 'vulnerable'
  if (!isRead && services.length === 0) return 'Only the canaries were attacked: nothing of yours was tested.'
  if (!isRead && services.every(isAbsent)) return 'No service gave an HTTP answer at the ports that were chosen: nothing of yours was tested.'
  switch (record.run?.conclusion) {
    case 'safe':
      return 'Every service under test refused the requests that reached it under a foreign name.'
    case 'vulnerable':
      return vulnerable.length > 0 ? `A web page can read ${names(vulnerable)}.` : 'A web page can read a service under test.'
  }
  const open = groups.filter((group) => group.verdict === 'not_tested' && !isAbsent(group))
  if (open.length > 0) return `This run does not show whether ${names(open)} can be read.`
  const refusing = services.filter(({ verdict }) => verdict === 'refuses')
  return `${capital(names(refusing))} refused what arrived, but not every way of attack got that far.`
}

/**
 * What this browser does about it. Never good news about a service.
 *
 * @param {import('./record.js').RunRecord} record
 * @returns {Layer}
 */
export function browserLayer(record) {
  const over = record.attempts.filter(({ result }) => result !== null)
  const stopped = over.filter(({ result }) => result?.outcome === 'blocked_by_browser' || result?.outcome === 'prompted')
  const asked = countOf(record.attempts, 'prompted')
  // What arrived was let out, whatever became of it then.
  const passed = over.filter((attempt) => hasArrived(attempt) || attempt.result?.outcome === 'reached_readable')
  const methods = (/** @type {import('./record.js').Attempt[]} */ found) => list([...new Set(found.map(({ plan }) => plan.method))])
  const name = capital(plain(record.lab.browser.kind, 40))
  if (stopped.length + passed.length === 0) return { word: 'not shown', symbol: '–', tone: 'unknown', text: `No attempt came as far as ${name}'s own check.` }
  if (stopped.length === 0) {
    const which = passed.length === over.length ? 'every attempt' : `${passed.length} of ${count(over.length, 'attempt')}`
    const rest = passed.length === over.length ? '' : ' The others did not come as far as its own check.'
    return { word: 'stopped nothing', symbol: '○', tone: 'browser', text: `${name} let ${which} out: ${methods(passed)}.${rest} What protects here are the services alone.` }
  }
  const how = asked > 0 ? `, ${asked} of them by asking` : ''
  const warning = 'That says nothing about the services: other browsers, older ones and pages of the local network get through.'
  const text = `${name} stopped ${stopped.length} of ${count(over.length, 'attempt')}${how}: ${methods(stopped)}.`
  if (stopped.length === over.length) return { word: 'stopped all', symbol: '■', tone: 'browser', text: `${text} ${warning}` }
  if (passed.length === 0) return { word: 'stopped some', symbol: '■', tone: 'browser', text: `${text} The others did not come as far as its own check. ${warning}` }
  return { word: 'stopped some', symbol: '■', tone: 'browser', text: `${text} It let out: ${methods(passed)}. ${warning}` }
}

/**
 * Whether addresses of this machine come through the resolver.
 *
 * @param {import('./record.js').RunRecord} record
 * @returns {Layer}
 */
export function resolverLayer(record) {
  if (record.lab.resolver === 'direct') {
    const text = 'In this lab the browser asks the lab’s own DNS server. Whether the resolver of your network keeps back addresses of this machine, this run does not show.'
    return { word: 'not tested', symbol: '–', tone: 'unknown', text }
  }
  const filtered = countOf(record.attempts, 'filtered_by_resolver')
  const passed = record.attempts.filter(({ result }) => result?.logs.control === 'passed' || result?.logs.dns.some((question) => /** @type {any} */ (question).target)).length - filtered
  if (filtered === 0 && passed <= 0) return { word: 'not shown', symbol: '–', tone: 'unknown', text: 'No attempt shows what the resolver does.' }
  if (filtered === 0) return { word: 'filters nothing', symbol: '○', tone: 'elsewhere', text: 'Your resolver passes on names that lead to this machine.' }
  return {
    word: 'filters',
    symbol: '▽',
    tone: 'elsewhere',
    text: `Your resolver kept the address back in ${count(filtered, 'attempt')}. Other networks have other resolvers, and browsers may ask past it: whether a service is safe, it does not say.`,
  }
}

/**
 * The services under test together; each has a card of its own.
 *
 * @param {import('./record.js').RunRecord} record
 * @returns {Layer}
 */
export function servicesLayer(record) {
  const groups = groupsOf(record).filter(({ target }) => target.kind === 'service')
  const of = (/** @type {(group: Group) => boolean} */ is) => groups.filter(is)
  const read = of(({ verdict }) => verdict === 'vulnerable')
  const refused = of(({ verdict }) => verdict === 'refuses')
  const absent = of(isAbsent)
  const unsettled = of(isUnsettled)
  const unfinished = of((group) => group.verdict === null && !isAbsent(group))
  const untested = of((group) => group.verdict === 'not_tested' && !isAbsent(group) && !isUnsettled(group))
  const parts = /** @type {[Group[], string][]} */ ([
    [read, 'can be read'],
    [refused, refused.length === 1 ? 'refuses' : 'refuse'],
    [unsettled, unsettled.length === 1 ? 'is not settled' : 'are not settled'],
    [untested, untested.length === 1 ? 'was not tested' : 'were not tested'],
    [unfinished, unfinished.length === 1 ? 'was not tested to the end' : 'were not tested to the end'],
    [absent, 'gave no HTTP answer in time'],
  ])
  const text = parts.flatMap(([found, what]) => (found.length > 0 ? [`${found.length} ${what}`] : [])).join(', ')
  const open = unsettled.length > 0 ? ' Requests reached what is not settled and were not refused, but no page read the answer: it may be open.' : ''
  const sentence = groups.length > 0 ? `Of ${count(groups.length, 'service')}: ${text}.${open}` : 'No port was chosen.'
  if (read.length > 0) return { word: 'vulnerable', symbol: '✖', tone: 'bad', text: sentence }
  if (unsettled.length > 0) return { word: 'not settled', symbol: '–', tone: 'unknown', text: sentence }
  const rest = untested.length + unfinished.length
  if (refused.length > 0 && rest === 0) return { word: 'refuse', symbol: '✔', tone: 'good', text: sentence }
  if (rest > 0) return { word: 'not tested', symbol: '–', tone: 'unknown', text: sentence }
  return { word: 'none tested', symbol: '–', tone: 'unknown', text: sentence }
}

/**
 * The first request without a body that arrived under the foreign name: what a policy is shown.
 *
 * @param {Group} group
 * @returns {{request: import('./types.js').ArrivedRequest, authority: string} | null}
 */
export function arrivedAt(group) {
  for (const { result } of group.attempts) {
    if (result === null) continue
    for (const { requests } of result.logs.connections) {
      for (const request of requests) {
        if (request.method === 'GET') return { request, authority: result.authority }
      }
    }
  }
  return null
}
