// An Envoy on which runs of vectors take place: a listener for every policy, scheme, VM and filter that they need.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { secretsOf } from '../../../bindings/node/test/support/vectors.mjs'
import { bootstrap, cluster, hostboundFilter, listener } from './bootstrap.mjs'
import { policyOf } from './engine.mjs'
import { startEnvoy } from './envoy.mjs'
import { echo, toldInTurns } from './upstream.mjs'

const UPSTREAM = 'upstream'
/** Early enough for every vector. With a clock at 0 Envoy does not start. */
const EARLY = 86_400

export class Stage {
  #folder
  #listeners = new Map()
  #servers = new Map()
  #clusters = []
  #parts = []

  constructor(folder, module, tls) {
    mkdirSync(folder)
    Object.assign(this, { module, tls })
    this.#folder = folder
  }

  /** Starts an Envoy for runs, its replay stores as old as the vectors say. `hear` gets the lines of its log. */
  async open(runs, clock, epoch, hear) {
    // A store counts from the second after the one in which it is made.
    clock.set(epoch === 0 ? EARLY : epoch - 1)
    this.#clusters.push(cluster(UPSTREAM, this.#path('upstream')))
    this.#parts.push(await echo(this.#path('upstream')))
    for (const run of runs) {
      const policy = await policyOf(run.vector)
      const servers = await this.#serversOf(run)
      for (const step of run.steps) step.listener = this.#listenerOf(run, step.request.scheme === 'https', policy, servers)
    }
    const listeners = [...this.#listeners.values()].map(({ config }) => config)
    this.envoy = await startEnvoy(this.#folder, bootstrap(listeners, this.#clusters), { env: clock.env, hear })
  }

  /** The server that a run asks about tokens; undefined if it asks none. */
  serverOf({ instance }) {
    return this.#servers.get(instance)
  }

  async close() {
    await this.envoy?.stop()
    await Promise.all(this.#parts.map((part) => part.close()))
  }

  #path(name) {
    return join(this.#folder, `${name}.sock`)
  }

  /** The clusters of the origins of a policy: one server for all, of one run. */
  async #serversOf({ vector, instance }) {
    const urls = Object.values(urlsOf(vector.policy))
    if (urls.length === 0) return {}
    if (!this.#servers.has(instance)) {
      const path = this.#path(`server-${this.#servers.size}`)
      const server = Object.assign(await toldInTurns(path), { name: `server-${this.#servers.size}` })
      this.#servers.set(instance, server)
      this.#parts.push(server)
      this.#clusters.push(cluster(server.name, path))
    }
    return Object.fromEntries(urls.map((url) => [new URL(url).origin, this.#servers.get(instance).name]))
  }

  #listenerOf({ vector, vm, instance }, isSecure, policy, servers) {
    const key = JSON.stringify([policy.digest, vector.policy, vm, instance, isSecure])
    if (!this.#listeners.has(key)) {
      const path = this.#path(String(this.#listeners.size))
      const configuration = { policy: vector.policy, secrets: secretsOf(policy, vector.secrets), servers, log: 'all' }
      const filter = hostboundFilter(this.module, configuration, { vm: `vm-${vm}`, name: `${policy.digest} ${instance}` })
      this.#listeners.set(key, { path, tls: isSecure, config: listener(key, path, UPSTREAM, [filter], isSecure ? this.tls : undefined) })
    }
    return this.#listeners.get(key)
  }
}

/** What a policy asks over the network, by section. */
export function urlsOf({ tokens = {} }) {
  const urls = Object.entries(tokens).map(([name, { keys, introspection }]) => [name, introspection?.url ?? keys?.url])
  return Object.fromEntries(urls.filter(([, url]) => url !== undefined))
}
