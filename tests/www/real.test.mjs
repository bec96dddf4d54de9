// The page clicked through in Chromium, with the real lab behind it: real rebinding against real services.

import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import test, { after, before } from 'node:test'

import { hostbound } from '../../bindings/node/dist/node.js'
import { BUSY, serve, startLab } from './support/lab.mjs'
import { choose, click, focused, heading, state, status, text } from './support/person.mjs'

const POLICY = { version: 1, hosts: { allow: ['localhost', '127.0.0.1', '[::1]'] } }
/** Whom the page may ask, and whom the attackers' pages: their own names, and the attacker to whom they report. */
const PAGE = /^http:\/\/self-test\.hostbound\.example\//
const ATTACKERS = /^http:\/\/([a-z0-9-]+\.rebind\.example|192\.88\.99\.\d+)(:\d+)?\//

let lab
let bare
let guarded
let gone
before(async () => {
  bare = await serve()
  guarded = await serve({ guard: async (server) => (await hostbound({ policy: POLICY, log: false })).protect(server) })
  gone = await serve()
  await gone.stop()
  lab = await startLab('chromium')
})
after(async () => {
  await lab?.stop()
  await Promise.all([bare.stop(), guarded.stop()])
})

test('a run, from the first look to its verdict', async (t) => {
  const { page } = lab
  const asked = []
  // Pictures that are in the text itself, as those of the browser's own page of errors, are asked of nobody.
  page.on('request', (request) => request.url().startsWith('data:') || asked.push({ url: request.url(), isPage: request.frame() === page.mainFrame() }))
  await page.reload()

  await t.test('nothing is attacked before consent', async () => {
    assert.equal(await state(page, 'idle', 'no-lab', 'no-wasm', 'offline'), 'idle')
    await choose(page, [bare.port, guarded.port, gone.port])
    assert.deepEqual([bare.asked, guarded.asked], [[], []])
    assert.ok(!asked.some(({ url }) => url.endsWith('/run')))
    assert.match(await text(page), /GET \/ with a random query/)
    assert.match(await text(page), /the scripts of your service run, and may send what they send when you open it yourself/)
  })
  await t.test('it runs, with frames that take nothing', async () => {
    await click(page, 'Start the test')
    await page.waitForSelector('#frames iframe', { timeout: 20_000 })
    const frame = await page.$eval('#frames iframe', (found) => [found.title, found.closest('[inert]') !== null])
    assert.match(frame[0], /^Attack \d+: multiple-answers by \w+ on /)
    assert.ok(frame[1])
    assert.equal(await focused(page), 'h1')
  })
  await t.test('it ends with the true verdict', async () => {
    assert.equal(await state(page, 'done', 'failed', 'offline'), 'done')
    assert.equal(await heading(page), `A web page can read 127.0.0.1:${bare.port}.`)
    assert.equal(await focused(page), 'h1')
    assert.equal(await status(page), 'The test is over.')
    assert.equal(await page.$$eval('#frames iframe', (frames) => frames.length), 0)
  })
  await t.test('each service has its own', async () => {
    const cards = Object.fromEntries(await page.$$eval('.service', (found) => found.map((card) => [card.querySelector('h3').textContent, card.querySelector('.head .badge').textContent])))
    assert.match(cards[`127.0.0.1:${bare.port}`], /vulnerable/)
    assert.match(cards[`127.0.0.1:${guarded.port}`], /refuses/)
    assert.match(cards['Bare canary'], /read, as it must be/)
    assert.match(cards['Guarded canary'], /refuses/)
    assert.match(cards['No HTTP answer at 1 port'], /no answer/)
    const layers = await page.$$eval('.cards.three .badge', (found) => found.map((badge) => badge.textContent))
    assert.match(layers.join(), /stopped some.*not tested.*vulnerable/)
    assert.match(await text(page), /Asked for outside of the lab\s+nothing/)
    assert.ok((await text(page)).includes(`The file goes to ${realpathSync('.')}; a window asks first.`))
  })
  await t.test('an attempt shows its evidence', async () => {
    const card = await page.locator('::-p-xpath(//article[.//h3[text()="Guarded canary"]]//summary[contains(., "popup")])').waitHandle()
    await card.click()
    const shown = await card.evaluate((summary) => summary.parentElement.innerText)
    assert.match(shown, /arrived with Host: [0-9a-f]+\.rebind\.example:\d+ and was refused: 421/)
    assert.match(shown, /deny 421 host_not_allowed/)
    assert.match(shown, /Stopped by\s+the service/)
  })
  await t.test('the engine shows that the policy would have stopped it', async () => {
    const rows = await page.waitForSelector('.proof li').then(() => page.$$eval('.proof li', (found) => found.map((row) => row.innerText)))
    assert.match(rows[0], /that arrived.*rebind\.example.*denied\s+421 host_not_allowed/s)
    assert.match(rows[1], new RegExp(`under its own name.*127\\.0\\.0\\.1:${bare.port}.*allowed`, 's'))
  })
  await t.test('the policy is copied, on a page without a clipboard interface', async () => {
    assert.equal(await page.evaluate(() => isSecureContext), false)
    await page.locator(`::-p-aria(Copy the policy for 127.0.0.1:${bare.port})`).click()
    await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('Copied the policy for '))
    // Pasted into the one field that takes text, on the way back.
    await click(page, 'Run again')
    await page.focus('#add-port')
    await page.$eval('#add-port', (field) => field.removeAttribute('maxlength'))
    await page.keyboard.down('Control')
    await page.keyboard.press('v')
    await page.keyboard.up('Control')
    assert.match(await page.$eval('#add-port', (field) => field.value), /^version = 1\s*\[hosts\]\s*allow = /)
  })
  await t.test('only what was announced was sent', () => {
    // By the lab and the attackers' pages: the first page alone.
    const isOwn = (line) => / \/(app\.js|api\/visit|favicon\.ico) /.test(line)
    for (const line of [...bare.asked, ...guarded.asked].filter((line) => !isOwn(line))) assert.match(line, /^GET \/ (127\.0\.0\.1:\d+|[a-z0-9]+\.rebind\.example(:\d+)?)$/)
    assert.ok(bare.asked.some((line) => /^GET \/ [0-9a-f]{16}\.rebind\.example:/.test(line)))
    // By the service's own page, under the foreign name, as the page says before the run; the icon is the browser's wish.
    for (const line of bare.asked.filter(isOwn)) assert.match(line, /^(GET \/app\.js|POST \/api\/visit|GET \/favicon\.ico) [0-9a-f]{16}\.rebind\.example:\d+$/)
    for (const path of ['GET /app.js', 'POST /api/visit']) assert.ok(bare.asked.some((line) => line.startsWith(path)), path)
    // What refuses the page is not made to run its script.
    assert.deepEqual(guarded.asked.filter(isOwn), [])
  })
  await t.test('the browser asked nobody but the page and the attackers', async () => {
    assert.ok(asked.length > 10)
    for (const { url, isPage } of asked) assert.match(url, isPage ? PAGE : ATTACKERS)
    assert.ok(asked.some(({ isPage }) => !isPage))
    const { strays } = await page.evaluate(async () => (await fetch('lab.json')).json())
    assert.deepEqual(strays, [])
  })
})

