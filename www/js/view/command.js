// A command, a policy or a link with a button that copies it.

import { say } from '../announce.js'
import { copy } from '../copy.js'
import { h } from '../dom.js'

/**
 * @param {string} text
 * @param {string} what as `the command`
 */
export function copyButton(text, what) {
  const done = h('span', { class: 'copied', 'aria-hidden': 'true' })
  const button = h(
    'button',
    {
      type: 'button',
      class: 'small',
      click: async () => {
        const isCopied = await copy(text)
        done.textContent = isCopied ? '✔ copied' : 'not copied'
        say(isCopied ? `Copied ${what}.` : `This browser did not let ${what} be copied: select the text and copy it by hand.`)
      },
    },
    'Copy ',
    h('span', { class: 'unseen' }, what),
  )
  return h('span', { class: 'copy' }, button, done)
}

/** @param {string} text @param {string} what */
export function snippet(text, what) {
  return h('div', { class: 'snippet' }, h('pre', { tabindex: 0, role: 'region', 'aria-label': what }, h('code', {}, text)), copyButton(text, what))
}
