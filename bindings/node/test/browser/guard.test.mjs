// The guard of pages, in real browsers: under a foreign name nothing starts, under its own everything that the policy lists works, and nothing else.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { gzipSync } from 'node:zlib'

import { browser as launched, BROWSERS } from '../support/browsers.mjs'
import { readJson } from '../support/files.mjs'
import { boot, clobbering, FILES, FOREIGN, GUARD, guardOf, NAMES, opened, OWN, page as html } from '../support/guarded.mjs'
import { PREFIX, site } from '../support/site.mjs'
import { expand, pinned, sorted } from '../support/vectors.mjs'

/** In the page: what each API comes to with a server under a name. */
async function askAll(host, port) {
  const url = `http://${host}:${port}`
  const events = (object, ...kinds) =>
    new Promise((resolve) => {
      const seen = []
      for (const kind of kinds) {
        object.addEventListener(kind, () => {
          seen.push(kind)
          resolve([...seen])
        })
      }
    })
  const fetched = await fetch(`${url}/api/fetch`).then((response) => response.status, (error) => [error.name, error instanceof TypeError, error.cause?.code])
  const request = new XMLHttpRequest()
  const states = []
  request.onreadystatechange = () => states.push(request.readyState)
  const loaded = events(request, 'load', 'error')
  request.open('GET', `${url}/api/xhr`)
  request.send()
  const xhr = [await loaded, states, request.status, request.readyState]
  let sync
  try {
    const blocking = new XMLHttpRequest()
    blocking.open('GET', `${url}/api/sync`, false)
    blocking.send()
    sync = blocking.status
  } catch (error) {
    sync = error.name
  }
  let opened
  try {
    const socket = new WebSocket(`ws://${host}:${port}/socket`)
    opened = await events(socket, 'message', 'error')
    socket.close()
  } catch (error) {
    opened = error.name
  }
  const source = new EventSource(`${url}/events`)
  const listened = [await events(source, 'message', 'error'), source.url === `${url}/events`, source.readyState]
  source.close()
  const beacon = navigator.sendBeacon(`${url}/api/beacon`, 'x')
  return { fetched, xhr, sync, opened, listened, beacon }
}

/** What reaches a server from it. */
const ALL = (host) => [`GET ${host}/api/fetch`, `GET ${host}/api/xhr`, `GET ${host}/api/sync`, `WS ${host}/socket`, `GET ${host}/events`, `POST ${host}/api/beacon`]
const WORKS = {
  fetched: 200, xhr: [['load'], [1, 2, 3, 4], 200, 4], sync: 200, opened: ['message'], listened: [['message'], true, 1], beacon: true,
}
/** As the browsers let a connection fail that they block. */
const REFUSED = {
  fetched: ['TypeError', true, 'HOSTBOUND_PAGE'], xhr: [['error'], [1, 4], 0, 4], sync: 'NetworkError', opened: 'SecurityError',
  listened: [['error'], true, 2], beacon: false,
}

