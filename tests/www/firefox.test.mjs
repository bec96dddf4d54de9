// The page clicked through in Firefox, with the real lab behind it.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'

import { serve, startLab } from './support/lab.mjs'
import { choose, click, heading, state, text } from './support/person.mjs'

let lab
let gone
before(async () => {
  gone = await serve()
  await gone.stop()
  lab = await startLab('firefox')
})
after(() => lab?.stop())

test('a run in Firefox', async (t) => {
  const { page } = lab
  const asked = []
  page.on('request', (request) => request.frame() === page.mainFrame() && !request.url().startsWith('data:') && asked.push(request.url()))
  await t.test('the page is there, and nothing of it was refused by its own policy', async () => {
    assert.equal(await state(page, 'idle', 'no-lab', 'no-wasm', 'offline', 'unsupported'), 'idle')
    assert.match(await text(page), /Firefox \d+/)
  })
  await t.test('frames of the attackers are shown', async () => {
    await choose(page, [gone.port])
    await click(page, 'Start the test')
    await page.waitForSelector('#frames iframe')
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
  })
  await t.test('it ends with the true verdict', async () => {
    assert.equal(await state(page, 'done', 'failed', 'offline'), 'done')
    assert.equal(await heading(page), 'No service gave an HTTP answer at the ports that were chosen: nothing of yours was tested.')
    const cards = Object.fromEntries(await page.$$eval('.service', (found) => found.map((card) => [card.querySelector('h3').textContent, card.querySelector('.head .badge').textContent])))
    assert.match(cards['Bare canary'], /read, as it must be/)
    assert.match(cards['Guarded canary'], /refuses/)
    assert.match(cards['No HTTP answer at 1 port'], /no answer/)
  })
  await t.test('the browser asked nobody but the page and the attackers', async () => {
    for (const url of asked) assert.match(url, /^http:\/\/self-test\.hostbound\.example\//)
    const { strays } = await page.evaluate(async () => (await fetch('lab.json')).json())
    assert.deepEqual(strays, [])
  })
})
