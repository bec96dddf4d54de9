/**
 * Signed requests from Node: a `fetch` and an undici interceptor that sign each request as it is sent.
 *
 * @example
 * ```js
 * import { hostboundSigner } from 'hostbound/sign'
 *
 * const signer = await hostboundSigner({ policy: 'hostbound.toml', section: 'partner' })
 * await signer.fetch('https://api.partner.example/orders', { method: 'POST', body: '{"id":7}' })
 * ```
 *
 * @module
 */

import { HostboundError } from './errors.js'
import { Guard } from './index.node.js'
import type { HostboundSources } from './node/guard.js'
import { loaderOf } from './node/sources.js'
import { type Fetch, Signer } from './sign/signer.js'

export { HostboundError, PolicyError, type ErrorCode, type PolicyMistake } from './errors.js'
export type { SignedRequest } from './guard.js'
export type { HttpRequest } from './request.js'
export type { Fetch, Interceptor, SignedInit, Signer } from './sign/signer.js'

/** By what requests are signed. */
export interface SignerOptions<Answer = Response> extends HostboundSources {
  /** The `signatures` section. Default: the policy's only one. */
  readonly section?: string | undefined
  /** The key. Default: the first that signs for the request's host. */
  readonly keyId?: string | undefined
  /** What sends the requests of {@link Signer.fetch}, such as that of `hostbound/egress`. Default: the global `fetch`. */
  readonly fetch?: Fetch<Answer> | undefined
}

/**
 * Reads the policy and its secrets and makes a signer of them.
 *
 * @throws {@link PolicyError} if the policy or a secret is refused, {@link HostboundError} `HOSTBOUND_OPTION` for options that cannot
 * be.
 */
export async function hostboundSigner<Answer = Response>(options: SignerOptions<Answer>): Promise<Signer<Answer>> {
  const { policy, secrets } = await loaderOf({ policy: options.policy, secrets: options.secrets }, undefined)()
  const [only, ...others] = policy.signatures
  const section = options.section ?? (others.length === 0 ? only : undefined)
  if (section === undefined || !policy.signatures.includes(section)) {
    throw new HostboundError('HOSTBOUND_OPTION', `\`section\` names one of the policy's signatures: ${policy.signatures.join(', ') || 'it has none'}`)
  }
  return new Signer(new Guard(policy, { secrets }), section, options.keyId, options.fetch ?? (fetch as Fetch<unknown> as Fetch<Answer>))
}
