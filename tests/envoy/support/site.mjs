// One Envoy with the filter before a server that records, on a listener for every policy that a test needs; and the signs that the filter lives.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { bootstrap, cluster, hostboundFilter, listener } from './bootstrap.mjs'
import { Clock, clockLibrary } from './clock.mjs'
import { startEnvoy } from './envoy.mjs'
import { Frames, headers, pseudo } from './frames.mjs'
import { exchanged, text } from './raw.mjs'
import { recorder } from './recorder.mjs'

export const MODULE = process.env.HOSTBOUND_ENVOY_MODULE ?? fileURLToPath(new URL('../../../bindings/envoy/wasm/hostbound.wasm', import.meta.url))
/** A published test secret. */
export const SECRET = 'published-test-key-0123456789abcdef'
const START = 1_767_225_600
/** How much later requests are: those before a store's first seconds are refused. */
const LATER = 60
const TROUBLE = /\]\[(error|critical)\]/

/** A policy with a place for everything: `/open`, and `/signed`. */
export const POLICY = {
  version: 1,
  hosts: { allow: ['localhost'] },
  origins: { allow: ['self'], absent: 'allow' },
  signatures: { api: { profile: 'host-nonce', keys: [{ id: 'k1', secret: { env: 'KEY' } }] } },
  routes: [{ path: '/open/**', require: [] }, { path: '/signed/**', require: ['signature:api'] }],
}

/** The connection manager of a listener. */
export function managerOf(listener) {
  return listener.filter_chains[0].filters[0].typed_config
}

/** What Envoy speaks to a cluster. */
function protocolOf({ typed_extension_protocol_options: options }) {
  return options['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'].explicit_http_config
}

export class Site {
  troubles = []
  lines = []
  #folder = mkdtempSync(join(tmpdir(), 'hostbound-site-'))
  #parts = []

  /**
   * Filters by the name of their listener: `{policy, secrets, servers, identity, vm, name}`. `clusters` are names of others that
   * may be served at their path; `patch` may change the bootstrap.
   */
  static async open(filters, { clusters = [], workers = 1, patch = () => {} } = {}) {
    const site = new Site()
    const upstream = site.path('upstream')
    site.upstream = await site.with(recorder(upstream))
    site.clock = new Clock(clockLibrary(site.#folder), join(site.#folder, 'clock'), START)
    site.listeners = Object.fromEntries(Object.keys(filters).map((name) => [name, { path: site.path(name) }]))
    const listeners = Object.entries(filters).map(([name, filter]) => site.listener(name, filter))
    const config = bootstrap(listeners, [cluster('upstream', upstream), ...clusters.map((name) => cluster(name, site.path(name)))])
    // Trailers get to the server.
    Object.assign(protocolOf(config.static_resources.clusters[0]).http_protocol_options, { enable_trailers: true })
    patch(config, site)
    site.envoy = await startEnvoy(site.#folder, config, { env: site.clock.env, workers, hear: (line) => site.#hear(line) })
    site.#parts.push({ close: () => site.envoy.stop() })
    site.now = START + LATER
    site.clock.set(site.now)
    site.before = await site.#created()
    return site
  }

  path(name) {
    return join(this.#folder, `${name}.sock`)
  }

  /** A listener of that name, for a bootstrap. */
  listener(name, { policy = POLICY, secrets = policy.signatures ? { KEY: SECRET } : {}, servers = {}, identity = true, vm = 'hostbound', name: plugin = 'hostbound' } = {}) {
    const filter = hostboundFilter(MODULE, { policy, secrets, servers, identity_headers: identity, log: 'all' }, { vm })
    filter.typed_config.config.name = plugin
    return listener(name, this.path(name), 'upstream', [filter])
  }

  /** Something that is closed with the site. */
  async with(opening) {
    const part = await opening
    this.#parts.push(part)
    return part
  }

  /** The headers of a signature by `host-nonce`. */
  signature(method, target, body = '', { nonce = this.nonce(), host = 'localhost', now = this.now } = {}) {
    const mac = createHmac('sha256', SECRET).update(`${method}\n${host}\n${target}\n${now}\n${nonce}\n`).update(Buffer.from(body, 'latin1'))
    return { 'x-api-signature': mac.digest('hex'), 'x-timestamp': String(now), 'x-nonce': nonce }
  }

  nonce() {
    this.last = (this.last ?? 0) + 1
    return `nonce-of-a-test-${this.last}`
  }

  /** Bytes over HTTP/1. */
  raw(name, parts, options) {
    return exchanged(this.listeners[name], parts, options)
  }

  /** A request over HTTP/1: its status, and the whole answer. */
  async ask(name, method, target, fields = {}, body = '', options = {}) {
    const framing = body === '' || fields['transfer-encoding'] ? {} : { 'content-length': String(body.length) }
    const { statuses, text: received, how } = await this.raw(name, text(method, target, { host: 'localhost', ...framing, ...fields }, body), options)
    return { status: statuses[0], text: received, how }
  }

  /** A signed one. */
  askSigned(name, method, target, body = '', fields = {}) {
    return this.ask(name, method, target, { ...this.signature(method, target, body), ...fields }, body)
  }

  /** What reached the server since the last call. */
  reached() {
    return this.upstream.requests.splice(0)
  }

  /** The verdicts since `lines` was emptied, as they were logged. */
  get verdicts() {
    const lines = this.lines.filter((line) => line.includes('hostbound: {'))
    return lines.map((line) => JSON.parse(line.slice(line.indexOf('hostbound: {') + 11)))
  }

  async stats(filter) {
    const { text: answer } = await this.envoy.ask(`/stats?filter=${filter}`)
    return Object.fromEntries(answer.trim().split('\n').filter(Boolean).map((line) => line.split(': ')))
  }

  /** The worker lives, its VM is the one of the start, no request was one that the filter could not judge, and the log has no errors but what it `expects`. */
  async assertAlive(name, what, { expects = /^$/ } = {}) {
    assert.equal((await this.ask(name, 'GET', '/open/honest')).status, 200, `${what}: an honest request`)
    assert.equal((await this.ask(name, 'GET', '/open/honest', { host: 'foreign.example' })).status, 421, `${what}: a foreign host`)
    const frames = await Frames.open(this.listeners[name])
    frames.write(headers(1, pseudo('GET', '/open/honest')), headers(3, pseudo('GET', '/open/honest', 'foreign.example')))
    assert.deepEqual(await frames.over(1, 3), [200, 421], `${what}: over HTTP/2`)
    frames.close()
    this.upstream.requests = this.upstream.requests.filter(({ line }) => !line.includes('/open/honest'))
    for (const [stat, value] of Object.entries(await this.stats('vm_reload|hostbound.failed'))) assert.equal(value, '0', `${what}: ${stat}`)
    assert.equal(await this.#created(), this.before, `${what}: VMs that were created`)
    assert.deepEqual(this.troubles.splice(0).filter((line) => !expects.test(line)), [], `${what}: the log`)
  }

  async close() {
    for (const part of this.#parts.reverse()) await part.close()
    this.clock.close()
    rmSync(this.#folder, { recursive: true })
  }

  async #created() {
    return (await this.stats('v8.created'))['wasm.envoy.wasm.runtime.v8.created']
  }

  #hear(line) {
    this.lines.push(line)
    if (TROUBLE.test(line)) this.troubles.push(line)
  }
}
