// An Envoy: started from a bootstrap, with its log split into lines, asked over its admin interface, and ended.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'

const PROGRAM = process.env.ENVOY ?? 'envoy'
const READY_WITHIN_MS = 60_000
/** How many of its last lines are told when it ends early. */
const TOLD = 20

/**
 * Starts an Envoy with a bootstrap of JSON, or of YAML as text, and waits until it serves. `hear` is called with every line of its log. `folder` has to be
 * there, and gets its configuration and its admin socket.
 */
export async function startEnvoy(folder, bootstrap, { hear = () => {}, env = {}, workers = 1, levels = ['warning', 'wasm:info'] } = {}) {
  const admin = join(folder, 'admin.sock')
  const own = JSON.stringify({ admin: { address: { pipe: { path: admin } } } })
  const config = written(folder, bootstrap)
  const [level, ofComponents] = levels
  const log = ['--log-level', level, ...(ofComponents === undefined ? [] : ['--component-log-level', ofComponents])]
  const words = ['--config-path', config, '--config-yaml', own, '--concurrency', String(workers), '--disable-hot-restart', ...log]
  const child = spawn(PROGRAM, words, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  const last = []
  heard(child.stderr, (line) => {
    if (last.push(line) > TOLD) last.shift()
    hear(line)
  })
  const ended = once(child, 'close')
  const envoy = new Envoy(child, admin, ended)
  const end = performance.now() + READY_WITHIN_MS
  while (!(await envoy.isReady())) {
    if (child.exitCode === null && child.signalCode === null && performance.now() < end) await later(10)
    else {
      await envoy.stop()
      assert.fail(`Envoy does not serve (exit ${child.exitCode ?? child.signalCode}):\n${last.join('\n')}`)
    }
  }
  return envoy
}

/** What `envoy --mode validate` says of a bootstrap: whether it may be started, and why not. */
export function validated(folder, bootstrap) {
  const words = ['--mode', 'validate', '--config-path', written(folder, bootstrap), '--log-level', 'warning', '--component-log-level', 'wasm:info']
  const { status, stderr } = spawnSync(PROGRAM, words, { encoding: 'utf8' })
  return { isValid: status === 0, log: stderr }
}

/** The file of a bootstrap. */
function written(folder, bootstrap) {
  const isText = typeof bootstrap === 'string'
  const path = join(folder, isText ? 'envoy.yaml' : 'envoy.json')
  writeFileSync(path, isText ? bootstrap : JSON.stringify(bootstrap))
  return path
}

class Envoy {
  #child
  #admin
  #ended

  constructor(child, admin, ended) {
    this.#child = child
    this.#admin = admin
    this.#ended = ended
  }

  /** How much memory it takes, in bytes. */
  get memory() {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))
    return Number(kib) * 1024
  }

  /** The counters of its filters whose names begin with a word: those that are not 0. */
  async counters(start = 'hostbound.') {
    const { text } = await this.ask('/stats?usedonly&filter=^wasmcustom\\.')
    const counters = text.split('\n').map((line) => /^wasmcustom\.(\S+): (\d+)$/.exec(line)?.slice(1) ?? [''])
    return Object.fromEntries(counters.filter(([name]) => name.startsWith(start)).map(([name, count]) => [name, Number(count)]))
  }

  /** The port of a listener that was given none. */
  async portOf(name) {
    const { listener_statuses: listeners } = JSON.parse((await this.ask('/listeners?format=json')).text)
    return listeners.find((listener) => listener.name === name).local_address.socket_address.port_value
  }

  get pid() {
    return this.#child.pid
  }

  /** What the admin interface answers. */
  async ask(path, method = 'GET') {
    const [answer] = await once(request({ socketPath: this.#admin, path, method }).end(), 'response')
    let text = ''
    for await (const chunk of answer.setEncoding('utf8')) text += chunk
    return { status: answer.statusCode, text }
  }

  isReady() {
    return this.ask('/ready').then(
      ({ status }) => status === 200,
      () => false,
    )
  }

  async stop() {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** Calls with every whole line of a stream. */
function heard(stream, hear) {
  let rest = ''
  stream.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    lines.forEach(hear)
  })
}
