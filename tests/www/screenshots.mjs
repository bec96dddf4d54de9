// Pictures of every state of the page, light and dark, into a folder: `node screenshots.mjs FOLDER`.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { choose, click, state } from './support/person.mjs'
import { eventsOf, LAB, launch, serveScripted } from './support/scripted.mjs'

const folder = process.argv[2]
if (folder === undefined) throw new Error('say into which folder: node screenshots.mjs FOLDER')
mkdirSync(folder, { recursive: true })

const PORTS = [3000, 8080, 11434, 5432]
const SHARED = `#result=1.${Buffer.from(JSON.stringify([1, 0, 156, '2026-10-20', [[0, 0, [1, 0, 2, 0, 0, 0, 0, 0], 0], [1, 2, [0, 1, 2, 0, 0, 0, 0, 0], 0], [2, 1, [1, 0, 2, 0, 0, 0, 0, 0], 11434]]])).toString('base64url')}`

const start = async (page, ports = PORTS) => {
  await state(page, 'idle')
  await choose(page, ports)
  await click(page, 'Start the test')
}

/** Sends a run up to `most` of its attempts, and then what `last` says, or nothing. */
const part = (most, last) => async (send, ports, gone) => {
  const events = eventsOf(ports)
  for (const event of [events.targets, events.plan, ...events.cases.slice(0, most)]) send(event)
  if (last === undefined) {
    for (const number of [most, most + 1]) send({ event: 'open', number, url: `http://a${number - most + 1}.rebind.example:8103/` })
    await gone
  } else send(last)
}

const whole = (options) => (send, ports) => {
  const { targets, plan, cases, done } = eventsOf(ports, options)
  for (const event of [targets, plan, ...cases, done]) send(event)
}

const running = async (page) => {
  await start(page)
  await page.waitForFunction(() => document.querySelectorAll('#frames iframe').length === 2)
}

/** Every state: the lab behind it, and the way there. */
const STATES = {
  'no-lab': {},
  unsupported: { lab: LAB, prepare: (page) => page.evaluateOnNewDocument(() => delete Response.prototype.body) },
  'no-wasm': { lab: LAB, prepare: (page) => page.evaluateOnNewDocument(() => delete globalThis.WebAssembly) },
  starting: { lab: LAB, missing: /\.js$/ },
  idle: { lab: LAB },
  consent: {
    lab: LAB,
    way: async (page) => {
      await state(page, 'idle')
      await choose(page, [3000, 8080, 11434, 5432])
      await page.locator('#add-port').fill('70000')
      await click(page, 'Add')
    },
  },
  running: { lab: LAB, script: part(5), way: running },
  done: { lab: LAB, script: whole(), way: start, ready: (page) => page.waitForSelector('.proof li') },
  'done-open': {
    lab: LAB,
    script: whole(),
    state: 'done',
    way: start,
    ready: async (page) => {
      await page.waitForSelector('.proof li')
      await page.$$eval('.conclusion details, .share, .service:first-of-type details, .service:nth-of-type(2) details:last-of-type', (all) => all.forEach((details) => (details.open = true)))
    },
  },
  'done-canaries': { lab: LAB, script: whole({ conclusion: 'inconclusive' }), state: 'done', way: (page) => start(page, []) },
  'done-refused': { lab: LAB, script: whole({ conclusion: 'safe', open: false, reasons: ['every method read the canary without a guard, and everything under test refused the same requests'] }), state: 'done', way: (page) => start(page, [3000, 11434]) },
  cancelled: {
    lab: LAB,
    script: part(5),
    way: async (page) => {
      await running(page)
      await click(page, 'Cancel')
    },
  },
  offline: { lab: LAB, script: part(9, { event: 'open', number: 10, url: 'http://a1.rebind.example:8103/' }), way: start },
  failed: { lab: LAB, script: part(3, { event: 'failed', message: 'the DNS server of the lab ended' }), way: start },
  shared: { fragment: SHARED },
  'shared-broken': { fragment: '#result=1.AAAA' },
}

async function picture(browser, kind, name, scheme, width = 1100) {
  const { fragment = '', prepare, ready, way, state: wanted = name, ...options } = STATES[name]
  const server = await serveScripted(options)
  const page = await browser.newPage()
  await page.setViewport({ width, height: 800 })
  // Firefox was told when it started.
  if (kind === 'chromium') await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await prepare?.(page)
  await page.goto(server.url + fragment)
  await way?.(page)
  await state(page, wanted)
  await ready?.(page)
  const path = join(folder, `${kind}-${name}-${scheme}${width < 1100 ? '-narrow' : ''}.png`)
  // As high as the page: what is beyond the window may not have been painted.
  await page.setViewport({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) })
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
  await page.screenshot({ path })
  console.log(path)
  await page.close()
  await server.stop()
}

const chromium = await launch()
for (const name of Object.keys(STATES)) for (const scheme of ['light', 'dark']) await picture(chromium, 'chromium', name, scheme)
for (const name of ['idle', 'consent', 'running', 'done-open']) await picture(chromium, 'chromium', name, 'light', 320)
await chromium.close()
for (const scheme of ['light', 'dark']) {
  const firefox = await launch('firefox', scheme)
  for (const name of ['idle', 'done']) await picture(firefox, 'firefox', name, scheme)
  await firefox.close()
}
