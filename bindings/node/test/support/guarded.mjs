// A guarded app, as docs/browser-guard.md makes one, and how it is opened.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { inRepository } from './files.mjs'
import { PREFIX } from './site.mjs'

const guide = readFileSync(inRepository('docs/browser-guard.md'), 'utf8')
/** The guide's own lines: the script of the page, and the whole of a service worker. */
const [, script] = /```html\n(.*?)```/s.exec(guide)
export const [, worker] = /```js\n(import \{ guardWorker.*?)```/s.exec(guide)

/** What the app is called, and what an attacker has it called. The latter two are this machine as well: the first is a secure context, the second is not. */
export const OWN = 'app.localhost'
export const FOREIGN = ['foreign.localhost', 'foreign.example']

export const policy = (port) => ({
  version: 1,
  hosts: { allow: [OWN, 'own.example'] },
  egress: { allow: [`http://api.localhost:${port}`], credentials: { [`http://api.localhost:${port}`]: ['x-key'] } },
})

/** What the command makes of the server's policy for pages. */
function publicOf(port) {
  const command = process.env.HOSTBOUND_CLI
  if (command === undefined) throw new Error('HOSTBOUND_CLI names no `hostbound`: cargo xtask test does')
  const served = { ...policy(port), peers: { allow: ['127.0.0.0/8', '::1/128'] }, routes: [{ path: '/**', require: [] }] }
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-public-'))
  try {
    const file = join(folder, 'hostbound.json')
    writeFileSync(file, JSON.stringify(served))
    return execFileSync(command, ['public', '--policy', file])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const page = (script) => `<!doctype html><html lang="en"><title>app</title><link rel="icon" href="data:,">${script}<body><p>shell</p></body></html>`
export const boot = (more = '') => script.replace('></script>', `${more}></script>`)

/** Elements that stand before what `document` and `window` have under these names. */
export const clobbering = [
  ...['baseURI', 'body', 'createElement', 'documentElement', 'scripts', 'title'].map((name) => `<form name="${name}"></form>`),
  ...['addEventListener', 'dispatchEvent'].map((id) => `<img id="${id}" alt="">`),
].join('')

export const FILES = {
  '/': page(boot()),
  '/hostbound.public.json': publicOf,
  '/app.js': "await fetch('/api/started'); globalThis.started = performance.now()",
}

/** What the guard itself asks for under a name. */
export const GUARD = [
  'dist/browser.js', 'dist/browser/beacon.js', 'dist/browser/boot.js', 'dist/browser/cache.js', 'dist/browser/connections.js', 'dist/browser/dom.js', 'dist/browser/engine.js', 'dist/browser/error.js',
  'dist/browser/fetch.js', 'dist/browser/gate.js', 'dist/browser/natives.js', 'dist/browser/notice.js', 'dist/browser/xhr.js', 'dist/errors.js',
  'wasm-web/hostbound.js', 'wasm-web/hostbound_bg.wasm',
]
export const guardOf = (name) => [...GUARD.map((path) => `GET ${name}${PREFIX}${path}`), `GET ${name}/hostbound.public.json`]

/** The names that browsers do not take for this machine by themselves. */
export const NAMES = ['own.example', 'foreign.example']

/** A page of a site, opened under a name; what became of it is known when this is done. */
export async function opened(t, browser, site, host, path = '/') {
  const page = await browser.newPage()
  t.after(() => page.isClosed() || page.close())
  await page.goto(site.at(host, path))
  await known(page)
  return page
}

/** Waits until the app has started or is known not to. */
export async function known(page) {
  await page.waitForFunction(() => globalThis.started !== undefined || document.querySelector('main[role=alert]') !== null, { timeout: 5000 })
}
