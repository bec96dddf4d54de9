// Before the first request: what is sent, to whom, and what becomes of it. Nothing happens before Start.

import { say } from '../announce.js'
import { h } from '../dom.js'
import { PortError } from '../ports.js'
import { SERVICES, serviceAt } from '../services.js'
import { count } from '../text.js'

/** @param {import('../app.js').App} app @returns {import('./show.js').View} */
export function consent(app) {
  const ports = /** @type {import('../ports.js').PortList} */ (app.ports)
  const lab = /** @type {import('../types.js').LabFacts} */ (app.lab)
  const sum = h('p', { class: 'sum' })
  const count_ = () => {
    const services = ports.chosen.length
    const canaries = lab.guard === null ? 1 : 2
    const attempts = (services + canaries) * lab.methods.length * lab.strategies.length
    sum.textContent = `${canaries === 1 ? 'The canary' : 'The two canaries'} and ${count(services, 'port')}: at most ${count(attempts, 'attempt')}. Where no answer comes in time, nothing is attacked.`
  }
  const list = portList(ports, count_)
  const nodes = [
    h('h1', {}, 'What will be sent, and to whom'),
    h(
      'section',
      { 'aria-labelledby': 'sent' },
      h('h2', { id: 'sent' }, 'What is sent'),
      h(
        'ul',
        { class: 'spaced' },
        h('li', {}, 'A page of a foreign name, ', h('code', {}, '….rebind.example'), ', is opened in this browser, and its name comes to mean ', h('code', {}, '127.0.0.1'), ', or ', h('code', {}, '::1'), ' where nothing answers there. It then opens the first page of each port (', h('code', {}, 'GET /'), ' with a random query) by script, in a frame and in a small window, as a real attacker’s page would. There the scripts of your service run, and may send what they send when you open it yourself: further requests, POSTs and WebSockets too. A port that speaks WebSocket alone is sent a handshake instead.'),
        h('li', {}, 'Before that each port is asked under its own name and under a foreign one, by a ', h('code', {}, 'GET /'), ' and by a WebSocket handshake each, so that a refusal can be told from a service that gives no answer at all.'),
        h('li', {}, 'Of the answers the lab keeps only the status and the length; the requests that arrived, with paths and headers, are in the result. The lab itself sends a ', h('code', {}, 'POST'), ' to its canaries alone.'),
        h('li', {}, 'All of it stays on this machine, in a network that the lab made. Nothing goes out, and nothing is kept when the page is closed, but for files that you save.'),
      ),
      h('p', { class: 'note' }, 'A service that does something when its first page is opened will do it. Take its port off the list.'),
    ),
    h(
      'section',
      { 'aria-labelledby': 'whom' },
      h('h2', { id: 'whom' }, 'To whom'),
      h(
        'div',
        { class: 'always' },
        h('p', {}, h('b', {}, 'Always: the canaries of the lab. '), lab.guard === null ? 'A bare one, which checks nothing and should be read: without that, no refusal proves anything.' : 'A bare one, which checks nothing and should be read: without that, no refusal proves anything. And the same one behind Hostbound, which should refuse.'),
      ),
      list,
      addForm(ports, list, count_),
    ),
    h(
      'section',
      { class: 'start', 'aria-label': 'Start' },
      sum,
      h('p', { class: 'actions' }, h('button', { type: 'button', class: 'primary', click: () => app.run() }, 'Start the test'), h('button', { type: 'button', click: () => app.send('back') }, 'Back')),
    ),
  ]
  count_()
  return { title: 'What will be sent', nodes }
}

/** @param {import('../ports.js').PortList} ports @param {() => void} changed */
function portList(ports, changed) {
  const list = h('ul', { class: 'ports', role: 'list' })
  const fill = () => {
    const known = SERVICES.map(({ name, port, source }) => row(port, name, `known from ${source}`, null))
    const added = ports.added.map((port) => row(port, `Port ${port}`, 'added by you', () => remove(port)))
    list.replaceChildren(...known, ...added)
    changed()
  }
  /** @param {number} port @param {string} name @param {string} source @param {(() => void) | null} remove */
  const row = (port, name, source, remove) => {
    const box = h('input', { type: 'checkbox', id: `port-${port}`, change: () => toggle(port, box) })
    box.checked = ports.has(port)
    return h(
      'li',
      {},
      h('label', { for: `port-${port}` }, box, h('span', {}, h('span', { class: 'name' }, name), h('span', { class: 'source' }, h('code', {}, `127.0.0.1:${port}`), ' ', source))),
      remove !== null && h('button', { type: 'button', class: 'small', click: remove, 'aria-label': `Remove port ${port}` }, 'Remove'),
    )
  }
  /** @param {number} port @param {HTMLInputElement} box */
  const toggle = (port, box) => {
    try {
      ports.choose(port, box.checked)
    } catch (error) {
      if (!(error instanceof PortError)) throw error
      box.checked = false
      say(error.message)
    }
    changed()
  }
  /** @param {number} port */
  const remove = (port) => {
    ports.remove(port)
    fill()
    say(`Port ${port} was removed.`)
    document.getElementById('add-port')?.focus()
  }
  /** @param {boolean} isChosen */
  const all = (isChosen) => {
    ports.chooseAll(isChosen)
    fill()
    say(`${count(ports.chosen.length, 'port')} chosen.`)
  }
  const element = h(
    'fieldset',
    { 'data-fill': '' },
    h('legend', {}, 'Services of this machine'),
    h('p', { class: 'note' }, 'What is known to be attacked this way, at the ports where it usually listens. Untick what should be left alone.'),
    h('p', { class: 'actions tight' }, h('button', { type: 'button', class: 'small', click: () => all(true) }, 'Tick all'), h('button', { type: 'button', class: 'small', click: () => all(false) }, 'Tick none')),
    list,
  )
  element.addEventListener('fill', fill)
  fill()
  return element
}

/** @param {import('../ports.js').PortList} ports @param {HTMLElement} list @param {() => void} changed */
function addForm(ports, list, changed) {
  const input = h('input', { type: 'text', id: 'add-port', inputmode: 'numeric', autocomplete: 'off', spellcheck: 'false', maxlength: 12, 'aria-describedby': 'add-hint add-error' })
  const error = h('p', { id: 'add-error', class: 'error' })
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault()
    error.textContent = ''
    input.removeAttribute('aria-invalid')
    try {
      const port = ports.add(input.value)
      input.value = ''
      list.dispatchEvent(new Event('fill'))
      say(`Port ${port}${serviceAt(port) === null ? '' : `, ${serviceAt(port)},`} was added.`)
    } catch (thrown) {
      if (!(thrown instanceof PortError)) throw thrown
      error.textContent = thrown.message
      input.setAttribute('aria-invalid', 'true')
      input.focus()
    }
    changed()
  }
  return h(
    'form',
    { class: 'add', novalidate: true, submit },
    h('label', { for: 'add-port' }, 'Another port of this machine'),
    h('span', { class: 'field' }, input, h('button', { type: 'submit' }, 'Add')),
    h('p', { id: 'add-hint', class: 'note' }, `1 to 65535; at most ${ports.limit} ports in a run.`),
    error,
  )
}
