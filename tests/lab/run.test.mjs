// `hostbound lab run` as its users start it: real namespaces, a real Chromium, real services.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'

import { hostbound } from '../../bindings/node/dist/node.js'
import { POLICY, assertGuarded, assertSameVerdicts, killAtRandomPoints, lab, of, report, requests, service } from './support.mjs'

const folder = mkdtempSync(join(tmpdir(), 'hostbound-lab-test-'))
after(() => rmSync(folder, { recursive: true }))

test('the default set: read without a guard, refused with it, within a minute', async (t) => {
  const policy = join(folder, 'hostbound.json')
  const [html, junit] = [join(folder, 'report.html'), join(folder, 'report.xml')]
  writeFileSync(policy, JSON.stringify(POLICY))
  const started = performance.now()
  const { code, run, stderr } = await report(['--policy', policy, '--html', html, '--junit', junit])
  const seconds = (performance.now() - started) / 1000
  t.diagnostic(`${run.cases.length} cases in ${seconds.toFixed(1)} s, ${run.browser.kind} ${run.browser.version}`)

  await t.test('it ends well, and in time', () => {
    assert.equal(code, 0, JSON.stringify([run.reasons, stderr]))
    assert.equal(run.conclusion, 'safe')
    assert.ok(seconds < 60, `${seconds} s`)
    assert.equal(run.cases.length, 24)
  })
  await t.test('no guarded case is read, and each whose bare twin was read is refused', () => assertGuarded(run))
  await t.test('every method reads the bare target with Local Network Access off', () => {
    for (const method of ['fetch', 'iframe', 'popup']) {
      const outcomes = of(run, 'canary')
        .filter((result) => result.case.method === method && result.case.local_network_access === 'off')
        .map(({ outcome }) => outcome)
      assert.ok(outcomes.includes('reached_readable'), `${method}: ${outcomes}`)
    }
  })
  await t.test('the guard in Node and the policy in the engine give the same verdict, byte for byte', () => {
    assertSameVerdicts(run)
    // What the policy would have answered is said of the canary's requests too.
    for (const { policy } of of(run, 'canary').flatMap(requests)) assert.equal(policy.decision, 'deny')
  })
  await t.test('the popup writes where it reads', () => {
    for (const result of of(run, 'canary').filter(({ case: { method }, outcome }) => method === 'popup' && outcome === 'reached_readable')) {
      assert.equal(result.logs.page.wrote, true)
    }
    for (const result of of(run, 'guarded').filter(({ case: { method } }) => method === 'popup')) {
      assert.notEqual(result.logs.page.wrote, true)
    }
  })
  await t.test('the reports are written', () => {
    assert.match(readFileSync(html, 'utf8'), /^<!doctype html>/i)
    assert.match(readFileSync(junit, 'utf8'), /<testsuites/)
  })
  await t.test('the secret is in no report', () => {
    for (const text of [JSON.stringify(run), readFileSync(html, 'utf8'), readFileSync(junit, 'utf8')]) {
      assert.doesNotMatch(text, /hostbound-canary-[0-9a-f]{32}/)
    }
  })
})

/** A service of this machine, outside of the lab; what it was asked is kept. */
async function serve(guarded) {
  const asked = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}`)
    response.end('the private page of a service')
  })
  if (guarded) (await hostbound({ policy: POLICY, log: false })).protect(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { asked, name: `127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) }
}

test('real services of this machine: one is read, one refuses, one does not run', async () => {
  const [bare, guarded, gone] = [await serve(false), await serve(true), await serve(false)]
  await gone.stop()
  const targets = [bare, guarded, gone].flatMap(({ name }) => ['--target', name])
  const words = ['--no-guard', '--strategy', 'multiple-answers', '--method', 'fetch', '--method', 'popup', ...targets]
  const { code, run } = await report(words)
  await Promise.all([bare.stop(), guarded.stop()])

  assert.equal(code, 1, run.reasons.join('\n'))
  assert.equal(run.conclusion, 'vulnerable')
  assert.equal(service(run, bare.name).verdict, 'vulnerable')
  assert.equal(service(run, guarded.name).verdict, 'refuses')
  assert.equal(service(run, gone.name).verdict, 'not_tested')
  assert.ok(of(run, gone.name).every(({ outcome }) => outcome === 'not_running'))
  // Only what a verdict needs: no POST, and of the answer its status and length.
  assert.ok(bare.asked.every((line) => line.startsWith('GET ')), bare.asked.join())
  assert.ok(bare.asked.some((line) => line.includes('.rebind.example:')))
  assert.doesNotMatch(JSON.stringify(run), /private page/)
})

