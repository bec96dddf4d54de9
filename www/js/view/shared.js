// A result that came as a link: what its sender claims. Also the preview of what a link will hold.

import { badge, facts, h } from '../dom.js'
import { serviceAt } from '../services.js'
import { capital } from '../text.js'
import { conclusionWords, CONTROL, outcomeWords, UNSETTLED, verdictWords } from '../words.js'

/** @param {import('../app.js').App} app @returns {import('./show.js').View} */
export function shared(app) {
  const found = /** @type {import('../share.js').Shared} */ (app.shared)
  const words = conclusionWords(found.conclusion)
  const nodes = [
    h(
      'section',
      { class: 'conclusion elsewhere', 'aria-labelledby': 'conclusion' },
      h('p', { class: 'over' }, badge({ word: 'shared result', symbol: '↗', tone: 'elsewhere' }), ' ', badge(words)),
      h('h1', { id: 'conclusion' }, `Somebody’s self-test came to “${words.word}”`),
      h('p', {}, 'This is what the sender of the link claims: anybody can write such a link. Nothing was tested in this browser, and it says nothing about this machine.'),
    ),
    h('section', { 'aria-labelledby': 'summary' }, h('h2', { id: 'summary' }, 'The summary'), summaryOf(found)),
    leave(app),
  ]
  return { title: 'Shared result', nodes }
}

/** @param {import('../app.js').App} app @returns {import('./show.js').View} */
export function sharedBroken(app) {
  const nodes = [
    h(
      'section',
      { class: 'notice bad' },
      h('h1', {}, 'This link holds no result'),
      h('p', { class: 'lead' }, `What lies behind its # cannot be read: ${app.trouble}. Ask the sender for the whole link.`),
      leave(app),
    ),
  ]
  return { title: 'Broken link', nodes }
}

/** @param {import('../app.js').App} app */
function leave(app) {
  return h('p', { class: 'actions' }, h('button', { type: 'button', class: 'primary', click: () => app.leave() }, 'Test this browser'))
}

/** A summary, as its link holds it. @param {import('../share.js').Shared} found */
export function summaryOf({ conclusion, browser, major, day, services }) {
  const words = conclusionWords(conclusion)
  return h(
    'div',
    { class: 'summary' },
    facts([
      ['Conclusion', badge(words)],
      ['Browser', `${capital(browser)} ${major}`],
      ['Day', day],
    ]),
    h('ul', { class: 'targets', role: 'list' }, services.map(row)),
  )
}

/** @param {import('../share.js').SharedService} service */
function row({ kind, verdict, outcomes, port }) {
  const isControl = kind === 'canary'
  const name = { canary: 'Bare canary', guarded: 'Guarded canary', service: port === null ? 'A service' : `Port ${port}` }[kind]
  const usual = port === null ? null : serviceAt(port)
  const words = wordsOf(isControl, verdict, outcomes.has('blocked_by_browser'))
  return h(
    'li',
    {},
    h('span', { class: 'name' }, name, usual !== null && h('span', { class: 'soft' }, ` usually ${usual}`)),
    h('span', {}, badge(words)),
    h('span', { class: 'badges' }, [...outcomes].map(([outcome, number]) => badge(outcomeWords(outcome, isControl), ` × ${number}`))),
  )
}

/** @param {boolean} isControl @param {import('../share.js').SharedService['verdict']} verdict @param {boolean} wasHidden */
function wordsOf(isControl, verdict, wasHidden) {
  if (verdict === 'not_settled') return UNSETTLED
  return isControl && verdict === 'control' ? CONTROL : verdictWords(verdict, wasHidden)
}
