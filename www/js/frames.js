// The attackers' pages: each in a frame of its own, beside the page. They are foreign documents, and get nothing of this one.

import { h } from './dom.js'

/** What the document in a frame may do: run, be itself, open windows that are as free as any. Not: leave the frame, ask, download. */
const SANDBOX = 'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox'

/** Hosts that frames may show: those of the lab's own domain, over plain http. */
const HOST = /^[a-z0-9.-]+\.rebind\.example$/

/** The frames of a run. */
export class Frames {
  /** @type {Map<number, HTMLIFrameElement>} */
  #open = new Map()
  #region = /** @type {HTMLElement} */ (document.getElementById('frames'))
  /** What had the focus last, of the page's own. @type {HTMLElement | null} */
  #focused = null

  constructor() {
    document.addEventListener('focusin', ({ target }) => {
      if (target instanceof HTMLElement && !(target instanceof HTMLIFrameElement)) this.#focused = target
    })
    // That the frames are inert keeps people out; a script in there can still take the focus. It is taken back.
    addEventListener('blur', () => setTimeout(() => this.#takeBack()))
  }

  /**
   * @param {number} number
   * @param {string} text
   * @param {string} title
   */
  open(number, text, title) {
    const url = new URL(text)
    if (url.protocol !== 'http:' || !HOST.test(url.hostname)) throw new RangeError(`the lab wants a frame of ${url.origin}, which is not its own`)
    const frame = h('iframe', { title, sandbox: SANDBOX, referrerpolicy: 'no-referrer', tabindex: -1, src: url.href })
    this.close(number)
    this.#open.set(number, frame)
    this.#region.append(frame)
    this.#region.hidden = false
  }

  /** @param {number} number */
  close(number) {
    this.#open.get(number)?.remove()
    this.#open.delete(number)
    this.#region.hidden = this.#open.size === 0
  }

  #takeBack() {
    if (!(document.activeElement instanceof HTMLIFrameElement)) return
    document.activeElement.blur()
    window.focus()
    this.#focused?.focus({ preventScroll: true })
  }

  closeAll() {
    for (const number of [...this.#open.keys()]) this.close(number)
  }
}
