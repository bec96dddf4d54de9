// The package as it is published: what is in it, and that TypeScript, Node and bundlers find it.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { inRepository } from './support/files.mjs'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Runs a program of a development dependency; its output is the message if it fails. */
function run(name, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin(name), ...args], { cwd: PACKAGE, encoding: 'utf8' })
  assert.equal(status, 0, `${name} ${args.join(' ')}\n${stdout}${stderr}`)
}

function bin(name) {
  const folder = new URL(`../node_modules/${name}/`, import.meta.url)
  const { bin } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'))
  return fileURLToPath(new URL(typeof bin === 'string' ? bin : Object.values(bin)[0], folder))
}

test('nothing is needed at run time', () => {
  assert.deepEqual([manifest.dependencies, manifest.optionalDependencies], [undefined, undefined])
  // For `hostbound/egress`, and where the application hands over a client or a dispatcher of its own.
  assert.deepEqual(manifest.peerDependencies, { ioredis: '>=5 <7', redis: '>=4 <7', undici: '>=7 <9' })
  assert.deepEqual(manifest.peerDependenciesMeta, { ioredis: { optional: true }, redis: { optional: true }, undici: { optional: true } })
  assert.equal(manifest.scripts.postinstall, undefined)
  for (const version of Object.values(manifest.devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, 'pinned')
})

test('what is exported is there', async () => {
  const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(targets))
  for (const target of targets(manifest.exports)) assert.ok(readFileSync(new URL(`../${target}`, import.meta.url)).length > 0, target)
  const names = async (entry) => Object.keys(await import(entry)).sort()
  const common = ['Guard', 'HostboundError', 'Policy', 'PolicyError', 'REASON_CODES', 'isDenied', 'needsAnswer', 'needsBody', 'reasonOf', 'statusOf']
  assert.deepEqual(await names('hostbound'), common)
  assert.deepEqual(await names('hostbound/node'), [...common, 'KeySet', 'hostbound'].sort())
  assert.deepEqual(await names('hostbound/edge'), [...common, 'initialize'].sort())
  assert.deepEqual(await names('hostbound/egress'), ['EgressError', 'HostboundError', 'PolicyError', 'hostboundEgress'])
  assert.deepEqual(await names('hostbound/sign'), ['HostboundError', 'PolicyError', 'hostboundSigner'])
  assert.deepEqual(await names('hostbound/redis'), ['HostboundError', 'redisReplay'])
  assert.deepEqual(await names('hostbound/browser'), ['HostboundError', 'PageError', 'PolicyError', 'protect'])
  assert.deepEqual(await names('hostbound/browser/worker'), ['guardWorker'])
  const modules = ['hostbound/hostbound.wasm', 'hostbound/hostbound-toml.wasm'].map((entry) => readFileSync(new URL(import.meta.resolve(entry))))
  for (const module of modules) assert.ok(WebAssembly.validate(module))
  assert.notDeepEqual(modules[0], modules[1])
})

test('the package holds what is exported, and nothing else', () => {
  const said = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: PACKAGE, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  const { files, size } = said[0] ?? said.hostbound
  const paths = files.map(({ path }) => path).filter((path) => !path.startsWith('LICENSE'))
  const others = paths.filter((path) => !/^dist\/[a-z./]+\.(js|d\.ts)$/.test(path))
  assert.deepEqual(others.sort(), [
    'README.md', 'hostbound.wasm.d.ts', 'package.json', 'wasm/hostbound.d.ts', 'wasm/hostbound.js', 'wasm/hostbound_bg.wasm',
    'wasm-node/hostbound.d.ts', 'wasm-node/hostbound.js', 'wasm-node/hostbound_bg.wasm',
    'wasm-toml/hostbound.d.ts', 'wasm-toml/hostbound.js', 'wasm-toml/hostbound_bg.wasm',
    'wasm-web/hostbound.d.ts', 'wasm-web/hostbound.js', 'wasm-web/hostbound_bg.wasm',
  ].sort())
  assert.ok(size < 960 * 1024, `${size} bytes`)
})

test('the path that sites have the package under has its version', () => {
  for (const path of ['docs/browser-guard.md', 'README.md', 'bindings/node/README.md', 'bindings/node/src/browser/boot.ts']) {
    const versions = [...readFileSync(inRepository(path), 'utf8').matchAll(/\/hostbound-?([\d.]*)\/dist\//g)].map(([, version]) => version)
    assert.deepEqual([...new Set(versions)], [manifest.version], path)
  }
  assert.match(readFileSync(inRepository('docs/browser-guard.md'), 'utf8'), new RegExp(`mkdir -p public/hostbound-${manifest.version.replaceAll('.', '\\.')} .* public/hostbound-${manifest.version.replaceAll('.', '\\.')}/\\n`))
})

test('only `hostbound/egress` needs a peer', (t) => {
  const path = mkdtempSync(join(tmpdir(), 'hostbound-package-'))
  t.after(() => rmSync(path, { recursive: true }))
  for (const file of ['package.json', ...manifest.files]) cpSync(join(PACKAGE, file), join(path, file), { recursive: true })
  const load = (...entries) => spawnSync(process.execPath, ['--input-type=module', '--eval', entries.map((entry) => `import '${entry}'`).join(';')], { cwd: path, encoding: 'utf8' })
  const { status, stderr } = load('hostbound', 'hostbound/node', 'hostbound/edge', 'hostbound/sign', 'hostbound/redis')
  assert.equal(status, 0, stderr)
  assert.match(load('hostbound/egress').stderr, /Cannot find package 'undici'/)
})

test('TypeScript finds the types, in Node and through bundlers', () => {
  for (const [module, resolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    run('typescript', '-p', 'test/types', '--module', module, '--moduleResolution', resolution)
  }
})

test('publint', () => run('publint', 'run', '--strict', '.'))

test('are the types wrong', () => run('@arethetypeswrong/cli', '--pack', '.', '--profile', 'esm-only', '--no-color'))

test('the lock file names no host to fetch from', () => {
  assert.doesNotMatch(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'), /"resolved"/)
})
