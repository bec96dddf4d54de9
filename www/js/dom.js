// Elements. Text goes in as text nodes alone: what services answered may be in it.

/**
 * @typedef {Node | string | number | null | undefined | false | Child[]} Child
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties
 */

/** Attributes that would be code or markup; nobody sets them here, and nobody can. */
const FORBIDDEN = /^(on|style$|srcdoc$)/i

/**
 * An element. Functions are listeners, `true` is an attribute without a value, `false` and null are none.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name)
  for (const [property, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(property, value)
    else if (FORBIDDEN.test(property)) throw new TypeError(`no attribute ${property} here`)
    else if (value === true) element.setAttribute(property, '')
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(property, String(value))
  }
  append(element, children)
  return element
}

/** @param {Element} parent @param {Child[]} children */
export function append(parent, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(parent, child)
    else if (child instanceof Node) parent.append(child)
    else if (child !== null && child !== undefined && child !== false) parent.append(document.createTextNode(String(child)))
  }
}

/** A status: the symbol for the eye, the word for everybody. @param {{word: string, symbol: string, tone: string}} badge @param {string} [more] */
export function badge({ word, symbol, tone }, more = '') {
  return h('span', { class: `badge ${tone}` }, h('span', { class: 'symbol', 'aria-hidden': 'true' }, symbol), ' ', word, more)
}

/** Pairs of a name and a value. @param {[string, Child][]} pairs @param {string} [className] */
export function facts(pairs, className = 'facts') {
  return h('dl', { class: className }, pairs.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
}

/** A sentence of the lab: what it quotes in backticks is code. @param {string} text one that is plain already */
export function prose(text) {
  return text.split('`').map((part, index) => (index % 2 === 1 ? h('code', {}, part) : part))
}
