/**
 * Hostbound in front of a Node server: nothing is served before the verdict.
 *
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { hostbound } from 'hostbound/node'
 *
 * const guard = await hostbound({ policy: 'hostbound.toml' })
 * guard.protect(createServer(app)).listen(8080, '127.0.0.1')
 * ```
 *
 * @module
 */

import { Guard, HostboundError, Policy, type PolicyOptions } from './index.node.js'
import { type Hooks, NodeGuard } from './node/guard.js'
import type { Log } from './node/lines.js'
import { Reporter } from './node/log.js'

export * from './index.node.js'
export type { Hooks, Message, NodeGuard } from './node/guard.js'
export type { Log } from './node/lines.js'
export type { ProtectableServer } from './node/protect.js'

/** How a service is guarded. */
export interface HostboundOptions extends Hooks {
  /** The path of the policy's file, in TOML or JSON; or a policy; or an object of the shape of a policy's JSON. */
  readonly policy: string | URL | Policy | object
  /**
   * Exact hosts that are appended to the policy's, beside those in the environment variable `HOSTBOUND_ALLOWED_HOSTS`
   * (separated by commas). Not with a `Policy`, which is compiled already.
   */
  readonly allowHosts?: readonly string[] | undefined
  /**
   * Where lines of JSON go: one at the start, one for each denial and report, at most ten of these a second. Default:
   * standard error. False: nowhere.
   */
  readonly log?: Log | false | undefined
}

/**
 * Reads the policy and makes a guard of it.
 *
 * @throws {@link PolicyError} if the policy is refused, the file system's error if it cannot be read, {@link HostboundError}
 * `HOSTBOUND_OPTION` for options that cannot be: a service without a valid policy must not start.
 */
export async function hostbound(options: HostboundOptions): Promise<NodeGuard> {
  const { onDeny, onReport, identity, log = console.error } = options
  const reporter = new Reporter(log === false ? undefined : log)
  const policy = await policyOf(options)
  reporter.started(policy)
  return new NodeGuard(new Guard(policy), reporter, { onDeny, onReport, identity })
}

async function policyOf({ policy, allowHosts }: HostboundOptions): Promise<Policy> {
  if (policy instanceof Policy) {
    if (allowHosts === undefined) return policy
    throw new HostboundError('HOSTBOUND_OPTION', '`allowHosts` comes too late: the policy is compiled already')
  }
  const options = hostsToAllow(allowHosts)
  if (typeof policy === 'string' || policy instanceof URL) return Policy.fromFile(policy, options)
  if (typeof policy === 'object' && policy !== null) return Policy.fromObject(policy, options)
  throw new HostboundError('HOSTBOUND_OPTION', '`policy` is a path, a Policy or an object')
}

function hostsToAllow(option: readonly string[] | undefined): PolicyOptions {
  const listed = process.env.HOSTBOUND_ALLOWED_HOSTS ?? ''
  const fromEnvironment = listed.split(',').map((host) => host.trim()).filter((host) => host !== '')
  if (fromEnvironment.length === 0) return { allowHosts: option }
  if (option === undefined) return { allowHosts: fromEnvironment, allowHostsSource: 'HOSTBOUND_ALLOWED_HOSTS' }
  return { allowHosts: [...option, ...fromEnvironment], allowHostsSource: 'allowHosts and HOSTBOUND_ALLOWED_HOSTS' }
}
