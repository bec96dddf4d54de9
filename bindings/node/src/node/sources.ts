import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { HostboundError } from '../errors.js'
import { Policy } from '../index.node.js'
import { Policy as AnyPolicy, type PolicyOptions, type SecretReference } from '../policy.js'
import type { Secrets } from '../secrets.js'
import type { HostboundSources, Loader } from './guard.js'

/** Remembers where policy and secrets come from, and reads them. */
export function loaderOf(sources: HostboundSources, allowHosts: readonly string[] | undefined): Loader {
  let known = sources
  return async (changes = {}) => {
    const next = { ...known, ...changes }
    const policy = await policyOf(next.policy, allowHosts)
    const secrets = await secretsOf(policy.secrets, next)
    known = next
    return { policy, secrets, folder: folderOf(next.policy) }
  }
}

async function policyOf(policy: HostboundSources['policy'], allowHosts: readonly string[] | undefined): Promise<AnyPolicy> {
  if (policy instanceof AnyPolicy) {
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

/** The secrets and key sets that the policy refers to, as far as they are there: the engine says which are missing. */
export async function secretsOf(references: readonly SecretReference[], { policy, secrets = {} }: HostboundSources): Promise<Secrets> {
  const found: Record<string, string | Uint8Array> = { ...secrets }
  for (const { kind, name } of references) {
    if (Object.hasOwn(found, name)) continue
    if (kind === 'env') {
      const value = process.env[name]
      if (value !== undefined) found[name] = value
    } else if (kind === 'file') {
      found[name] = await readFile(resolve(folderOf(policy), name))
    }
  }
  return found
}

function folderOf(policy: HostboundSources['policy']): string {
  if (policy instanceof URL) return dirname(fileURLToPath(policy))
  return typeof policy === 'string' ? dirname(resolve(policy)) : process.cwd()
}
