// The guard of pages, in real browsers: under a foreign name nothing starts, under its own everything that the policy lists works, and nothing else.

import assert from 'node:assert/strict'
import test from 'node:test'

import { browser as launched, BROWSERS } from '../support/browsers.mjs'
import { readJson } from '../support/files.mjs'
import { site } from '../support/site.mjs'
import { expand, pinned, sorted } from '../support/vectors.mjs'

/** What the app is called, and what an attacker has it called. The latter two are this machine as well: the first is a secure context, the second is not. */
const OWN = 'app.localhost'
const FOREIGN = ['foreign.localhost', 'foreign.example']

const policy = (port) => ({
  version: 1,
  hosts: { allow: [OWN, 'own.example'] },
  egress: { allow: [`http://api.localhost:${port}`], credentials: { [`http://api.localhost:${port}`]: ['x-key'] } },
})

const page = (script) => `<!doctype html><html lang="en"><title>app</title><link rel="icon" href="data:,">${script}<body><p>shell</p></body></html>`
const boot = (more = '') => `<script type="module" src="/hostbound/dist/browser/boot.js" data-policy="/hostbound.public.json" data-app="/app.js"${more}></script>`

const FILES = {
  '/': page(boot()),
  '/hostbound.public.json': (port) => JSON.stringify(policy(port)),
  '/app.js': "globalThis.started = performance.now(); await fetch('/api/started')",
}

/** What the guard itself asks for under a name. */
const GUARD = [
  'dist/browser.js', 'dist/browser/beacon.js', 'dist/browser/boot.js', 'dist/browser/connections.js', 'dist/browser/engine.js', 'dist/browser/error.js',
  'dist/browser/fetch.js', 'dist/browser/gate.js', 'dist/browser/natives.js', 'dist/browser/notice.js', 'dist/browser/xhr.js', 'dist/errors.js',
  'wasm-web/hostbound.js', 'wasm-web/hostbound_bg.wasm',
]
const guardOf = (name) => [...GUARD.map((path) => `GET ${name}/hostbound/${path}`), `GET ${name}/hostbound.public.json`]

for (const name of Object.keys(BROWSERS)) {
  test(name, async (t) => {
    const browser = await launched(t, name, ['own.example', 'foreign.example'])
    if (browser === undefined) return
    t.diagnostic(await browser.version())

    /** A page of a site, opened under a name; what became of it is known when this is done. */
    const opened = async (t, site, host, path = '/') => {
      const page = await browser.newPage()
      t.after(() => page.close())
      await page.goto(site.at(host, path))
      await page.waitForFunction(() => globalThis.started !== undefined || document.querySelector('main[role=alert]') !== null, { timeout: 5000 })
      return page
    }

    await t.test('under its own name the app starts', async (t) => {
      const served = await site(t, FILES)
      for (const host of [OWN, 'own.example']) {
        await opened(t, served, host)
        assert.deepEqual(served.asked().sort(), [`GET ${host}/`, ...guardOf(host), `GET ${host}/app.js`, `GET ${host}/api/started`].sort())
      }
    })

    await t.test('under a foreign name nothing starts, and nothing is asked for but the guard', async (t) => {
      const served = await site(t, FILES)
      for (const host of FOREIGN) {
        const page = await opened(t, served, host)
        assert.equal(await page.evaluate(() => globalThis.started), undefined)
        const text = await page.evaluate(() => document.body.innerText)
        assert.match(text, new RegExp(`opened as ${host}:\\d+`))
        assert.match(text, /answers to: app\.localhost, own\.example/)
        assert.match(text, /host_not_allowed/)
        assert.deepEqual(served.asked().sort(), [`GET ${host}/`, ...guardOf(host)].sort())
      }
    })
  })
}
