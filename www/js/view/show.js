// Shows the page in its state: one view a state, one heading of the first level a view.

import { consent } from './consent.js'
import { idle } from './idle.js'
import { failed, noLab, noWasm, offline, starting } from './notices.js'
import { put } from './put.js'
import { cancelled, done } from './result.js'
import { running } from './running.js'
import { shared, sharedBroken } from './shared.js'

/**
 * @typedef {object} View
 * @property {string} title
 * @property {import('../dom.js').Child[]} nodes with one `h1`
 * @property {() => void} [update] shows what has become known meanwhile
 * @property {() => void} [end] before it goes away
 */

/** @type {Record<string, (app: import('../app.js').App) => View>} */
const VIEWS = {
  starting,
  'no-wasm': noWasm,
  'no-lab': noLab,
  offline,
  idle,
  consent,
  running,
  done,
  cancelled,
  failed,
  shared,
  'shared-broken': sharedBroken,
}

/**
 * @param {import('../app.js').App} app
 * @param {boolean} mayFocus
 * @returns {View}
 */
export function show(app, mayFocus) {
  const view = /** @type {(app: import('../app.js').App) => View} */ (VIEWS[app.state])(app)
  put(app.state, view, mayFocus)
  return view
}
