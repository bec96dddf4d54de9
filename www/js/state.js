// The states of the page, and what leads from one to another. What each looks like is in `view/`.

/**
 * @typedef {'starting' | 'unsupported' | 'no-wasm' | 'no-lab' | 'offline' | 'idle' | 'consent' | 'running' | 'done' | 'cancelled' | 'failed'
 *   | 'shared' | 'shared-broken'} State
 */

/** @type {Record<State, Record<string, State>>} */
const TRANSITIONS = {
  starting: {
    lacking: 'unsupported',
    found: 'idle',
    absent: 'no-lab',
    unreachable: 'offline',
    engineless: 'no-wasm',
    fail: 'failed',
    open: 'shared',
    break: 'shared-broken',
  },
  unsupported: {},
  'no-wasm': { again: 'starting' },
  'no-lab': { again: 'starting' },
  idle: { choose: 'consent', open: 'shared', break: 'shared-broken' },
  consent: { back: 'idle', start: 'running' },
  running: { finish: 'done', cancel: 'cancelled', lose: 'offline', fail: 'failed' },
  done: { again: 'consent' },
  cancelled: { again: 'consent' },
  // The lab may be back, or another one.
  offline: { again: 'starting' },
  failed: { again: 'starting' },
  shared: { leave: 'starting', open: 'shared', break: 'shared-broken' },
  'shared-broken': { leave: 'starting', open: 'shared', break: 'shared-broken' },
}

/** Every state. */
export const STATES = /** @type {State[]} */ (Object.keys(TRANSITIONS))

/**
 * The state after an event; null where the event means nothing.
 *
 * @param {State} state
 * @param {string} event
 * @returns {State | null}
 */
export function next(state, event) {
  const ways = TRANSITIONS[state]
  return Object.hasOwn(ways, event) ? (ways[event] ?? null) : null
}
