// The service worker of the guard, in real browsers: what a page asks for before its own guard is loaded, from the second visit on.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'

import { browser as launched, BROWSERS } from '../support/browsers.mjs'
import { inRepository } from '../support/files.mjs'
import { boot, FILES, guardOf, known, NAMES, opened, OWN, page as html, policy, worker } from '../support/guarded.mjs'
import { PREFIX, site } from '../support/site.mjs'

const FOREIGN = 'foreign.localhost'
const missing = () => {
  throw new Error('gone')
}

const SITE = {
  ...FILES,
  '/': html(`<script src="/early.js"></script>${boot(' data-worker="/sw.js"')}`),
  '/sw.js': worker,
  // Runs before any module, and so before the guard of the page.
  '/early.js': (port) => `
    const image = (url) => new Promise((resolve) => Object.assign(new Image(), { src: url, onload: () => resolve('image'), onerror: () => resolve('none') }))
    const ask = (url) => fetch(url).then(({ status }) => status, ({ name }) => name)
    globalThis.early = Promise.all([ask('/api/early'), ask('http://api.localhost:${port}/api/early'), ask('http://evil.localhost:${port}/api/early'),
      image('http://api.localhost:${port}/pixel.svg'), image('http://evil.localhost:${port}/pixel.svg')])`,
  '/pixel.svg': () => '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
}

/** Waits until the worker has the page. */
const controlled = (page) => page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', { timeout: 5000 })

/** What reached the servers but for the guard's own files, and the browser's check of the worker. */
const others = (asked) => asked.filter((line) => !line.includes('/hostbound') && !line.endsWith('/sw.js')).sort()

