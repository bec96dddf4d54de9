// One service: its verdict, and each attempt with its evidence.

import { badge, facts, h, prose } from '../dom.js'
import { countOf, isAbsent, isUnsettled, tally, wasHidden } from '../findings.js'
import { capital, count, moment, plain } from '../text.js'
import { CONTROL, NO_ANSWER, outcomeWords, UNSETTLED, verdictWords } from '../words.js'
import { kindOf, nameOf, usualOf } from './names.js'

/** Most requests of an attempt that are shown. */
const MOST_REQUESTS = 12

/** @param {import('../findings.js').Group} group @param {import('../record.js').RunRecord} record */
export function service(group, record) {
  const { attempts, isControl, target, summary } = group
  const words = wordsOf(group)
  const blocked = countOf(attempts, 'blocked_by_browser')
  const over = attempts.filter(({ result }) => result !== null)
  return h(
    'article',
    { class: `card service ${words.tone}` },
    h('div', { class: 'head' }, h('h3', {}, nameOf(target)), badge(words)),
    h('p', { class: 'kind' }, kindOf(target)),
    summary !== '' && h('p', {}, prose(plain(capital(summary), 500))),
    target.trouble !== undefined && h('p', {}, h('b', {}, 'Trouble: '), plain(target.trouble)),
    refusesAll(target) && h('p', {}, `It answers ${target.own_name_status} to everybody; only its first page was asked.`),
    facts(
      [
        ['Under its own name', named(target.own_name_status, target.own_name_upgrade)],
        ['Under a foreign name', named(target.foreign_name_status, target.foreign_name_upgrade)],
        ...(over.length > 0 ? [/** @type {[string, Node]} */ (['Attempts', h('span', { class: 'badges' }, [...tally(attempts)].map(([outcome, number]) => badge(outcomeWords(outcome, isControl), ` × ${number}`)))])] : []),
      ],
      'facts',
    ),
    blocked > 0 && !isControl && h('p', { class: 'callout browser' }, h('span', { 'aria-hidden': 'true' }, '■ '), `The browser blocked ${blocked} of ${count(over.length, 'attempt')}: ${blocked === 1 ? 'that one says' : 'those say'} nothing about the service.`),
    attempts.map((attempt) => attemptDetails(attempt, isControl, record)),
  )
}

/** Whatever it is called, it answers its first page with an error. @param {import('../types.js').Target} target */
function refusesAll({ kind, own_name_status: own, foreign_name_status: foreign }) {
  return kind === 'service' && own !== null && own >= 400 && own === foreign
}

/** Ports from which no HTTP answer came, in short. @param {import('../findings.js').Group[]} groups */
export function absentServices(groups) {
  return h(
    'article',
    { class: `card service ${NO_ANSWER.tone}` },
    h('div', { class: 'head' }, h('h3', {}, `No HTTP answer at ${count(groups.length, 'port')}`), badge(NO_ANSWER)),
    h('p', {}, 'Nothing was attacked there. What listens may be slow, speak something else, or not run: nothing is known of it.'),
    h(
      'ul',
      { class: 'absent', role: 'list' },
      groups.map(({ target }) => h('li', {}, h('code', {}, nameOf(target)), usualOf(target) !== null && h('span', { class: 'soft' }, ` usually ${usualOf(target)}`), target.trouble !== undefined && h('span', { class: 'soft' }, `: ${plain(target.trouble)}`))),
    ),
  )
}

/** @param {import('../findings.js').Group} group */
function wordsOf(group) {
  const { attempts, isControl, verdict } = group
  if (isControl && countOf(attempts, 'reached_readable') > 0) return CONTROL
  if (isAbsent(group)) return NO_ANSWER
  if (verdict === null) return { word: 'not finished', symbol: '–', tone: 'unknown' }
  return !isControl && isUnsettled(group) ? UNSETTLED : verdictWords(verdict, wasHidden(group))
}

