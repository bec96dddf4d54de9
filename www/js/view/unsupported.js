// The browser lacks what the page needs. Stands alone: it must work where little does.

import { h } from '../dom.js'
import { put } from './put.js'

/** @param {string[]} lacks */
export function unsupported(lacks) {
  const nodes = [
    h(
      'section',
      { class: 'notice unknown' },
      h('h1', {}, 'This browser cannot carry the test out'),
      h('p', {}, 'Nothing was sent to any service. The page needs what this browser lacks:'),
      h('ul', {}, lacks.map((what) => h('li', {}, what))),
      h('p', {}, 'A newer browser has it. The lab also runs without a page, in a browser that it starts by itself:'),
      h('pre', { tabindex: 0 }, h('code', {}, 'hostbound lab run')),
    ),
  ]
  put('unsupported', { title: 'Not supported', nodes }, false)
}
