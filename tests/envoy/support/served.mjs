// One Envoy with one listener, the filter as `hostbound envoy` writes it, and a server that says what came.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { bootstrap, cluster, listener } from './bootstrap.mjs'
import { startEnvoy } from './envoy.mjs'
import { discovered, put, resource } from './filter.mjs'
import { Http1 } from './http1.mjs'
import { Http2 } from './http2.mjs'
import { echo } from './upstream.mjs'

/** Starts it with a policy, a file or an object. `servers` are told servers by cluster; other options are those of `resource` and `startEnvoy`. */
export async function served(t, policy, { servers = {}, ...options } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-served-'))
  const path = (name) => join(folder, name)
  const file = path('hostbound.json')
  put(file, resource(folder, policy, options))
  const log = []
  const upstream = await echo(path('upstream'))
  const clusters = [cluster('upstream', path('upstream')), ...Object.entries(servers).map(([name, socket]) => cluster(name, socket))]
  const config = { node: { id: 'test', cluster: 'test' }, ...bootstrap([listener('listener', path('listener'), 'upstream', [discovered(file)])], clusters) }
  const envoy = await startEnvoy(folder, config, { ...options, hear: (line) => log.push(line) })
  const clients = []
  t.after(async () => {
    clients.forEach((client) => client.close())
    await envoy.stop()
    await upstream.close()
    rmSync(folder, { recursive: true })
  })
  const client = (kind) => {
    const made = new kind({ path: path('listener') }, '127.0.0.1')
    clients.push(made)
    return made
  }
  return {
    envoy,
    folder,
    file,
    log,
    http1: () => client(Http1),
    http2: () => client(Http2),
    /** The verdicts that were logged. */
    verdicts: () => log.flatMap((line) => /\]\[(\w+)\]\[wasm\].*hostbound: (\{.*\})$/.exec(line)?.slice(1, 3) ?? []).flatMap((part, index, all) => (index % 2 ? [{ level: all[index - 1], ...JSON.parse(part) }] : [])),
  }
}

/** Waits until something is so. */
export async function until(holds, milliseconds = 10_000) {
  for (const end = performance.now() + milliseconds; !(await holds()); await new Promise((done) => setTimeout(done, 20))) {
    if (performance.now() > end) throw new Error(`not so within ${milliseconds} ms: ${holds}`)
  }
}
