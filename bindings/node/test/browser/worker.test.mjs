// The service worker of the guard, in real browsers: what a page asks for before its own guard is loaded, from the second visit on.

import assert from 'node:assert/strict'
import test from 'node:test'

import { browser as launched, BROWSERS } from '../support/browsers.mjs'
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

    // Firefox has no way to stop a worker from here.
    if (name === 'Chromium') {
      await t.test('one that is installed judges by what it kept, and refuses everything when it has nothing', async (t) => {
        const served = await site(t, SITE)
        const page = await opened(t, browser, served, OWN)
        await controlled(page)
        const session = await page.createCDPSession()
        await session.send('ServiceWorker.enable')
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