for (const name of Object.keys(BROWSERS)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const browser = await launched(t, name, NAMES)
    if (browser === undefined) return
    t.diagnostic(await browser.version())

    await t.test('under its own name the app starts', async (t) => {
      const caching = []
      const served = await site(t, { ...FILES, '/hostbound.public.json': (port, { headers }) => (caching.push(headers['cache-control']), FILES['/hostbound.public.json'](port)) })
      for (const host of [OWN, 'own.example']) {
        await opened(t, browser, served, host)
        assert.deepEqual(served.asked().sort(), [`GET ${host}/`, ...guardOf(host), `GET ${host}/app.js`, `GET ${host}/api/started`].sort())
      }
      // RFC 9111 §5.2.1.4: what servers that had the name before have left in the cache is not asked about.
      assert.deepEqual(caching, ['no-cache', 'no-cache'])
    })

    await t.test('under a foreign name nothing starts, and nothing is asked for but the guard', async (t) => {
      const served = await site(t, FILES)
      for (const host of FOREIGN) {
        const page = await opened(t, browser, served, host)
        assert.equal(await page.evaluate(() => globalThis.started), undefined)
        const text = await page.evaluate(() => document.body.innerText)
        assert.match(text, new RegExp(`opened as ${host}:\\d+`))
        assert.match(text, /answers to: app\.localhost, own\.example/)
        assert.match(text, /host_not_allowed/)
        assert.deepEqual(served.asked().sort(), [`GET ${host}/`, ...guardOf(host)].sort())
      }
      served.files['/'] = html(`${boot()}${clobbering}`)
      const page = await opened(t, browser, served, FOREIGN[0])
      assert.match(await page.evaluate(() => document.querySelector('main').innerText), /host_not_allowed/, 'whatever its elements are called')
    })

    await t.test('each API reaches its own origin and what is listed, and nothing else', async (t) => {
      const served = await site(t, FILES)
      const page = await opened(t, browser, served, OWN)
      await page.evaluate(() => {
        globalThis.refusals = []
        addEventListener('hostbound-refusal', ({ detail }) => globalThis.refusals.push([new URL(detail.url).pathname, detail.verdict.reason]))
      })
      served.asked()
      for (const [host, wanted] of [[OWN, WORKS], ['evil.localhost', REFUSED], ['api.localhost', WORKS]]) {
        assert.deepEqual(await page.evaluate(askAll, host, served.port), wanted, host)
        // Beacons take their time; what is refused would be there by the time that the next one is.
        assert.deepEqual(await served.askedOf(wanted === WORKS ? 6 : 0), wanted === WORKS ? ALL(host).sort() : [], host)
      }
      const paths = ['/api/fetch', '/api/xhr', '/api/sync', '/socket', '/events', '/api/beacon']
      assert.deepEqual(await page.evaluate(() => globalThis.refusals), paths.map((path) => [path, 'destination_not_allowed']))
    })

    await t.test('credential headers go to the origins that they are bound to', async (t) => {
      const served = await site(t, FILES)
      const page = await opened(t, browser, served, OWN)
      served.asked()
      const ask = (host, header) => page.evaluate(async (url, header) => {
        const fetched = await fetch(url, { headers: { [header]: 'x' } }).then(() => 'fetched', ({ cause }) => cause.verdict.reason)
        const request = new XMLHttpRequest()
        request.open('GET', url)
        request.setRequestHeader(header, 'x')
        const loaded = await new Promise((resolve) => {
          request.onload = () => resolve('loaded')
          request.onerror = () => resolve('failed')
          request.send()
        })
        return [fetched, loaded]
      }, served.at(host, '/api/x'), header)
      assert.deepEqual(await ask(OWN, 'authorization'), ['fetched', 'loaded'])
      assert.deepEqual(await ask('api.localhost', 'x-key'), ['fetched', 'loaded'])
      served.asked()
      assert.deepEqual(await ask('api.localhost', 'authorization'), ['credentials_not_allowed', 'failed'])
      assert.deepEqual(served.asked(), [])
    })

    await t.test('an answer from where a redirect must not lead is not read', async (t) => {
      const served = await site(t, FILES)
      const page = await opened(t, browser, served, OWN)
      const { port } = served
      const ask = (host, to) => page.evaluate(async (url) => {
        const fetched = await fetch(url).then((response) => response.text(), ({ cause }) => cause?.verdict?.reason ?? 'failed')
        const asked = (isAsync) => new Promise((resolve) => {
          const request = new XMLHttpRequest()
          if (isAsync) request.onloadend = () => resolve([request.responseText, request.status])
          request.open('GET', url, isAsync)
          try {
            request.send()
            if (!isAsync) resolve([request.responseText, request.status])
          } catch (error) {
            resolve([error.name, request.responseText, request.status])
          }
        })
        return [fetched, await asked(true), await asked(false)]
      }, served.at(host, `/to/${to}:${port}/api/x`))
      const text = (host) => `answer of ${host}:${port}`
      assert.deepEqual(await ask(OWN, OWN), [text(OWN), [text(OWN), 200], [text(OWN), 200]])
      assert.deepEqual(await ask('api.localhost', 'api.localhost'), [text('api.localhost'), [text('api.localhost'), 200], [text('api.localhost'), 200]])
      assert.deepEqual(await ask('api.localhost', 'evil.localhost'), ['destination_not_allowed', ['', 0], ['NetworkError', '', 0]])
      assert.deepEqual(await ask(OWN, 'api.localhost'), ['redirect_not_allowed', ['', 0], ['NetworkError', '', 0]])
    })

    await t.test('a request that is opened anew is judged as what it is then', async (t) => {
      const served = await site(t, FILES)
      const page = await opened(t, browser, served, OWN)
      assert.deepEqual(await page.evaluate((url) => new Promise((resolve) => {
        const refusals = []
        addEventListener('hostbound-refusal', ({ detail }) => refusals.push(detail.url))
        const request = new XMLHttpRequest()
        for (const asked of ['/api/first', url]) {
          request.open('GET', asked)
          request.send()
        }
        request.onloadend = () => resolve([request.status, refusals])
      }), served.at('api.localhost', '/api/second')), [200, []])
    })

    await t.test('what cannot be judged does not start', async (t) => {
      const broken = {
        'no engine': { [`${PREFIX}wasm-web/hostbound_bg.wasm`]: () => { throw new Error('gone') } },
        'an engine that is none': { [`${PREFIX}wasm-web/hostbound_bg.wasm`]: 'no wasm' },
        'no policy': { '/hostbound.public.json': () => { throw new Error('gone') } },
        'a policy that is no JSON': { '/hostbound.public.json': '<!doctype html>' },
        'a policy without hosts': { '/hostbound.public.json': '{"version":1}' },
        'a policy with a key too many': { '/hostbound.public.json': '{"version":1,"hosts":{"allow":["app.localhost"]},"hostz":{}}' },
      }
      for (const [what, files] of Object.entries(broken)) {
        const served = await site(t, { ...FILES, ...files })
        const page = await opened(t, browser, served, OWN)
        assert.equal(await page.evaluate(() => globalThis.started), undefined, what)
        assert.match(await page.evaluate(() => document.body.innerText), /could not be found out/, what)
        assert.deepEqual(served.asked().sort(), [`GET ${OWN}/`, ...guardOf(OWN)].sort(), what)
        // Nor does anything go out afterwards.
        await page.evaluate(askAll, OWN, served.port)
        assert.deepEqual(served.asked(), [], what)
      }
    })

    await t.test('what it weighs, and how long it takes', async (t) => {
      const files = GUARD.filter((path) => path !== 'dist/browser/boot.js').map((path) => readFileSync(new URL(`../../${path}`, import.meta.url)))
      const engine = files.at(-1)
      const weight = (...parts) => `${parts.reduce((sum, part) => sum + part.length, 0)} bytes, ${parts.reduce((sum, part) => sum + gzipSync(part, { level: 9 }).length, 0)} gzipped`
      t.diagnostic(`the engine: ${weight(engine)}; the modules: ${weight(...files.slice(0, -1))}`)
      const served = await site(t, {
        ...FILES,
        '/timed': html('<script type="module" src="/timed.js"></script>'),
        '/timed.js': `import { protect } from '${PREFIX}dist/browser.js'\nconst begun = performance.now()\nawait protect('/hostbound.public.json')\nglobalThis.started = [performance.now(), performance.now() - begun]`,
      })
      const times = []
      for (let run = 0; run < 9; run += 1) {
        const page = await opened(t, browser, served, OWN, '/timed')
        times.push(await page.evaluate(() => globalThis.started))
        await page.close()
      }
      const median = (index) => times.map((time) => time[index]).sort((one, other) => one - other)[4]
      t.diagnostic(`ready ${median(0).toFixed(0)} ms after the navigation began, ${median(1).toFixed(0)} ms after \`protect\` was called: median of ${times.length}, over loopback, nothing cached`)
      assert.ok(median(0) < 3000 && median(1) < 3000)
    })

    await t.test('every page vector has the verdict that it wants', async (t) => {
      const served = await site(t, FILES)
      const page = await opened(t, browser, served, OWN)
      const { policies, cases } = readJson('tests/vectors/page.json')
      const vectors = cases.map(({ id, policy, request, want }) => ({ id, policy: JSON.stringify(expand(policies[policy] ?? policy)), request: JSON.stringify(expand(request)), want: expand(want) }))
      const verdicts = await page.evaluate(async (vectors, prefix) => {
        const { WasmPage } = await import(`${prefix}wasm-web/hostbound.js`)
        return vectors.map(({ policy, request }) => new WasmPage(policy, 'vector').judge(request))
      }, vectors, PREFIX)
      for (const [index, { id, want }] of vectors.entries()) assert.deepEqual(sorted(pinned(JSON.parse(verdicts[index]))), sorted(want), id)
      t.diagnostic(`${vectors.length} vectors`)
      assert.ok(vectors.length > 130)
    })
  })
}