for (const name of Object.keys(BROWSERS)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const browser = await launched(t, name, NAMES)
    if (browser === undefined) return

    await t.test('from the second visit on it stops what comes before the guard of the page', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN)
      assert.deepEqual(await page.evaluate(() => globalThis.early), [200, 200, 200, 'image', 'image'], 'the first visit comes too soon')
      await controlled(page)
      served.asked()
      for (const visit of ['second', 'third']) {
        await page.reload()
        await known(page)
        assert.deepEqual(await page.evaluate(() => globalThis.early), [200, 200, 'TypeError', 'image', 'none'], visit)
        assert.deepEqual(others(served.asked()), [
          'GET api.localhost/api/early', 'GET api.localhost/pixel.svg', `GET ${OWN}/`, `GET ${OWN}/api/early`, `GET ${OWN}/api/started`, `GET ${OWN}/app.js`, `GET ${OWN}/early.js`,
        ].sort(), visit)
      }
    })

    await t.test('under a foreign name the second visit gets no page at all, until the policy lists the name', async (t) => {
      const served = await site(t, { ...SITE, '/': html(boot(' data-worker="/sw.js"')) })
      const page = await opened(t, browser, served, FOREIGN)
      assert.equal(await page.evaluate(() => globalThis.started), undefined)
      await controlled(page)
      const guard = [...guardOf(FOREIGN), `GET ${FOREIGN}${PREFIX}dist/browser/worker.js`, `GET ${FOREIGN}/sw.js`]
      assert.deepEqual([...new Set(served.asked())].sort(), [`GET ${FOREIGN}/`, ...guard].sort(), 'what the page and the worker load, and nothing else')
      const response = await page.reload()
      await known(page)
      assert.equal(response.status(), 421)
      assert.match(await page.evaluate(() => document.body.innerText), /foreign\.localhost:\d+, a name that it does not answer to[^]*host_not_allowed/)
      assert.deepEqual(served.asked().filter((line) => !line.endsWith('/sw.js')), [`GET ${FOREIGN}/hostbound.public.json`])
      served.files['/hostbound.public.json'] = (port) => JSON.stringify({ ...policy(port), hosts: { allow: [OWN, FOREIGN] } })
      assert.equal((await page.reload()).status(), 200)
      await known(page)
      assert.notEqual(await page.evaluate(() => globalThis.started), undefined)
    })

    await t.test('a worker that cannot judge is not installed', async (t) => {
      const served = await site(t, { ...SITE, '/': FILES['/'], '/hostbound.public.json': missing })
      const page = await opened(t, browser, served, OWN)
      const state = await page.evaluate(async () => {
        const { installing } = await navigator.serviceWorker.register('/sw.js', { type: 'module' })
        while (installing !== null && !['redundant', 'activated'].includes(installing.state)) {
          await new Promise((resolve) => installing.addEventListener('statechange', resolve, { once: true }))
        }
        return installing?.state ?? 'gone'
      })
      assert.match(state, /^(redundant|gone)$/)
      assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active ?? null), null)
    })

    await t.test('a worker that cannot judge a request stops it, and one that cannot keep anything is installed', async (t) => {
      const uncached = { 'CacheStorage.prototype': 'open', 'Cache.prototype': 'put' }
      for (const [holder, key] of Object.entries(uncached)) {
        const served = await site(t, { ...SITE, '/sw.js': `${worker}${holder}.${key} = async () => { throw new Error('the quota is full') }` })
        const page = await opened(t, browser, served, OWN)
        await controlled(page)
      }
      const served = await site(t, { ...SITE, '/sw.js': `${worker}Headers.prototype.keys = () => { throw new Error('cannot be judged') }` })
      const page = await opened(t, browser, served, OWN)
      await controlled(page)
      served.asked()
      assert.equal(await page.evaluate(() => fetch('/api/x').then(({ status }) => status, ({ name }) => name)), 'TypeError')
      assert.deepEqual(served.asked(), [])
    })

    await t.test('what is refused is told, in report mode too, and what is allowed is answered by `respond`', async (t) => {
      const options = `policy: '/hostbound.public.json', onRefusal: (url, verdict) => { told.push([url, verdict.decision]); throw new Error('a mistake of whoever listens') },
        respond: (request) => (request.url.includes('/api/told') ? Response.json(told) : fetch(request))`
      const own = worker.replace(/\{ policy: .*? \}/, `{ ${options} }`)
      const served = await site(t, { ...SITE, '/sw.js': `const told = []\n${own}` })
      const ask = (page) => page.evaluate(async (url) => {
        const answer = await fetch(url).then(({ status }) => status, ({ name }) => name)
        return [answer, (await (await fetch('/api/told')).json()).filter(([told]) => told === url).map(([, decision]) => decision)]
      }, served.at('evil.localhost', '/api/x'))
      const page = await browser.newPage()
      t.after(() => page.close())
      // A page that has no guard of its own.
      served.files['/any/'] = html('')
      await page.goto(served.at(OWN, '/any/'))
      await page.evaluate(() => navigator.serviceWorker.register('/sw.js', { type: 'module' }))
      await controlled(page)
      assert.deepEqual(await ask(page), ['TypeError', ['deny']])
      served.files['/hostbound.public.json'] = (port) => JSON.stringify({ ...policy(port), mode: 'report' })
      served.files['/sw.js'] += '\n// Another.'
      await page.evaluate(async () => {
        const registration = await navigator.serviceWorker.getRegistration()
        const changed = new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve))
        await registration.update()
        await changed
      })
      await controlled(page)
      assert.deepEqual(await ask(page), [200, ['allow']])
    })

    await t.test('what the policy lists by now is let through', async (t) => {
      const served = await site(t, { ...SITE, '/any/with-worker': html(boot(' data-worker="/sw.js"')), '/sw.js': `let time = 0; performance.now = () => (time += 20_000)\n${worker}` })
      const page = await opened(t, browser, served, OWN, '/any/with-worker')
      await controlled(page)
      const image = () => page.evaluate((url) => new Promise((resolve) => {
        Object.assign(new Image(), { src: url, onload: () => resolve('image'), onerror: () => resolve('none') })
      }), served.at('evil.localhost', '/pixel.svg'))
      assert.equal(await image(), 'none')
      served.files['/hostbound.public.json'] = (port) => JSON.stringify({ ...policy(port), egress: { allow: [`http://evil.localhost:${port}`] } })
      assert.equal(await image(), 'image')
    })

    // Firefox has no way to stop a worker from here.
    if (name === 'Chromium') {
      await t.test('one that is installed judges by what it kept, and refuses everything when it has nothing', async (t) => {
        const served = await site(t, SITE)
        const page = await opened(t, browser, served, OWN)
        await controlled(page)
        const session = await page.createCDPSession()
        await session.send('ServiceWorker.enable')
        const image = (host) => page.evaluate((url) => new Promise((resolve) => {
          Object.assign(new Image(), { src: url, onload: () => resolve('image'), onerror: () => resolve('none') })
        }), served.at(host, '/pixel.svg?first'))
        // A new version at the same path: the worker has the modules that it was installed with, which do not fit the new engine.
        const files = ['wasm-web/hostbound.js', 'wasm-web/hostbound_bg.wasm'].map((path) => [path, readFileSync(inRepository(`bindings/node/${path}`), 'latin1')])
        const [[, glue]] = files
        const [called] = /__wbg_\w+_[0-9a-f]{16}/.exec(glue)
        for (const [path, text] of files) served.files[`${PREFIX}${path}`] = Buffer.from(text.replaceAll(called, `${called.slice(0, -16)}0123456789abcdef`), 'latin1')
        // And in the place of the policy there is a page.
        served.files['/hostbound.public.json'] = '<!doctype html>'
        await session.send('ServiceWorker.stopAllWorkers')
        assert.deepEqual([await image('api.localhost'), await image('evil.localhost')], ['image', 'none'])
        Object.assign(served.files, { '/hostbound.public.json': missing, [`${PREFIX}wasm-web/hostbound_bg.wasm`]: missing })
        await session.send('ServiceWorker.stopAllWorkers')
        served.asked()
        assert.deepEqual(await page.evaluate((port) => Promise.all(['api', 'evil'].map((host) => {
          const image = new Image()
          image.src = `http://${host}.localhost:${port}/pixel.svg?again`
          return new Promise((resolve) => Object.assign(image, { onload: () => resolve('image'), onerror: () => resolve('none') }))
        })), served.port), ['image', 'none'])
        assert.deepEqual(others(served.asked()), ['GET api.localhost/pixel.svg?again'])
        await page.evaluate(() => caches.delete('hostbound'))
        await session.send('ServiceWorker.stopAllWorkers')
        const response = await page.reload()
        assert.equal(response.status(), 503)
        // Chromium asks for the page itself while the worker is being started, and throws the answer away.
        assert.deepEqual(others(served.asked()).filter((line) => line !== `GET ${OWN}/`), [])
      })
    }
  })
}