/** @param {import('../record.js').Attempt} attempt @param {boolean} isControl @param {import('../record.js').RunRecord} record */
function attemptDetails({ number, plan, result }, isControl, record) {
  const name = [h('span', { class: 'index' }, number + 1), ' ', plain(plan.strategy, 60), ', ', plain(plan.method, 40)]
  if (result === null) {
    const word = record.run === null ? 'not carried out' : 'no result'
    return h('p', { class: 'attempt open' }, h('span', { class: 'title' }, name), badge({ word, symbol: '–', tone: 'unknown' }))
  }
  const words = outcomeWords(result.outcome, isControl)
  return h(
    'details',
    { class: 'attempt' },
    h('summary', {}, h('span', { class: 'title' }, name), badge(words)),
    h(
      'div',
      { class: 'body' },
      h('ul', { class: 'evidence' }, result.evidence.slice(0, 20).map((line) => h('li', {}, prose(plain(capital(line), 500))))),
      facts(pairs(result, words)),
      requests(result, number + 1),
      h('p', { class: 'note' }, h('b', {}, 'Proves: '), words.proves, ' ', h('b', {}, 'Leaves open: '), words.leaves_open),
    ),
  )
}

/** @param {import('../types.js').CaseResult} result @param {import('../words.js').OutcomeWords} words @returns {[string, string][]} */
function pairs({ case: plan, authority, logs }, words) {
  const { page } = logs
  const read = page?.read ? `${page.read.length} characters${page.read.secret ? ', the canary’s secret among them' : ''}` : 'nothing'
  return [
    ['Stopped by', words.stopped_by],
    ['Foreign name', plain(authority, 100)],
    ['Tries of the page', page === null ? 'it never ran' : `${page.attempts}, ${page.failures} failed`],
    ['The page read', read],
    ['Flip to first answer', page?.rebind_ms == null ? 'none came' : moment(page.rebind_ms)],
    ['Took', moment(logs.duration_ms)],
    ['Local Network Access', plain(plan.local_network_access, 40)],
  ]
}

/** What arrived at the service under the foreign name. @param {import('../types.js').CaseResult} result @param {number} number */
function requests({ logs }, number) {
  const silent = logs.connections.filter(({ bytes }) => bytes === 0).length
  const all = logs.connections.flatMap(({ requests }) => requests)
  const connected = silent > 0 && h('p', {}, `${count(silent, 'connection')} came without a byte: opened, and given up.`)
  if (all.length === 0) return [h('p', {}, 'No request arrived.'), connected]
  const hasPolicy = all.some(({ policy }) => policy !== undefined)
  const rows = all.slice(0, MOST_REQUESTS).map(({ at_ms, method, target, headers, status, refusal, policy }) =>
    h(
      'tr',
      {},
      h('td', { class: 'number' }, `${at_ms} ms`),
      h('td', {}, h('code', {}, plain(`${method} ${target}`, 120))),
      h('td', {}, h('code', {}, plain(headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? 'none', 120))),
      h('td', {}, answer(status)),
      h('td', {}, verdictText(refusal)),
      hasPolicy && h('td', {}, verdictText(policy)),
    ),
  )
  const left = all.length - rows.length
  const lost = logs.connections.reduce((sum, { not_kept }) => sum + (not_kept ?? 0), 0)
  const columns = ['At', 'Request', 'Host', 'Answer', 'The guard', ...(hasPolicy ? ['The policy'] : [])]
  return [
    h(
      'div',
      { class: 'scroll', role: 'region', tabindex: 0, 'aria-label': `Requests of attempt ${number}` },
      h(
        'table',
        {},
        h('caption', {}, 'What arrived at the service'),
        h('thead', {}, h('tr', {}, columns.map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, rows),
      ),
      left > 0 && h('p', { class: 'note' }, `${count(left, 'more request')} ${left === 1 ? 'is' : 'are'} in the exports.`),
      lost > 0 && h('p', { class: 'note' }, `${count(lost, 'more request')} came than are kept of an attempt.`),
    ),
    connected,
  ]
}

/** `deny 421 host_not_allowed`. @param {Record<string, unknown> | undefined} verdict */
function verdictText(verdict) {
  if (verdict === undefined) return '–'
  const { decision, status, reason } = verdict
  return h('code', {}, plain([decision, status, reason ?? ''].join(' ').trim(), 120))
}

/** What is answered under a name, be it to a WebSocket alone. @param {number | null} status @param {number | null} [upgrade] */
function named(status, upgrade) {
  return status === null && upgrade === 101 ? '101, to a WebSocket alone' : answer(status)
}

/** @param {number | null} status */
function answer(status) {
  return status === null ? 'no answer' : String(status)
}
