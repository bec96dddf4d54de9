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
  /** By the names of their targets: they stay where they are, for who reads them. @type {Map<string, Row>} */
  const rows = new Map()
  const rest = h('li', { class: 'rest soft' })
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
      text.textContent = `${over} of ${count(total, 'attempt')} done`
    }
    const groups = groupsOf(record)
    const absent = groups.filter((group) => group.target.kind === 'service' && isAbsent(group))
    for (const group of groups) {
      if (absent.includes(group)) continue
      const { name } = group.target
      const row = rows.get(name) ?? new Row(group.target)
      if (!rows.has(name)) list.append(row.element)
      rows.set(name, row)
      row.update(group)
    }
    if (absent.length === 0) return
    if (!rest.isConnected) list.append(rest)
    put(rest, `No HTTP answer at ${count(absent.length, 'other port')}.`)
  }
  const nodes = [
    h('h1', {}, 'The test is running'),
    h(
      'section',
      { class: 'progress', 'aria-label': 'Progress' },
      h('div', { class: 'line' }, text, h('p', { class: 'soft' }, 'Elapsed: ', elapsed)),
      bar,
      h('p', { class: 'actions' }, h('button', { type: 'button', click: () => app.cancel() }, 'Cancel'), h('span', { class: 'soft' }, 'Windows open and close by themselves: they are part of the attack. Leave them be. If one asks you for a password, close it.')),
    ),
    h('section', { 'aria-labelledby': 'so-far' }, h('h2', { id: 'so-far' }, 'So far'), list),
  ]
  return { title: 'Running', nodes, update, end: () => clearInterval(timer) }
}

/** What is known of a target so far. */
class Row {
  #where = h('span', { class: 'soft' })
  #badges = h('span', { class: 'badges' })
  /** Outcomes that are shown, and how often each came. */
  #shown = ''

  /** @param {import('../types.js').Target} target */
  constructor(target) {
    this.element = h('li', {}, h('span', { class: 'name' }, nameOf(target)), this.#where, this.#badges)
    this.#badges.append(h('span', { class: 'soft' }, 'nothing yet'))
  }

  /** @param {import('../findings.js').Group} group */
  update({ attempts, isControl }) {
    const over = attempts.filter(({ result }) => result !== null).length
    const open = attempts.filter(({ isOpen }) => isOpen).length
    put(this.#where, `${over} of ${count(attempts.length, 'attempt')}${open > 0 ? `, ${open} under way` : ''}`)
    const found = [...tally(attempts)]
    const shown = found.join()
    if (shown === this.#shown) return
    this.#shown = shown
    this.#badges.replaceChildren(...found.map(([outcome, number]) => badge(outcomeWords(outcome, isControl), ` × ${number}`)))
  }
}

/** Changes a text, if it is another one. @param {Element} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text
}
