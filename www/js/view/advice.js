// What to do next. Where a policy would have stopped what happened, the engine in this page shows that it would.

import { badge, h, prose } from '../dom.js'
import { arrivedAt, groupsOf } from '../findings.js'
import { plain } from '../text.js'
import { snippet } from './command.js'

/** @param {import('../app.js').App} app @param {import('../record.js').RunRecord} record */
export function advice(app, record) {
  const groups = groupsOf(record)
  const steps = record.advice.map((step) => {
    const group = groups.find(({ target }) => step.service !== null && target.kind === 'service' && (target.address === step.service || target.name === step.service))
    return h(
      'li',
      {},
      h('p', {}, prose(plain(step.text, 1000))),
      step.policy !== null && [snippet(step.policy, step.service === null ? 'the policy' : `the policy for ${plain(step.service, 60)}`), group !== undefined && proof(app, step.policy, group)],
    )
  })
  return h('section', { class: 'next', 'aria-labelledby': 'next' }, h('h2', { id: 'next' }, 'What to do next'), h('ol', { class: 'spaced' }, steps))
}

/** @param {import('../app.js').App} app @param {string} policy @param {import('../findings.js').Group} group */
function proof(app, policy, group) {
  const box = h('div', { class: 'proof' })
  const arrived = arrivedAt(group)
  const own = group.target.address ?? group.target.name
  if (arrived === null || app.engine === null) return null
  const { request, authority } = arrived
  app.engine
    .judge(policy, request, authority, own)
    .then(({ foreign, own: renamed }) => {
      box.append(
        h('p', {}, 'The engine in this page, asked with this policy:'),
        h('ul', { role: 'list' }, verdictRow('The request that arrived', request, authority, foreign), verdictRow('The same under its own name', request, own, renamed)),
      )
    })
    .catch((error) => box.append(h('p', {}, 'The engine could not be asked: ', h('code', {}, plain(error?.message ?? error)))))
  return box
}

/** @param {string} which @param {import('../types.js').ArrivedRequest} request @param {string} host @param {import('../engine.js').Judgement} judgement */
function verdictRow(which, { method, target }, host, { decision, status, reason }) {
  const isDenied = decision === 'deny'
  const words = { word: isDenied ? 'denied' : 'allowed', symbol: isDenied ? '✖' : '✔', tone: isDenied ? 'control' : 'good' }
  return h(
    'li',
    {},
    h('span', {}, which),
    h('span', {}, h('code', {}, plain(`${method} ${target}`, 80)), h('br'), h('code', {}, `Host: ${plain(host, 80)}`)),
    h('span', {}, badge(words), isDenied && [' ', h('code', {}, `${status} ${plain(reason ?? '', 60)}`)]),
  )
}
