// The engine in this page: shows what a policy makes of a request, where that could also be merely said.

/** @typedef {{decision: 'allow' | 'deny', status: number, reason: string | null, detail: string | null}} Judgement */

/** The smallest policy: what reads it reads all. */
const SMALLEST = 'version = 1\n[hosts]\nallow = ["localhost"]'

/** Judges requests by policies in TOML. */
export class PolicyEngine {
  #hostbound

  /** @param {any} hostbound the npm package's entry for browsers */
  constructor(hostbound) {
    this.#hostbound = hostbound
  }

  /**
   * What a policy says of a request as it arrived, and of the same request under the service's own name.
   *
   * @param {string} policy
   * @param {import('./types.js').ArrivedRequest} request
   * @param {string} authority the foreign name that it arrived under
   * @param {string} own the service's own name
   * @returns {Promise<{foreign: Judgement, own: Judgement}>}
   */
  async judge(policy, request, authority, own) {
    const { Guard, Policy } = this.#hostbound
    const guard = new Guard(await Policy.fromToml(policy))
    const renamed = request.headers.map(([name, value]) => /** @type {[string, string]} */ ([name, value.replaceAll(authority, own)]))
    return { foreign: decide(guard, request, request.headers), own: decide(guard, request, renamed) }
  }
}

/**
 * Loads the engine, and sees to it that it works.
 *
 * @returns {Promise<PolicyEngine>}
 */
export async function loadEngine() {
  if (typeof WebAssembly !== 'object') throw new Error('this browser has no WebAssembly')
  const hostbound = await import('../engine/dist/index.web.js')
  await hostbound.Policy.fromToml(SMALLEST)
  return new PolicyEngine(hostbound)
}

/**
 * @param {any} guard
 * @param {import('./types.js').ArrivedRequest} request
 * @param {[string, string][]} headers
 * @returns {Judgement}
 */
function decide(guard, { method, target }, headers) {
  const { decision, status, reason, detail } = guard.decide({ method, target, headers })
  return { decision, status, reason, detail }
}
