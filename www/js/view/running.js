// A run under way: how far it is, how long it has taken, and what is known of each service so far.

import { badge, h } from '../dom.js'
import { groupsOf, isAbsent, tally } from '../findings.js'
import { count, duration } from '../text.js'
import { outcomeWords } from '../words.js'
import { nameOf } from './names.js'

/** @param {import('../app.js').App} app @returns {import('./show.js').View} */
export function running(app) {
  const record = /** @type {import('../record.js').RunRecord} */ (app.record)
  const began = performance.now()
  const bar = h('progress', { 'aria-labelledby': 'progress-text' })
  const text = h('p', { id: 'progress-text', class: 'progress-text' }, 'Asking which of the ports answer')
  const elapsed = h('span', { class: 'elapsed' })
  const list = h('ul', { class: 'targets', role: 'list' })
  const tick = () => {
    const seconds = Math.floor((performance.now() - began) / 1000)
    elapsed.textContent = seconds < 60 ? `${seconds} s` : duration(seconds * 1000)
  }
  const timer = setInterval(tick, 1000)
  elapsed.textContent = '0 s'

  const update = () => {
    const { over, total } = record
    if (total > 0) {
      bar.max = total
      bar.value = over
      text.textContent = `${over} of ${count(total, 'attempt')} over`
    }
    const groups = groupsOf(record)
    const absent = groups.filter((group) => group.target.kind === 'service' && isAbsent(group))
    const rows = groups.filter((group) => !absent.includes(group)).map(row)
    const rest = absent.length > 0 ? [h('li', { class: 'rest soft' }, `Nothing answers at ${count(absent.length, 'other port')}.`)] : []
    list.replaceChildren(...rows, ...rest)
  }
  const nodes = [
    h('h1', {}, 'The test is running'),
    h(
      'section',
      { class: 'progress', 'aria-label': 'Progress' },
      h('div', { class: 'line' }, text, h('p', { class: 'soft' }, 'Elapsed: ', elapsed)),
      bar,
      h('p', { class: 'actions' }, h('button', { type: 'button', click: () => app.cancel() }, 'Cancel'), h('span', { class: 'soft' }, 'Windows open and close by themselves: they are part of the attack. Leave them be.')),
    ),
    h('section', { 'aria-labelledby': 'so-far' }, h('h2', { id: 'so-far' }, 'So far'), list),
  ]
  return { title: 'Running', nodes, update, end: () => clearInterval(timer) }
}

/** @param {import('../findings.js').Group} group */
function row(group) {
  const { attempts, isControl, target } = group
  const over = attempts.filter(({ result }) => result !== null).length
  const isUnderWay = attempts.some(({ isOpen }) => isOpen)
  const where = `${over} of ${count(attempts.length, 'attempt')}${isUnderWay ? ', one under way' : ''}`
  const badges = [...tally(attempts)].map(([outcome, number]) => badge(outcomeWords(outcome, isControl), ` × ${number}`))
  return h('li', {}, h('span', { class: 'name' }, nameOf(target)), h('span', { class: 'soft' }, where), h('span', { class: 'badges' }, badges.length > 0 ? badges : h('span', { class: 'soft' }, 'nothing yet')))
}
