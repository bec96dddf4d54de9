// The states of the page, and what leads from one to another. What each looks like is in `view/`.

/**
 * @typedef {'starting' | 'unsupported' | 'no-wasm' | 'no-lab' | 'offline' | 'idle' | 'consent' | 'running' | 'done' | 'cancelled' | 'failed'
 *   | 'shared' | 'shared-broken'} State
 */

/** The address came to hold a shared result, or a broken one. @type {Record<string, State>} */
const LINK = { open: 'shared', break: 'shared-broken' }

/** @type {Record<State, Record<string, State>>} */
const TRANSITIONS = {
  starting: {
    lacking: 'unsupported',
    found: 'idle',
    absent: 'no-lab',
    unreachable: 'offline',
    engineless: 'no-wasm',
    fail: 'failed',
    ...LINK,
  },
  unsupported: {},
  'no-wasm': { again: 'starting', ...LINK },
  'no-lab': { again: 'starting', ...LINK },
  idle: { choose: 'consent', ...LINK },
  consent: { back: 'idle', start: 'running', ...LINK },
  running: { finish: 'done', cancel: 'cancelled', lose: 'offline', fail: 'failed' },
  done: { again: 'consent', ...LINK },
  cancelled: { again: 'consent', ...LINK },
  // The lab may be back, or another one.
  offline: { again: 'starting', ...LINK },
  failed: { again: 'starting', ...LINK },
  shared: { leave: 'starting', ...LINK },
  'shared-broken': { leave: 'starting', ...LINK },
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
