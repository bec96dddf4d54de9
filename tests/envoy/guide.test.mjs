// docs/envoy.md: its commands run, its snippet is a filter, and what it says of options and counters is all there is.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'

import { startEnvoy } from './support/envoy.mjs'
import { MODULE, POLICIES, hostbound } from './support/filter.mjs'
import { Http1 } from './support/http1.mjs'
import { shipped } from './support/shipped.mjs'
import { echo } from './support/upstream.mjs'

const GUIDE = readFileSync(new URL('../../docs/envoy.md', import.meta.url), 'utf8')
const blocks = (language) => GUIDE.split(`\`\`\`${language}\n`).slice(1).map((rest) => rest.split('\n```')[0])

const folder = mkdtempSync(join(tmpdir(), 'hostbound-guide-'))
after(() => rmSync(folder, { recursive: true }))

test('its commands run, and Envoy serves by what they wrote', async (t) => {
  const etc = join(folder, 'etc')
  for (const name of ['etc', 'bin', 'dist']) mkdirSync(join(folder, name))
  copyFileSync(MODULE, join(folder, 'dist/hostbound-envoy-0.1.0.wasm'))
  copyFileSync(`${POLICIES}local-service.toml`, join(folder, 'hostbound.toml'))
  symlinkSync(process.env.ENVOY, join(folder, 'bin/envoy'))
  // The module is where the command expects it.
  writeFileSync(join(folder, 'bin/hostbound'), `#!/bin/sh\nexec '${process.env.HOSTBOUND_CLI}' "$@" --module ${etc}/hostbound.wasm\n`)
  chmodSync(join(folder, 'bin/hostbound'), 0o755)
  for (const block of blocks('sh')) {
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` }
    execFileSync('sh', ['-euc', block.replaceAll('/etc/envoy', etc)], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }
  const server = join(folder, 'server.sock')
  const upstream = await echo(server)
  t.after(() => upstream.close())
  const envoy = await startEnvoy(folder, shipped('local-service.yaml', { server, files: etc }))
  t.after(() => envoy.stop())
  const http = new Http1({ path: await envoy.portOf('service') })
  t.after(() => http.close())
  const ask = async (request) => (await http.ask({ method: 'GET', target: '/', headers: [['host', 'localhost']], ...request }))?.status
  assert.equal(await ask(), 200)
  assert.equal(await ask({ headers: [['host', 'evil.test']] }), 421)
  await t.test('what Envoy decides', async () => {
    assert.equal(await ask({ headers: [] }), 400)
    assert.equal(await ask({ target: '/a#b' }), 400)
    assert.equal(await ask({ version: '1.0' }), 426)
    assert.equal(await ask({ headers: [['host', 'localhost'], ['x', 'x'.repeat(61 << 10)]] }), 431)
    assert.equal(await ask({ headers: [['host', 'localhost'], ...Array.from({ length: 100 }, (_, index) => [`x-${index}`, ''])] }), 431)
    const denied = await envoy.counters()
    assert.equal(await ask({ headers: [['host', 'localhost'], ['host', 'localhost']] }), 400)
    assert.deepEqual(await envoy.counters(), { ...denied, 'hostbound.denied.host_duplicate': 1 })
    assert.equal(await ask({ target: 'http://evil.test/', headers: [['host', 'localhost']] }), 421)
    const { status, body } = await http.ask({ method: 'GET', target: 'http://localhost/', headers: [['host', 'evil.test']] })
    assert.deepEqual([status, Object.fromEntries(JSON.parse(body).headers).host], [200, 'localhost'])
  })
})

test('its snippet is in every configuration that has the filter', () => {
  const [snippet] = blocks('yaml')
  const lines = snippet.split('\n').map((line) => line.trim())
  for (const name of ['local-service', 'signed-api', 'jwt-api', 'routed-by-key/replica']) {
    const text = readFileSync(`${POLICIES}envoy/${name}.yaml`, 'utf8').split('\n').map((line) => line.trim())
    const start = text.indexOf(lines[0])
    assert.deepEqual(text.slice(start, start + lines.length), lines, name)
    assert.match(text.join('\n'), /^node: \{ id: \S+, cluster: \S+ \}$/m)
  }
})

test('it names every option', () => {
  const options = hostbound('envoy', '--help').match(/^ +(?:-\w, )?--[\w-]+/gm).map((option) => option.trim().split(' ').at(-1))
  for (const option of options.filter((option) => !['--out', '--color', '--help'].includes(option))) assert.ok(GUIDE.includes(`\`${option}`), option)
})

test('it counts the host calls right', () => {
  const listed = readFileSync(fileURLToPath(new URL('../../cli/src/command/envoy.rs', import.meta.url)), 'utf8').match(/^ {4}"proxy_\w+",$/gm)
  const calls = listed.filter((name) => !name.includes('"proxy_on_')).length
  assert.ok(GUIDE.includes(`nothing but the ${calls} host calls`), String(calls))
})
