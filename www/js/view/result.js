// What a run came to: one sentence, three layers, what to do next, each service with its attempts, and what to do with the result.

import { badge, facts, h, prose } from '../dom.js'
import { browserLayer, groupsOf, headline, isAbsent, ofYours, resolverLayer, servicesLayer } from '../findings.js'
import { controlFailed, reasonText } from '../reasons.js'
import { capital, count, duration, plain } from '../text.js'
import { conclusionWords } from '../words.js'
import { advice } from './advice.js'
import { keep } from './keep.js'
import { absentServices, service } from './service.js'

/** @typedef {import('../app.js').App} App @typedef {import('./show.js').View} View @typedef {import('../record.js').RunRecord} RunRecord */

/** @param {App} app @returns {View} */
export function done(app) {
  const record = /** @type {RunRecord} */ (app.record)
  const run = /** @type {import('../types.js').Run} */ (record.run)
  // Of canaries alone nothing follows for anybody, however they did.
  const words = ofYours(record) ? conclusionWords(run.conclusion) : { word: 'nothing of yours tested', symbol: '–', tone: 'unknown' }
  const reasons = run.reasons.slice(0, 50).map((reason) => h('li', {}, prose(reasonText(reason))))
  const verdict = h(
    'section',
    { class: `conclusion ${words.tone}`, 'aria-labelledby': 'conclusion' },
    badge(words),
    h('h1', { id: 'conclusion' }, headline(record, 'done')),
    // Most are said again by the cards below; that nothing proves anything is said here alone.
    reasons.length > 2 ? h('details', { open: controlFailed(record) }, h('summary', {}, `Why: ${count(reasons.length, 'reason')}`), h('ul', {}, reasons)) : h('ul', {}, reasons),
  )
  const nodes = [verdict, ...findings(app, record), ...(record.advice.length > 0 ? [advice(app, record)] : []), ...rest(app, record)]
  return { title: `${capital(words.word)}: ${headline(record, 'done')}`, nodes }
}

/** @param {App} app @returns {View} */
export function cancelled(app) {
  // Services are asked before the lab says which of them answer.
  const asked = app.record?.targets.length === 0 ? ' Which services were asked before that is not known.' : ''
  return partial(app, 'cancelled', [h('p', {}, `What was under way was stopped, and nothing more is sent.${asked} What is below is part of a run, so no service is found safe by it.`)])
}

/**
 * A run that is not whole: what was found stays.
 *
 * @param {App} app
 * @param {'cancelled' | 'offline' | 'failed'} state
 * @param {Node[]} why
 * @returns {View}
 */
export function partial(app, state, why) {
  const record = /** @type {RunRecord} */ (app.record)
  const words = {
    cancelled: { word: 'cancelled', symbol: '◼', tone: 'unknown' },
    offline: { word: 'offline', symbol: '⚡', tone: 'unknown' },
    failed: { word: 'failed', symbol: '!', tone: 'bad' },
  }[state]
  const text = headline(record, state)
  const verdict = h('section', { class: `conclusion ${words.tone}`, 'aria-labelledby': 'conclusion' }, badge(words), h('h1', { id: 'conclusion' }, text), why)
  const hasFindings = record.over > 0 || record.targets.length > 0
  return { title: text, nodes: [verdict, ...(hasFindings ? [...findings(app, record), ...rest(app, record)] : [again(app)])] }
}

/** @param {App} app @param {RunRecord} record */
function findings(app, record) {
  const layers = /** @type {const} */ ([
    ['Browser', browserLayer(record)],
    ['Resolver', resolverLayer(record)],
    ['Services', servicesLayer(record)],
  ])
  return [
    h(
      'section',
      { 'aria-labelledby': 'layers' },
      h('h2', { id: 'layers' }, 'Three layers'),
      h('div', { class: 'cards three' }, layers.map(([name, layer]) => h('article', { class: `card ${layer.tone}` }, h('div', { class: 'head' }, h('h3', {}, name), badge(layer)), h('p', {}, layer.text)))),
    ),
  ]
}

/** @param {App} app @param {RunRecord} record */
function rest(app, record) {
  const groups = groupsOf(record)
  const absent = groups.filter((group) => group.target.kind === 'service' && isAbsent(group))
  const present = groups.filter((group) => !absent.includes(group))
  const order = [...present.filter(({ target }) => target.kind === 'service'), ...present.filter(({ target }) => target.kind !== 'service')]
  const { run } = record
  const pairs = /** @type {[string, string][]} */ ([
    ['Browser', `${capital(plain(record.lab.browser.kind, 40))} ${plain(record.lab.browser.version, 60)}`],
    ['Started', record.started.toLocaleString()],
    ...(run === null ? [] : [['Took', `${duration(run.duration_ms)} for ${count(record.total, 'attempt')}`]]),
    ['Hostbound', plain(record.lab.hostbound, 40)],
    ...(run?.policy === undefined ? [] : [['Policy', plain(run.policy, 200)]]),
    ...(record.strays === null ? [] : [['Asked for outside of the lab', record.strays.length === 0 ? 'nothing' : plain(record.strays.join(', '), 500)]]),
  ])
  return [
    h('section', { 'aria-labelledby': 'services' }, h('h2', { id: 'services' }, 'Each service'), h('p', { class: 'note' }, 'What the lab calls a case is an attempt here.'), order.map((group) => service(group, record)), absent.length > 0 && absentServices(absent)),
    keep(record),
    h(
      'section',
      { 'aria-labelledby': 'limits' },
      h('h2', { id: 'limits' }, 'What this does not measure'),
      h(
        'ul',
        { class: 'spaced' },
        h('li', {}, 'Other browsers, and this one with other settings. “Stopped by the browser” is never “the service is safe”.'),
        h('li', {}, 'Other paths of a service than its first page, other machines of the network, and services that were not on the list.'),
        h('li', {}, 'Other strategies, and other ways for the attacker’s page to try: ', h('code', {}, 'hostbound lab run --all'), ' carries all of them out.'),
      ),
      facts(pairs, 'facts boxed'),
    ),
    again(app),
  ]
}

/** @param {App} app */
function again(app) {
  const text = app.state === 'done' || app.state === 'cancelled' ? 'Run again' : 'Look for the lab again'
  return h('p', { class: 'actions' }, h('button', { type: 'button', class: 'primary', click: () => (text === 'Run again' ? app.send('again') : app.again()) }, text))
}
