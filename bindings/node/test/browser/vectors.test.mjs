// Every vector, judged in Chromium through the browser entry.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { browser as launched } from '../support/browsers.mjs'
import { inRepository } from '../support/files.mjs'
import { listening, stop } from '../support/raw.mjs'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm' }

/** The package and the vectors, over HTTP; `/` is an empty page. */
function files() {
  return createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname)
    if (path === '/') {
      response.setHeader('content-type', 'text/html')
      // The package needs no more than this of a page.
      response.setHeader('content-security-policy', "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'")
      response.end('<!doctype html><title>hostbound</title>')
      return
    }
    const file = path.startsWith('/vectors/') ? inRepository(`tests${path}`) : join(PACKAGE, path)
    try {
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream')
      response.end(readFileSync(file))
    } catch {
      response.writeHead(404).end()
    }
  })
}

/** In the page: judges every vector and gives back what differs; those whose policy has tokens are counted: the core refuses it. */
async function judgeAll() {
  const [hostbound, { casesOf, FILES, judge }] = await Promise.all([
    import('/dist/index.web.js'),
    import('/test/support/vectors.mjs'),
  ])
  const wrong = []
  let count = 0
  let refused = 0
  for (const name of FILES) {
    const file = await (await fetch(`/vectors/${name}.json`)).json()
    for (const vector of casesOf(file)) {
      if (vector.policy.tokens !== undefined) {
        refused += 1
        const errors = await hostbound.Policy.fromObject(vector.policy).then(() => [], (error) => error.errors)
        if (!errors.some(({ code, path }) => code === 'key-unknown' && path === 'tokens')) wrong.push(`${vector.id}: its policy is not refused`)
        continue
      }
      count += 1
      wrong.push(...(await judge(vector, hostbound)))
    }
  }
  return { count, refused, wrong }
}

/** In the page: reads every policy vector and gives back those that are not read as wanted. */
async function readAllPolicies() {
  const { Guard, Policy } = await import('/dist/index.web.js')
  const { cases } = await (await fetch('/vectors/policy.json')).json()
  const wrong = []
  for (const { id, toml, want, secrets } of cases) {
    const read = async () => {
      const policy = await Policy.fromToml(toml, { file: 'hostbound.toml' })
      if (secrets !== undefined) new Guard(policy, { secrets })
    }
    const found = await read().then(
      () => null,
      ({ errors }) => errors.map(({ code, path, line, column }) => [code, path, `${line}:${column}`]),
    )
    if (JSON.stringify(found) !== JSON.stringify(want.errors ?? null)) wrong.push({ id, found, want })
  }
  return { count: cases.length, wrong }
}

/** In the page: what is refused has a code here too. */
async function refusals() {
  const { Guard, HostboundError, Policy, PolicyError } = await import('/dist/index.web.js')
  const refused = await Policy.fromToml('version = 2', { file: 'my.toml' }).catch((error) => error)
  const guard = new Guard(await Policy.fromToml('version = 1\n[hosts]\nallow = ["localhost"]'))
  let error
  try {
    guard.inspect({ method: 'GET', target: '/', headers: [['host', '€']] })
  } catch (thrown) {
    error = thrown
  }
  return [refused instanceof PolicyError, refused.code, refused.errors.map(({ code }) => code), error instanceof HostboundError, error.code]
}

test('Chromium', async (t) => {
  const browser = await launched(t, 'Chromium')
  if (browser === undefined) return
  const server = await listening(files())
  t.after(() => stop(server))
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${server.address().port}/`)

  await t.test('every vector has the verdict that it wants', async (t) => {
    const { count, refused, wrong } = await page.evaluate(judgeAll)
    t.diagnostic(`${count} vectors in ${await browser.version()}; ${refused} of tokens are for the engine of Node, the core refuses their policies`)
    assert.deepEqual(wrong, [])
    assert.ok(count > 3000)
    assert.equal(refused, 2780)
  })

  await t.test('every policy vector is read as wanted, but those of `policy_token.json`', async () => {
    const { count, wrong } = await page.evaluate(readAllPolicies)
    assert.deepEqual(wrong, [])
    assert.ok(count > 150)
  })

  await t.test('errors have their codes', async () => {
    assert.deepEqual(await page.evaluate(refusals), [true, 'HOSTBOUND_POLICY', ['key-missing', 'value-unknown'], true, 'HOSTBOUND_REQUEST'])
  })
})
