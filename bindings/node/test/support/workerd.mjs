// workerd, the runtime of Cloudflare's workers, from its npm package: compiles no WebAssembly from bytes.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const FILES = ['common', 'core', 'edge', 'engine', 'errors', 'guard', 'memory', 'pack', 'policy', 'reason', 'secrets', 'toml']

/** Starts a worker on a free port of 127.0.0.1 until the test has ended. Undefined if workerd does not run here. */
export async function startWorker(t, script) {
  const workerd = binary()
  if (workerd === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-workerd-'))
  writeFileSync(join(folder, 'config.capnp'), configuration(readFileSync(script, 'utf8')))
  const child = spawn(workerd, ['serve', 'config.capnp', '--import-path=/', '--control-fd=3', '--socket-addr=http=127.0.0.1:0'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  t.after(async () => {
    const ended = once(child, 'exit')
    child.kill()
    await ended
    rmSync(folder, { recursive: true })
  })
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`workerd ended with ${code}`)))
  failed.catch(() => {})
  const [line] = await Promise.race([once(createInterface({ input: child.stdio[3] }), 'line'), failed])
  return JSON.parse(line).port
}

/** The package's files as modules. The runtime compiles the engine. */
function configuration(script) {
  const text = (value) => JSON.stringify(value)
  const modules = [
    ['worker', 'esModule', text(script)],
    ['hostbound/edge', 'esModule', text("export * from './dist/edge.js'")],
    ['hostbound/hostbound.wasm', 'wasm', `embed ${text(`${PACKAGE}wasm/hostbound_bg.wasm`)}`],
    ['hostbound/hostbound-toml.wasm', 'wasm', `embed ${text(`${PACKAGE}wasm-toml/hostbound_bg.wasm`)}`],
    ['hostbound/wasm-toml/hostbound.js', 'esModule', `embed ${text(`${PACKAGE}wasm-toml/hostbound.js`)}`],
    ['hostbound/wasm/hostbound.js', 'esModule', `embed ${text(`${PACKAGE}wasm/hostbound.js`)}`],
    ...FILES.map((name) => [`hostbound/dist/${name}.js`, 'esModule', `embed ${text(`${PACKAGE}dist/${name}.js`)}`]),
  ]
  const lines = modules.map(([name, kind, value]) => `(name = ${text(name)}, ${kind} = ${value})`)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (compatibilityDate = "2026-10-01", modules = [${lines.join(', ')}]);
`
}

function binary() {
  try {
    const path = createRequire(import.meta.url)('workerd').default
    execFileSync(path, ['--version'])
    return path
  } catch {
    return undefined
  }
}
