// Before anything: what the test is, and in what it would run.

import { facts, h } from '../dom.js'
import { capital, list, plain } from '../text.js'
import { strategyOf } from './names.js'

/** @param {import('../app.js').App} app @returns {import('./show.js').View} */
export function idle(app) {
  const lab = /** @type {import('../types.js').LabFacts} */ (app.lab)
  const trouble = lab.guard === null ? 'The lab has no guard: only the bare canary stands beside your services.' : lab.guard.trouble
  const nodes = [
    h(
      'section',
      { class: 'hero' },
      h('h1', {}, 'Can a web page read the services on this machine?'),
      h('p', { class: 'lead' }, 'A web site can change its own name so that it leads to your machine (DNS rebinding). Then the browser takes the service on your machine for a part of the web page. This test does that for real, in this browser, and says for every attempt who stopped it.'),
      h('p', { class: 'actions' }, h('button', { type: 'button', class: 'primary', click: () => app.send('choose') }, 'Choose what is tested'), h('span', { class: 'soft' }, 'Nothing is sent before you say so.')),
    ),
    trouble !== null && h('p', { class: 'callout browser' }, h('b', {}, 'The guarded canary does not run: '), plain(trouble)),
    h(
      'section',
      { 'aria-labelledby': 'layers' },
      h('h2', { id: 'layers' }, 'Three layers can stop it'),
      h(
        'div',
        { class: 'cards three' },
        layer('Browser', 'May ask before a public page reaches into the local network, or refuse. Not every browser does, and not every way is covered.'),
        layer('Resolver', 'May keep back names that lead to private addresses. The next network has another one.'),
        layer('Each service', 'Sees the foreign name in every request and can refuse it. This is the layer that is yours.'),
      ),
      h('p', {}, 'A test in which only the browser said no has not tested the service. The result keeps the layers apart.'),
    ),
    h(
      'section',
      { 'aria-labelledby': 'lab' },
      h('h2', { id: 'lab' }, 'The lab behind this page'),
      facts([
        ['Browser', `${capital(plain(lab.browser.kind, 40))} ${plain(lab.browser.version, 40)}`],
        ['How the attacker’s page tries', list(lab.methods.map((method) => plain(method, 40)))],
        ['DNS strategies', list(lab.strategies.map(strategyOf))],
        ['Resolver', lab.resolver === 'direct' ? 'the lab’s own DNS server' : 'yours, in between'],
        ['Hostbound', plain(lab.hostbound, 40)],
      ]),
    ),
  ].filter((node) => node !== false)
  return { title: 'Ready', nodes }
}

/** @param {string} title @param {string} text */
function layer(title, text) {
  return h('article', { class: 'card plain' }, h('h3', {}, title), h('p', {}, text))
}