test('a filtering resolver is told from a guard', async (t) => {
  const dnsmasq = 'dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --pid-file= --bind-interfaces --user=root --listen-address=127.0.0.1 --cache-size=0 --stop-dns-rebind --server={upstream}'
  const words = ['--strategy', 'first-then-second-flush', '--method', 'fetch', '--local-network-access', 'off']
  const { code, run } = await report([...words, '--resolver', dnsmasq])
  t.diagnostic(run.cases[0].evidence.join('; '))
  assert.equal(code, 3)
  assert.equal(run.cases[0].outcome, 'filtered_by_resolver')
  assert.equal(service(run, 'guarded').verdict, 'not_tested')
})

test('what cannot be carried out is said, and is no success', async (t) => {
  const cases = join(folder, 'cases.json')
  writeFileSync(cases, '[{"strategy": "multiple-answers", "method": "fetch", "local_network_access": "off", "attacker": "public", "target": "nobody"}]')
  for (const [name, words, code, said] of [
    ['an address of another machine', ['--target', '192.0.2.1:80'], 2, /services of this machine only/],
    ['a public address', ['--target', '8.8.8.8:53'], 2, /services of this machine only/],
    ['a name', ['--target', 'example.com:80'], 2, /give an address and a port/],
    ['no port', ['--target', '127.0.0.1'], 2, /give an address and a port/],
    ['every address', ['--target', '0.0.0.0:80'], 2, /services of this machine only/],
    ['an unknown strategy', ['--strategy', 'magic'], 2, /multiple-answers/],
    ['a policy that is not there', ['--policy', '/nowhere.toml'], 2, /nowhere\.toml/],
    ['a case for nobody', ['--cases', cases], 2, /no target is named `nobody`/],
    ['a filter that is not named', ['--guard', 'envoy'], 2, /--guard envoy needs --filter FILE/],
    ['a filter that is not there', ['--guard', 'envoy', '--filter', '/nowhere.wasm'], 2, /--filter \/nowhere\.wasm: No such file/],
    ['a filter for Node', ['--filter', cases], 2, /add --guard envoy/],
    ['a browser that is none', ['--browser-path', '/bin/false'], 3, /\/bin\/false/],
  ]) {
    await t.test(name, async () => {
      const ended = await lab(words)
      assert.equal(ended.code, code, ended.stderr)
      assert.match(ended.stderr, said)
    })
  }
  await t.test('a machine that allows no namespaces', async () => {
    const unshare = join(folder, 'unshare')
    writeFileSync(unshare, '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n')
    chmodSync(unshare, 0o755)
    const ended = await lab([], { env: { ...process.env, PATH: `${folder}:${process.env.PATH}` } })
    assert.equal(ended.code, 3)
    assert.match(ended.stderr, /Operation not permitted.*sysctl/s)
  })
  await t.test('no Envoy', async () => {
    const ended = await lab(['--guard', 'envoy', '--filter', cases, '--browser-path', '/bin/false'], { env: { ...process.env, PATH: '/nowhere' } })
    assert.equal(ended.code, 3)
    assert.match(ended.stderr, /no envoy on PATH.*--envoy/)
  })
  await t.test('an Envoy that is none', async () => {
    const words = ['--guard', 'envoy', '--envoy', '/bin/false', '--filter', cases, '--strategy', 'multiple-answers', '--method', 'fetch']
    const { code, run } = await report(words)
    assert.equal(code, 3)
    assert.match(run.reasons.join('\n'), /the Envoy guard does not start: exit status: 1/)
  })
  await t.test('no npm package for the guard', async () => {
    const words = ['--guard-folder', folder, '--strategy', 'multiple-answers', '--method', 'fetch']
    const { code, run } = await report(words)
    assert.equal(code, 3)
    assert.match(run.reasons.join('\n'), /npm install hostbound/)
  })
})

test('killed at random points, it leaves nothing behind', async (t) => {
  const points = await killAtRandomPoints(['--all'], process.env.HOSTBOUND_ALL ? 40 : 8, folder)
  t.diagnostic(`killed after ${points.join(', ')} ms`)
})
