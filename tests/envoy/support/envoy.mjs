// An Envoy: started from a bootstrap, with its log split into lines, asked over its admin interface, and ended.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'

const PROGRAM = process.env.ENVOY ?? 'envoy'
const READY_WITHIN_MS = 60_000
/** How many of its last lines are told when it ends early. */
const TOLD = 20

/**
 * Starts an Envoy with a bootstrap of JSON and waits until it serves. `hear` is called with every line of its log. `folder` has to be there, and gets
 * its configuration and its admin socket.
 */
export async function startEnvoy(folder, bootstrap, { hear = () => {}, env = {}, workers = 1 } = {}) {
  const admin = join(folder, 'admin.sock')
  const config = join(folder, 'envoy.json')
  writeFileSync(config, JSON.stringify({ admin: { address: { pipe: { path: admin } } }, ...bootstrap }))
  const words = ['--config-path', config, '--concurrency', String(workers), '--disable-hot-restart', '--log-level', 'warning', '--component-log-level', 'wasm:info']
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

class Envoy {
  #child
  #admin
  #ended

  constructor(child, admin, ended) {
    this.#child = child
    this.#admin = admin
    this.#ended = ended
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
