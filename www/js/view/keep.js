// What to do with a result: files, and a link that holds a redacted summary. All of it is made in the page.

import { say } from '../announce.js'
import { download } from '../download.js'
import { h } from '../dom.js'
import { summarize, toFragment } from '../share.js'
import { plain } from '../text.js'
import { copyButton } from './command.js'
import { summaryOf } from './shared.js'

/** @param {import('../record.js').RunRecord} record */
export function keep(record) {
  const { html, run } = record
  const day = record.started.toISOString().slice(0, 10)
  const name = `hostbound-self-test-${day}${run === null ? '-partial' : ''}`
  const json = () => {
    download(`${name}.json`, 'application/json', `${JSON.stringify(run ?? record.partial(), null, 2)}\n`)
    say('The JSON file was handed to the browser.')
  }
  const page = () => {
    download(`${name}.html`, 'text/html', html ?? '')
    say('The HTML file was handed to the browser.')
  }
  return h(
    'section',
    { class: 'keep', 'aria-labelledby': 'keep' },
    h('h2', { id: 'keep' }, 'Keep it, or show it'),
    h('p', {}, 'This page forgets the result when it is closed. Files hold all of it, names and ports of your services too.'),
    h(
      'p',
      { class: 'actions' },
      h('button', { type: 'button', click: json }, run === null ? 'Download what there is as JSON' : 'Download as JSON'),
      html !== null && h('button', { type: 'button', click: page }, 'Download as one HTML file'),
      html === null && h('span', { class: 'soft' }, 'A report in HTML is made of whole runs only.'),
    ),
    record.lab.downloads !== undefined && h('p', { class: 'note' }, 'The file goes to ', h('code', {}, plain(record.lab.downloads, 500)), '; a window asks first.'),
    run !== null && share(record),
  )
}

/** @param {import('../record.js').RunRecord} record */
function share(record) {
  const box = h('input', { type: 'checkbox', id: 'with-ports', change: () => make() })
  const link = h('input', { type: 'text', id: 'link', readonly: true, spellcheck: 'false', 'aria-describedby': 'link-hint', focus: () => link.select() })
  const button = h('span', { class: 'copy' })
  const preview = h('div', { class: 'preview' })
  const make = () => {
    const shared = summarize(record, { withPorts: box.checked })
    const url = location.href.split('#', 1)[0] + toFragment(shared)
    link.value = url
    button.replaceChildren(copyButton(url, 'the link'))
    preview.replaceChildren(summaryOf(shared))
  }
  make()
  return h(
    'details',
    { class: 'share' },
    h('summary', {}, 'A link with a redacted summary'),
    h('p', {}, 'The summary lies in the link itself, behind the #, which browsers do not send. There are no names, addresses, answers or headers in it.'),
    h('p', {}, h('label', { for: 'with-ports', class: 'inline' }, box, 'With the ports of the services, by which they can be told')),
    h('p', { id: 'link-hint' }, 'The address before the # exists in this lab only. Put the part from the # on behind the address of any copy of this page.'),
    h('label', { for: 'link' }, 'The link'),
    h('span', { class: 'field' }, link, button),
    h('h3', {}, 'All that is in it'),
    preview,
  )
}