test('a run is cancelled, and the next one is not in its way', async () => {
  const { page } = lab
  await page.reload()
  await state(page, 'idle')
  await choose(page, [bare.port])
  await click(page, 'Start the test')
  await page.waitForSelector('#frames iframe', { timeout: 20_000 })
  await click(page, 'Cancel')
  assert.equal(await state(page, 'cancelled', 'done'), 'cancelled')
  assert.match(await heading(page), /^Cancelled after \d of 9 attempts\./)
  assert.equal(await focused(page), 'h1')
  assert.equal(await page.$$eval('#frames iframe', (frames) => frames.length), 0)
  assert.match(await text(page), /Download what there is as JSON/)
  await click(page, 'Run again')
  await click(page, 'Tick none')
  await page.locator('#add-port').fill(String(guarded.port))
  await click(page, 'Add')
  await click(page, 'Start the test')
  assert.equal(await state(page, 'done', 'failed', 'offline'), 'done')
  // What refuses everything that arrives, and nothing else, is safe; and the browser's part in it is told apart.
  assert.equal(await heading(page), 'Every service under test refused the requests that reached it under a foreign name.')
  assert.match(await page.$eval('.conclusion .badge', (badge) => badge.textContent), /refused what reached it/)
  const layers = await page.$$eval('.cards.three .badge', (found) => found.map((badge) => badge.textContent))
  assert.match(layers.join(), /stopped some.*not tested.*refuse/)
})

test('a service whose script never ends does not keep the page from working', async () => {
  const { page } = lab
  const busy = await serve({ pages: BUSY })
  try {
    await page.reload()
    await state(page, 'idle')
    await choose(page, [busy.port])
    const isBusy = busy.until('/busy')
    await click(page, 'Start the test')
    await isBusy
    assert.equal(await state(page, 'running', 'done'), 'running')
    await click(page, 'Cancel')
    assert.equal(await state(page, 'cancelled', 'done'), 'cancelled')
    assert.equal(await focused(page), 'h1')
    assert.equal(await page.$$eval('#frames iframe', (frames) => frames.length), 0)
  } finally {
    await busy.stop()
  }
})
