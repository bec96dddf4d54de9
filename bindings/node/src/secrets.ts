import type { WasmSecrets } from '../wasm-node/hostbound.js'
import { HostboundError } from './errors.js'
import { compiledOf, engineOf, type Policy } from './policy.js'

/** The values of secrets and key sets: by the environment variable, the path or the name by which the policy refers to them. */
export type Secrets = Readonly<Record<string, string | Uint8Array>>

const encoder = new TextEncoder()

/**
 * The secrets of a policy for the engine, which copies them. Values that are not there the engine misses.
 *
 * @throws {@link HostboundError} `HOSTBOUND_OPTION` for a value that the policy does not refer to, or that is none.
 */
export function secretsFor(policy: Policy, secrets: Secrets): WasmSecrets {
  const found = new (engineOf(policy).WasmSecrets)()
  for (const [name, value] of Object.entries(secrets)) {
    const kinds = policy.secrets.filter((reference) => reference.name === name).map(({ kind }) => kind)
    if (kinds.length === 0) throw refusal(`no secret of the policy has the name \`${name}\``)
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) throw refusal(`the secret \`${name}\` is neither a string nor bytes`)
    const bytes = typeof value === 'string' ? encoder.encode(value) : value
    for (const kind of kinds) found.insert(compiledOf(policy), kind, name, bytes)
  }
  return found
}

function refusal(message: string): HostboundError {
  return new HostboundError('HOSTBOUND_OPTION', message)
}
