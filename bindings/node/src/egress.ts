/**
 * Hostbound for outbound requests: the URL is judged before the look-up, the addresses before the connection, and only these
 * are connected to. Needs `undici`.
 *
 * @example
 * ```js
 * import { hostboundEgress } from 'hostbound/egress'
 *
 * const egress = await hostboundEgress({ policy: 'hostbound.toml' })
 * const response = await egress.fetch('https://api.example.com/orders')
 * ```
 *
 * @module
 */

import type { Resolver as CallbackResolver } from 'node:dns'
import type { Resolver } from 'node:dns/promises'

import { Connector } from './egress/connect.js'
import { proxiesOfEnvironment } from './egress/dispatcher.js'
import { Egress } from './egress/egress.js'
import { EgressEngine } from './egress/engine.js'
import { EgressGuard, type OnDeny } from './egress/guard.js'
import { type LookUp, lookUpOf } from './egress/lookup.js'
import { HostboundError } from './errors.js'
import type { Log } from './node/lines.js'

export type { DispatcherOptions } from './egress/dispatcher.js'
export type { Egress, JudgedWith } from './egress/egress.js'
export { EgressError, type EgressFailure } from './egress/error.js'
export type { FetchInput, RequestLike } from './egress/fetch.js'
export type { OnDeny } from './egress/guard.js'
export type { LookUp } from './egress/lookup.js'
export type { EgressIdentity, EgressReason, EgressReport, EgressRequest, EgressVerdict } from './egress/verdict.js'
export { HostboundError, PolicyError, type ErrorCode, type PolicyMistake } from './errors.js'
export type { Log } from './node/lines.js'

/** How outbound requests are guarded. */
export interface EgressOptions {
  /** The path of the policy's file, in TOML or JSON; or a `Policy`; or an object of the shape of a policy's JSON. */
  readonly policy: string | URL | object
  /** The folder that paths in the policy are relative to, of a policy that has no file. Default: the working directory. */
  readonly folder?: string | undefined
  /**
   * How names become addresses: a `Resolver` of `node:dns` (one A and one AAAA query), or a function. Default: the system's
   * look-up. It is asked once for each connection.
   */
  readonly resolver?: LookUp | Resolver | CallbackResolver | undefined
  /** How long a look-up, the connection and TLS may take together, in milliseconds. Default: 10000. */
  readonly timeout?: number | undefined
  /** Called for a request that is refused. */
  readonly onDeny?: OnDeny | undefined
  /** Where lines of JSON go, as with `hostbound`: default standard error; false: nowhere. */
  readonly log?: Log | false | undefined
}

/**
 * Reads the policy and makes a guard of it.
 *
 * @throws {@link PolicyError} if the policy is refused, the file system's error if it cannot be read, {@link HostboundError}
 * `HOSTBOUND_OPTION` for options that cannot be.
 */
export async function hostboundEgress(options: EgressOptions): Promise<Egress> {
  const { policy, folder, resolver, timeout = 10_000, onDeny, log = console.error } = options
  if (!Number.isFinite(timeout) || timeout <= 0) {
    throw new HostboundError('HOSTBOUND_OPTION', '`timeout` is a positive number of milliseconds')
  }
  const lookUp = lookUpOf(resolver)
  const guard = new EgressGuard(await EgressEngine.load(policy, folder), log === false ? undefined : log, onDeny)
  guard.started(proxiesOfEnvironment())
  return new Egress(guard, new Connector(guard, lookUp, timeout))
}
