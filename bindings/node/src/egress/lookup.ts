// From a name to its addresses, once for each connection.

import { lookup, Resolver as PromisesResolver } from 'node:dns/promises'
import { Resolver as CallbackResolver } from 'node:dns'
import { isIP } from 'node:net'
import { promisify } from 'node:util'

import { HostboundError } from '../errors.js'

/** Gives all addresses of a host name, as text without zone. It is called once for each connection, never for IP literals. */
export type LookUp = (hostname: string) => Promise<readonly string[]> | readonly string[]

/** The look-up that an option stands for. Default: the system's, in the order of its answer. */
export function lookUpOf(resolver: LookUp | PromisesResolver | CallbackResolver | undefined): LookUp {
  if (resolver === undefined) return systemLookUp
  if (typeof resolver === 'function') return resolver
  if (resolver instanceof PromisesResolver) {
    return byQueries((host) => resolver.resolve4(host), (host) => resolver.resolve6(host))
  }
  if (resolver instanceof CallbackResolver) {
    const resolve4 = promisify((host: string, done: Done) => resolver.resolve4(host, done))
    const resolve6 = promisify((host: string, done: Done) => resolver.resolve6(host, done))
    return byQueries(resolve4, resolve6)
  }
  throw new HostboundError('HOSTBOUND_OPTION', '`resolver` is a Resolver of node:dns or a function')
}

/** The addresses of a host, each once. */
export async function lookUp(resolver: LookUp, host: string): Promise<readonly string[]> {
  const addresses: unknown = await resolver(host)
  if (Array.isArray(addresses) && addresses.every(isAddress)) return [...new Set(addresses)]
  throw new HostboundError('HOSTBOUND_OPTION', '`resolver` gave something else than a list of IP addresses')
}

type Done = (error: Error | null, addresses: string[]) => void
type Query = (host: string) => Promise<string[]>

async function systemLookUp(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: 'verbatim', verbatim: true })
  return found.map(({ address }) => address)
}

/** One A and one AAAA query. A family without an answer does not matter if the other has one. */
function byQueries(resolve4: Query, resolve6: Query): LookUp {
  return async (host) => {
    const answers = await Promise.allSettled([resolve4(host), resolve6(host)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (addresses.length === 0 && failed !== undefined) throw failed.reason
    return addresses
  }
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && isIP(value) !== 0 && !value.includes('%')
}
