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

import type { EgressOptions } from './egress.js'
import { Guard, type GuardOptions, type Policy } from './index.node.js'
import { Asker } from './node/asker.js'
import { type BodyBounds, type Hooks, type HostboundSources, NodeGuard } from './node/guard.js'
import type { Log } from './node/lines.js'
import { Reporter } from './node/log.js'
import type { ReplayStore } from './node/replay.js'
import { loaderOf } from './node/sources.js'

export * from './index.node.js'
export type { BodyBounds, Hooks, HostboundSources, Message, NodeGuard } from './node/guard.js'
export type { Log } from './node/lines.js'
export type { ProtectableServer } from './node/protect.js'
export type { ReplayStore } from './node/replay.js'

/** How a service is guarded. */
export interface HostboundOptions extends BodyBounds, Hooks, HostboundSources {
  /**
   * Exact hosts that are appended to the policy's, beside those in the environment variable `HOSTBOUND_ALLOWED_HOSTS`
   * (separated by commas). Not with a `Policy`, which is compiled already.
   */
  readonly allowHosts?: readonly string[] | undefined
  /** Where used nonces are kept: a store that processes share, such as that of `hostbound/redis`. Default: in this process. */
  readonly replay?: ReplayStore | undefined
  /** What verifies signatures of tokens: see {@link GuardOptions.verifier}. */
  readonly verifier?: GuardOptions['verifier']
  /**
   * How key sets and introspection endpoints are reached, if the policy has any: `resolver` as with `hostboundEgress`. They are asked as
   * section `egress` of the policy says, with `undici`.
   */
  readonly egress?: Pick<EgressOptions, 'resolver'> | undefined
  /**
   * Where lines of JSON go: one at the start, one for each denial and report, at most ten of these a second. Default:
   * standard error. False: nowhere.
   */
  readonly log?: Log | false | undefined
}

/**
 * Reads the policy and its secrets and makes a guard of them.
 *
 * @throws {@link PolicyError} if the policy or a secret is refused, the file system's error if one cannot be read,
 * {@link HostboundError} `HOSTBOUND_OPTION` for options that cannot be: a service without a valid policy must not start.
 */
export async function hostbound(options: HostboundOptions): Promise<NodeGuard> {
  const { onDeny, onReport, identity, replay, bodyTimeout, bodyMemory, verifier, log = console.error } = options
  const reporter = new Reporter(log === false ? undefined : log)
  const load = loaderOf({ policy: options.policy, secrets: options.secrets }, options.allowHosts)
  const loadAsker = async (guard: Guard, policy: Policy, folder: string): Promise<Asker | undefined> =>
    policy.needsFetching ? Asker.load(guard, { policy, folder, resolver: options.egress?.resolver, log: false }, reporter) : undefined
  const { policy, secrets, folder } = await load()
  const hooks = { onDeny, onReport, identity }
  const guard = new NodeGuard(new Guard(policy, { secrets, verifier }), reporter, hooks, load, loadAsker, replay, { bodyTimeout, bodyMemory })
  await guard.begin(folder)
  reporter.started(policy)
  return guard
}
