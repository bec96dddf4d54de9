// Puts a view into the page, and the focus on its heading where somebody asked for it.

/** @param {string} state @param {import('./show.js').View} view @param {boolean} mayFocus */
export function put(state, view, mayFocus) {
  const main = /** @type {HTMLElement} */ (document.getElementById('main'))
  const fragment = document.createDocumentFragment()
  for (const node of view.nodes.flat()) if (node instanceof Node) fragment.append(node)
  main.replaceChildren(fragment)
  document.body.dataset.state = state
  document.title = `${view.title} – Hostbound self-test`
  if (!mayFocus) return
  const heading = main.querySelector('h1')
  heading?.setAttribute('tabindex', '-1')
  heading?.focus({ preventScroll: true })
  scrollTo(0, 0)
}
