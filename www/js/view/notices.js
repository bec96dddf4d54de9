// The states in which nothing can be tested: each says why, and what can be done.

import { h } from '../dom.js'
import { snippet } from './command.js'
import { partial } from './result.js'

/** In the lab's own network a browser may never take itself for online: only a change says something. */
const wasOnline = navigator.onLine

/** @typedef {import('../app.js').App} App @typedef {import('./show.js').View} View */

const WITHOUT_PAGE = 'hostbound lab run'

/** @returns {View} */
export function starting() {
  return { title: 'Starting', nodes: [h('section', { class: 'notice unknown' }, h('h1', {}, 'Looking for the lab'), h('p', {}, 'One moment.'))] }
}

/** @param {App} app @returns {View} */
export function noLab(app) {
  const nodes = [
    h(
      'section',
      { class: 'notice elsewhere' },
      h('h1', {}, 'There is no lab behind this page'),
      h('p', { class: 'lead' }, 'This page shows whether a web page could read services of your machine by DNS rebinding. It is the face of a lab that runs on that machine. Here it stands alone, so nothing was tested and nothing was sent.'),
      h('p', {}, 'Start the lab, and a browser opens with this page in it:'),
      snippet('hostbound lab page', 'the command'),
      againButton(app, 'Look again'),
    ),
    h(
      'section',
      { 'aria-labelledby': 'why' },
      h('h2', { id: 'why' }, 'Why a page alone cannot tell'),
      h('p', {}, 'To the script of a page, a block by the browser, a closed port and a name that was never asked for again look alike: each is one ', h('code', {}, 'TypeError'), '. A page that said “safe” then would guess. Three logs together tell them apart:'),
      h(
        'ol',
        { class: 'spaced' },
        h('li', {}, h('b', {}, 'What was asked of the DNS server: '), 'whether the name was asked for again, and came to mean your machine.'),
        h('li', {}, h('b', {}, 'What arrived at the service: '), 'whether a connection was made, and a request came under the foreign name.'),
        h('li', {}, h('b', {}, 'What the attacker’s page saw: '), 'whether it could read the answer.'),
      ),
      h('p', {}, 'The lab has a DNS server, an attacker’s web server and a tap in front of each service, in a network of its own on your machine. It attacks nothing but its own canaries and the ports that you choose.'),
    ),
    h(
      'section',
      { 'aria-labelledby': 'without' },
      h('h2', { id: 'without' }, 'Without a page'),
      h('p', {}, 'In a terminal, or in continuous integration, with a report at the end:'),
      snippet(WITHOUT_PAGE, 'the command without a page'),
    ),
  ]
  return { title: 'No lab behind this page', nodes }
}

/** @param {App} app @returns {View} */
export function noWasm(app) {
  const nodes = [
    h(
      'section',
      { class: 'notice unknown' },
      h('h1', {}, 'The engine does not run here'),
      h('p', { class: 'lead' }, 'This page judges requests by a policy with Hostbound’s engine, which is WebAssembly. Here it cannot be loaded, so the test is not offered. Nothing was sent to any service.'),
      h('p', {}, 'What was in the way: ', h('code', {}, app.trouble)),
      h('p', {}, 'Some browsers switch WebAssembly off in a stricter mode; allow it for this page and look again. The command needs none:'),
      snippet(WITHOUT_PAGE, 'the command'),
      againButton(app, 'Look again'),
    ),
  ]
  return { title: 'No WebAssembly', nodes }
}

/** @param {App} app @returns {View} */
export function offline(app) {
  const network = navigator.onLine || !wasOnline ? '' : ' The browser says that it has no network.'
  const how = `The lab that this page came from does not answer any more: it was ended, or the network to it is gone.${network}`
  const { record } = app
  if (record !== null && record.targets.length > 0) return partial(app, 'offline', [h('p', {}, how, ' Start it again with ', h('code', {}, 'hostbound lab page'), '.')])
  const nodes = [
    h(
      'section',
      { class: 'notice unknown' },
      h('h1', {}, 'The lab does not answer'),
      h('p', { class: 'lead' }, how),
      h('p', {}, record === null ? 'Nothing was sent to any service. Start the lab again:' : 'Which services were asked before that is not known. Start the lab again:'),
      snippet('hostbound lab page', 'the command'),
      againButton(app, 'Look again'),
    ),
  ]
  return { title: 'Offline', nodes }
}

/** @param {App} app @returns {View} */
export function failed(app) {
  if (app.record !== null) return partial(app, 'failed', [h('p', {}, 'The lab says: ', h('code', {}, app.trouble))])
  const nodes = [
    h(
      'section',
      { class: 'notice bad' },
      h('h1', {}, 'The lab cannot be used'),
      h('p', { class: 'lead' }, h('code', {}, app.trouble)),
      againButton(app, 'Look again'),
    ),
  ]
  return { title: 'Failed', nodes }
}

/** @param {App} app @param {string} text */
export function againButton(app, text) {
  return h('p', { class: 'actions' }, h('button', { type: 'button', class: 'primary', click: () => app.again() }, text))
}
