// The lab's reasons for its conclusion, in words for people.

import { capital, plain } from './text.js'

/** How the lab says that a method, or all of them, did not read its unprotected service. */
const CONTROL = /^negative control: no case(?: by ([a-z]+))? read the canary without a guard/

/** @param {string} reason @returns {string} */
export function reasonText(reason) {
  const found = CONTROL.exec(reason)
  if (found === null) return capital(plain(reason, 500))
  const [, method] = found
  if (method === undefined) return 'The lab’s own unprotected service was not read either, so refusals in this run prove nothing.'
  return `By ${method} the lab’s own unprotected service was not read either, so refusals by ${method} prove nothing.`
}

/**
 * Whether the lab's unprotected service was read by no attempt at all: then nothing that was stopped proves anything.
 *
 * @param {import('./record.js').RunRecord} record
 */
export function controlFailed(record) {
  const canaries = new Set(record.targets.filter(({ kind }) => kind === 'canary').map(({ name }) => name))
  return !record.attempts.some(({ plan, result }) => canaries.has(plan.target) && result?.outcome === 'reached_readable')
}
