// The lab behind the page: what it is, and the events of a run. What a run came to is kept by `record.js`.

import { lines } from './ndjson.js'

/** The format of `lab.json` that this page knows. */
const FORMAT = 1

/** The lab, or the network to it, went away. */
export class LostError extends Error {
  name = 'LostError'
}

/** The lab answered something that ends the run. */
export class LabError extends Error {
  name = 'LabError'
}

/**
 * @typedef {{kind: 'lab', lab: import('./types.js').LabFacts} | {kind: 'absent'} | {kind: 'unreachable'} | {kind: 'other', message: string}} Found
 * @returns {Promise<Found>}
 */
export async function findLab() {
  /** @type {Response} */
  let response
  try {
    response = await fetch('lab.json', { cache: 'no-store' })
  } catch {
    return { kind: 'unreachable' }
  }
  const lab = response.ok ? await response.json().catch(() => null) : null
  if (typeof lab !== 'object' || lab === null || !Number.isInteger(lab.format)) return { kind: 'absent' }
  if (lab.format !== FORMAT) {
    return { kind: 'other', message: `the lab speaks format ${lab.format}, and this page format ${FORMAT}: they are of different versions` }
  }
  return { kind: 'lab', lab }
}

/**
 * Carries a run out; aborting `signal` cancels it.
 *
 * @param {number[]} ports
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<import('./types.js').LabEvent, void>}
 * @throws {LostError | LabError} and the signal's own error when it is aborted
 */
export async function* runLab(ports, signal) {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ports }), signal }
  /** @type {Response} */
  let response
  try {
    response = await fetch('run', request)
  } catch (error) {
    signal.throwIfAborted()
    throw new LostError('the lab does not answer', { cause: error })
  }
  if (!response.ok || response.body === null) throw new LabError(await refusal(response))
  const events = lines(response.body)
  for (;;) {
    /** @type {IteratorResult<unknown, void>} */
    let next
    try {
      next = await events.next()
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SyntaxError || error instanceof RangeError) throw new LabError('the lab sent what is no list of events')
      throw new LostError('the lab stopped in the middle of the run', { cause: error })
    }
    if (next.done) throw new LostError('the lab stopped before the run was over')
    const event = /** @type {import('./types.js').LabEvent} */ (next.value)
    if (event.event === 'failed') throw new LabError(String(event.message))
    yield event
    if (event.event === 'done') return
  }
}

/** @param {Response} response */
async function refusal(response) {
  const body = await response.json().catch(() => null)
  const reason = typeof body?.error === 'string' ? `: ${body.error}` : ''
  return `the lab answered ${response.status}${reason}`
}
