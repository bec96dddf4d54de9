// Every state of the page in Chromium, with a lab that says what the test wants: what is shown, said and focused,
// with the keyboard alone, and under the eyes of axe-core in light, dark, forced colours, 320 pixels and reduced motion.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'

import { lookAt } from './support/axe.mjs'
import { choose, click, focused, heading, state, status, text } from './support/person.mjs'
import { eventsOf, LAB, launch, result, serveScripted } from './support/scripted.mjs'

const FRAGMENT = `#result=1.${Buffer.from(JSON.stringify([1, 0, 156, '2026-10-20', [[0, 0, [1, 0, 2, 0, 0, 0, 0, 0], 0], [2, 1, [1, 0, 2, 0, 0, 0, 0, 0], 11434]]])).toString('base64url')}`

let browser
before(async () => {
  browser = await launch()
})
after(() => browser?.close())

/** A page of its own, on a server of its own; both end with the test. */
async function open(t, options, { fragment = '', prepare } = {}) {
  const server = await serveScripted(options)
  const page = await browser.newPage()
  const errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) errors.push(message.text())
  })
  t.after(async () => {
    await page.close()
    await server.stop()
    assert.deepEqual(errors, [])
  })
  await prepare?.(page)
  await page.goto(server.url + fragment)
  return { page, server }
}

const clean = async (page) => assert.deepEqual(await lookAt(page), [])

/** A run up to some case, that then waits for its end; what was opened stays open. */
const upTo = (most, then) => async (send, ports, gone) => {
  const events = eventsOf(ports)
  send(events.targets)
  send(events.plan)
  for (const event of events.cases.slice(0, most)) send(event)
  for (const number of [most, most + 1]) send({ event: 'open', number, url: `http://a${number}.rebind.example:8103/` })
  await (then === undefined ? gone : then(send))
}

const whole = (options) => (send, ports) => {
  const events = eventsOf(ports, options)
  for (const event of [events.targets, events.plan, ...events.cases, events.done]) send(event)
}

test('no lab behind the page', async (t) => {
  const { page } = await open(t)
  assert.equal(await state(page, 'no-lab', 'idle'), 'no-lab')
  assert.equal(await heading(page), 'There is no lab behind this page')
  assert.match(await text(page), /hostbound lab page.*Three logs together.*hostbound lab run/s)
  // Nobody asked for it: the focus stays where it was.
  assert.equal(await focused(page), 'body')
  await clean(page)
})

test('a folder that answers everything with a page is no lab either', async (t) => {
  const { page } = await open(t, { lab: 'hello' })
  assert.equal(await state(page, 'no-lab', 'idle', 'failed'), 'no-lab')
})

test('a lab of another version', async (t) => {
  const { page } = await open(t, { lab: { ...LAB, format: 2 } })
  await state(page, 'failed')
  assert.match(await text(page), /the lab speaks format 2, and this page format 1/)
  assert.match(await page.$eval('#alert', (found) => found.textContent), /format 2/)
  await clean(page)
})

test('no WebAssembly', async (t) => {
  await t.test('in the browser', async (t) => {
    const { page } = await open(t, { lab: LAB }, { prepare: (page) => page.evaluateOnNewDocument(() => delete globalThis.WebAssembly) })
    await state(page, 'no-wasm')
    assert.match(await text(page), /this browser has no WebAssembly.*hostbound lab run/s)
    await clean(page)
  })
  await t.test('beside the page', async (t) => {
    const { page } = await open(t, { lab: LAB, missing: /\.wasm$/ })
    await state(page, 'no-wasm')
    assert.match(await text(page), /was answered with 404/)
  })
})

test('not supported', async (t) => {
  await t.test('a browser without what the page needs', async (t) => {
    const { page } = await open(t, { lab: LAB }, { prepare: (page) => page.evaluateOnNewDocument(() => delete Response.prototype.body) })
    await state(page, 'unsupported')
    assert.match(await text(page), /answers that can be read as they come.*hostbound lab run/s)
    await clean(page)
  })
  await t.test('a browser without modules, or a page without its scripts: what stands there at first stays', async (t) => {
    const { page } = await open(t, { lab: LAB, missing: /\.js$/ })
    assert.match(await text(page), /the browser lacks what the page is made of/)
    await clean(page)
  })
  await t.test('JavaScript switched off', async (t) => {
    const { page } = await open(t, { lab: LAB }, { prepare: (page) => page.setJavaScriptEnabled(false) })
    await page.waitForSelector('noscript p')
    await page.setJavaScriptEnabled(true)
  })
})

test('idle, consent, and the list of ports', async (t) => {
  const { page } = await open(t, { lab: { ...LAB, max_ports: 12 } })
  await state(page, 'idle')
  assert.equal(await focused(page), 'body')
  assert.match(await text(page), /leads to your machine \(DNS rebinding\).*How the attacker’s page tries\s+fetch, iframe and popup\s+DNS strategies\s+multiple-answers \(one answer with the attacker’s address and yours\)/s)
  await t.test('idle is clean', () => clean(page))
  await click(page, 'Choose what is tested')
  await state(page, 'consent')
  await t.test('consent is clean', () => clean(page))
  const add = async (value) => {
    await page.locator('#add-port').fill(value)
    await click(page, 'Add')
    return page.$eval('#add-error', (found) => found.textContent)
  }
  await t.test('what is no port is told beside the field', async () => {
    assert.match(await add('70000'), /There is no port 70000/)
    assert.equal(await page.$eval('#add-port', (field) => field.getAttribute('aria-invalid')), 'true')
    assert.ok(await page.$eval('#add-port', (field) => field.getAttribute('aria-describedby').split(' ').includes('add-error')))
    assert.equal(await page.evaluate(() => document.activeElement.id), 'add-port')
    assert.match(await add('localhost'), /A port is a whole number/)
    await clean(page)
  })
  await t.test('a port is added, said, and removed', async () => {
    assert.equal(await add('4567'), '')
    assert.equal(await status(page), 'Port 4567 was added.')
    assert.match(await text(page), /12 ports: at most 42 attempts/)
    assert.match(await add('4568'), /At most 12 ports/)
    await page.locator('::-p-aria(Remove port 4567)').click()
    await page.waitForFunction(() => !document.getElementById('port-4567'))
    assert.equal(await page.evaluate(() => document.activeElement.id), 'add-port')
  })
  await t.test('back leads back', async () => {
    await click(page, 'Back')
    assert.equal(await state(page, 'idle'), 'idle')
    assert.equal(await focused(page), 'h1')
  })
})

test('running, cancelled, again', async (t) => {
  const { page } = await open(t, { lab: LAB, script: upTo(3) })
  await state(page, 'idle')
  await choose(page, [3000, 3001, 3002])
  await click(page, 'Start the test')
  await page.waitForFunction(() => document.querySelectorAll('#frames iframe').length === 2)
  assert.match(await text(page), /3 of 12 attempts done/)
  assert.match(await text(page), /If one asks you for a password, close it\./)
  assert.equal(await page.$eval('progress', (bar) => bar.value), 3)
  assert.match(await status(page), /^\d+ of 12 attempts done\.$/)
  // What browsers do not know they warn of.
  assert.deepEqual(await page.$$eval('#frames iframe', (frames) => frames.filter((frame) => frame.hasAttribute('allow')).length), 0)
  await t.test('running is clean', () => clean(page))
  await t.test('what runs in the frames does not take the focus', async () => {
    await page.waitForFunction(() => document.querySelectorAll('#frames iframe').length === 2)
    await Promise.all(page.frames().slice(1).map((frame) => frame.waitForSelector('input')))
    // Their scripts try to take it, and it is taken back.
    await Promise.all(page.frames().slice(1).map((frame) => frame.evaluate(() => document.querySelector('input').focus())))
    await page.waitForFunction(() => document.activeElement.tagName === 'H1' && document.hasFocus())
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel')
    await page.keyboard.press('Tab')
    assert.notEqual(await focused(page), 'iframe')
  })
  await click(page, 'Cancel')
  await state(page, 'cancelled')
  assert.equal(await heading(page), 'Cancelled after 3 of 12 attempts.')
  assert.equal(await focused(page), 'h1')
  assert.equal(await page.$$eval('iframe', (frames) => frames.length), 0)
  await t.test('cancelled is clean', () => clean(page))
  await t.test('what there is can be exported, and says what it is', async () => {
    const { name, json } = await downloaded(page, 'Download what there is as JSON')
    assert.match(name, /-partial\.json$/)
    assert.deepEqual([json.partial, json.planned, json.cases.length, json.conclusion], [true, 12, 3, undefined])
  })
})

/** What a button hands to the browser as a file. */
async function downloaded(page, button) {
  await page.evaluate(() => {
    globalThis.downloaded = new Promise((resolve) => {
      const create = URL.createObjectURL
      URL.createObjectURL = (blob) => {
        URL.createObjectURL = create
        addEventListener('click', (event) => blob.text().then((content) => resolve({ name: event.target.download, content })), { capture: true, once: true })
        return create.call(URL, blob)
      }
    })
  })
  await click(page, button)
  const { name, content } = await page.evaluate(() => globalThis.downloaded)
  return { name, content, json: name.endsWith('.json') ? JSON.parse(content) : null }
}

test('done', async (t) => {
  const { page } = await open(t, { lab: LAB, script: whole() })
  await state(page, 'idle')
  await choose(page, [3000, 3001, 3002])
  await click(page, 'Start the test')
  await state(page, 'done')
  await page.waitForSelector('.proof li')
  // The focus is on the headline, which is read without being said.
  assert.deepEqual([await status(page), await focused(page)], ['The test is over.', 'h1'])
  assert.equal(await page.title(), 'Vulnerable: A web page can read 127.0.0.1:3000. – Hostbound self-test')
  await t.test('it is clean, closed and with everything open', async () => {
    await clean(page)
    await page.$$eval('details', (all) => all.forEach((details) => (details.open = true)))
    await clean(page)
  })
  await t.test('what gave no HTTP answer is not said to be absent', async () => {
    const card = await page.$$eval('.service', (all) => all.find((found) => found.querySelector('.absent')).innerText)
    assert.match(card, /^No HTTP answer at 1 port\s+○ no answer\s+Nothing was attacked there\. What listens may be slow, speak something else, or not run: nothing is known of it\./)
    assert.doesNotMatch(await text(page), /not run(ning)?\b(?!:)/)
  })
  await t.test('the control was read by a method, so its reasons stay folded', async () => {
    await page.$$eval('details', (all) => all.forEach((details) => (details.open = true)))
    assert.match(await text(page), /By fetch the lab’s own unprotected service was not read either, so refusals by fetch prove nothing\./)
  })
  await t.test('a block by the browser is never green', async () => {
    const tones = await page.$$eval('.badge', (all) => all.filter((badge) => badge.textContent.includes('browser blocked')).map((badge) => badge.className))
    assert.ok(tones.length > 0 && tones.every((tone) => tone === 'badge browser'), tones.join())
  })
  await t.test('files', async () => {
    const { json } = await downloaded(page, 'Download as JSON')
    assert.deepEqual(json, JSON.parse(JSON.stringify(eventsOf([3000, 3001, 3002]).done.run)))
    const { name, content } = await downloaded(page, 'Download as one HTML file')
    assert.match(name, /^hostbound-self-test-\d{4}-\d\d-\d\d\.html$/)
    assert.equal(content, eventsOf([]).done.html)
  })
  await t.test('a link holds the redacted summary, and ports on demand', async () => {
    assert.match(await text(page), /The address before the # exists in this lab only\./)
    const link = () => page.$eval('#link', (field) => field.value)
    const held = async () => Buffer.from((await link()).split('#result=1.')[1], 'base64url').toString()
    assert.doesNotMatch(await held(), /3000/)
    await page.locator('#with-ports').click()
    await page.waitForFunction(() => document.querySelector('.preview').textContent.includes('Port 3000'))
    assert.match(await held(), /3000/)
    const other = await browser.newPage()
    await other.goto(await link())
    await state(other, 'shared')
    assert.match(await text(other), /Port 3000 usually Rails/)
    await other.close()
  })
  await t.test('on paper', async () => {
    await page.emulateMediaType('print')
    assert.deepEqual(await page.$$eval('button, .keep', (all) => all.filter((found) => found.checkVisibility()).length), 0)
    await page.emulateMediaType('screen')
  })
})

test('where files go', async (t) => {
  const { page } = await open(t, { lab: { ...LAB, downloads: '/home/somebody/Downloads' }, script: whole() })
  await state(page, 'idle')
  await choose(page, [3000])
  await click(page, 'Start the test')
  await state(page, 'done')
  assert.match(await text(page), /The file goes to \/home\/somebody\/Downloads; a window asks first\./)
  await page.$eval('.share', (details) => (details.open = true))
  const shared = await page.$eval('.share', (found) => found.innerText + atob(found.querySelector('#link').value.split('#result=1.')[1].replaceAll('-', '+').replaceAll('_', '/')))
  assert.doesNotMatch(shared, /somebody/)
  const { content } = await downloaded(page, 'Download as JSON')
  assert.doesNotMatch(content, /somebody/)
})

test('verdicts that are less than a verdict', async (t) => {
  const shown = async (t, options, ports = [3000]) => {
    const { page } = await open(t, { lab: LAB, script: whole(options) })
    await state(page, 'idle')
    await choose(page, ports)
    await click(page, 'Start the test')
    await state(page, 'done')
    const card = (name) => page.$$eval('.service', (all, wanted) => all.find((found) => found.querySelector('h3').textContent === wanted).innerText, name)
    return { page, card, conclusion: await page.$eval('.conclusion', (found) => found.innerText) }
  }
  await t.test('what refused is not called safe, here or in a link', async (t) => {
    const { page, conclusion } = await shown(t, { conclusion: 'safe', open: false, reasons: ['everything under test refused'] })
    assert.match(conclusion, /^✔ refused what reached it/)
    await page.$eval('.share', (details) => (details.open = true))
    assert.doesNotMatch(await text(page), /✔ safe/)
    const other = await browser.newPage()
    t.after(() => other.close())
    await other.goto(await page.$eval('#link', (field) => field.value))
    await state(other, 'shared')
    assert.equal(await heading(other), 'Somebody’s self-test came to “refused what reached it”')
    await clean(page)
  })
  await t.test('a service that requests reached is not settled', async (t) => {
    const unread = (found) => (found.outcome === 'reached_readable' && found.case.target !== 'canary' ? { ...found, outcome: 'inconclusive' } : found)
    const { page, card, conclusion } = await shown(t, { mend: unread, verdicts: { '127.0.0.1:3000': 'not_tested' }, conclusion: 'inconclusive' })
    assert.match(conclusion, /^– inconclusive/)
    assert.match(await card('127.0.0.1:3000'), /^127\.0\.0\.1:3000\s+– not settled/)
    assert.match(await page.$eval('.preview', (found) => found.textContent), /A service– not settled/)
  })
  await t.test('requests that came and were not kept', async (t) => {
    const many = (found) => ({ ...found, logs: { ...found.logs, connections: found.logs.connections.map((connection) => ({ ...connection, requests: connection.requests.flatMap((request) => Array(14).fill(request)), not_kept: 3 })) } })
    const { page } = await shown(t, { mend: many })
    await page.$$eval('.service details', (all) => all.forEach((details) => (details.open = true)))
    assert.match(await text(page), /2 more requests are in the exports\.\s+3 more requests came than are kept of an attempt\./)
  })
  await t.test('reasons are open where the control was read by nothing', async (t) => {
    const hide = (found) => (found.case.target === 'canary' ? result(found.case, 'blocked_by_browser') : found)
    const { page, conclusion } = await shown(t, { mend: hide, open: false, conclusion: 'inconclusive', reasons: ['negative control: no case read the canary without a guard', 'one', 'two'] })
    assert.match(conclusion, /own unprotected service was not read either, so refusals in this run prove nothing\./)
    assert.equal(await page.$eval('.conclusion details', (details) => details.open), true)
    await clean(page)
  })
  await t.test('a service that answers everybody with an error', async (t) => {
    const { card } = await shown(t, { statuses: { own_name_status: 404, foreign_name_status: 404 } })
    assert.match(await card('127.0.0.1:3000'), /It answers 404 to everybody; only its first page was asked\./)
  })
  await t.test('a service that is asked by WebSocket alone', async (t) => {
    const { card } = await shown(t, { statuses: { own_name_status: null, foreign_name_status: null, own_name_upgrade: 101 } })
    assert.match(await card('127.0.0.1:3000'), /Under its own name\s+101, to a WebSocket alone/)
  })
})

test('while it runs, what is shown of a service stays where it is', async (t) => {
  let go
  const more = new Promise((resolve) => (go = resolve))
  const script = async (send, ports, gone) => {
    const events = eventsOf(ports)
    for (const event of [events.targets, events.plan, ...events.cases.slice(0, 1)]) send(event)
    for (const number of [1, 2]) send({ event: 'open', number, url: `http://a${number}.rebind.example:8103/` })
    await more
    send(events.cases[1])
    await gone
  }
  const { page } = await open(t, { lab: LAB, script })
  await state(page, 'idle')
  await choose(page, [3000, 3001, 3002])
  await click(page, 'Start the test')
  await page.waitForFunction(() => document.querySelector('.targets').innerText.includes('1 of 3 attempts, 2 under way'))
  assert.match(await page.$eval('.targets .rest', (found) => found.textContent), /^No HTTP answer at 1 other port\.$/)
  await page.$$eval('.targets li', (all) => all.forEach((row, index) => (row.wasAt = index)))
  go()
  await page.waitForFunction(() => document.querySelector('.targets').innerText.includes('2 of 3 attempts, 1 under way'))
  assert.deepEqual(await page.$$eval('.targets li', (all) => all.map((row) => row.wasAt)), [0, 1, 2, 3, 4])
  assert.match(await page.$eval('.targets li', (row) => row.innerText), /browser blocked × 2/)
  await click(page, 'Cancel')
  await state(page, 'cancelled')
})

test('a run that is cancelled before the lab names the services', async (t) => {
  const { page } = await open(t, { lab: LAB, script: (send, ports, gone) => gone })
  await state(page, 'idle')
  await choose(page, [3000])
  await click(page, 'Start the test')
  await click(page, 'Cancel')
  await state(page, 'cancelled')
  assert.match(await text(page), /Which services were asked before that is not known\./)
})

test('the keyboard alone', async (t) => {
  const { page } = await open(t, { lab: LAB, script: whole() })
  await state(page, 'idle')
  const tabTo = async (name) => {
    for (let presses = 0; presses < 80; presses += 1) {
      await page.keyboard.press('Tab')
      const here = await page.evaluate(() => {
        const found = document.activeElement
        const box = found.getBoundingClientRect()
        const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
        const outline = getComputedStyle(found).outlineStyle
        return { name: found.textContent.trim() || found.id, isSeen: at !== null && (found === at || found.contains(at) || at.contains(found)), outline }
      })
      assert.ok(here.isSeen, `${here.name} is not seen while it has the focus`)
      assert.notEqual(here.outline, 'none', here.name)
      if (here.name.startsWith(name)) return
    }
    assert.fail(`the keyboard does not come to ${name}`)
  }
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the test')
  await page.keyboard.press('Enter')
  await tabTo('Choose what is tested')
  await page.keyboard.press('Enter')
  await state(page, 'consent')
  await tabTo('Tick none')
  await page.keyboard.press('Space')
  await tabTo('port-3000')
  await page.keyboard.press('Space')
  assert.equal(await page.$eval('#port-3000', (box) => box.checked), true)
  await tabTo('add-port')
  await page.keyboard.type('4567')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#port-4567')
  await tabTo('Start the test')
  await page.keyboard.press('Enter')
  await state(page, 'done')
  await page.waitForSelector('.proof li')
  await tabTo('Why')
  await page.keyboard.press('Enter')
  assert.equal(await page.$eval('.conclusion details', (details) => details.open), true)
  await tabTo('Copy the policy')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('Copied the policy for '))
  // Copying gives the focus back.
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^Copy the policy/)
  await tabTo('Run again')
  await page.keyboard.press('Enter')
  await state(page, 'consent')
})

test('the lab goes away', async (t) => {
  await t.test('in the middle of a run: what was found stays', async (t) => {
    const { page, server } = await open(t, { lab: LAB, script: upTo(9) })
    await state(page, 'idle')
    await choose(page, [3000, 3001])
    await click(page, 'Start the test')
    await page.waitForFunction(() => document.querySelector('main').innerText.includes('9 of 12 attempts done'))
    await server.stop()
    await state(page, 'offline')
    assert.equal(await heading(page), 'The lab went away after 9 of 12 attempts. By then a web page had read 127.0.0.1:3000.')
    assert.equal(await page.$eval('#alert', (found) => found.textContent), 'The lab does not answer any more.')
    assert.match(await text(page), /Download what there is as JSON/)
    await clean(page)
  })
  await t.test('before the run', async (t) => {
    const { page, server } = await open(t, { lab: LAB })
    await state(page, 'idle')
    await choose(page, [3000])
    await server.stop()
    await click(page, 'Start the test')
    await state(page, 'offline')
    assert.equal(await heading(page), 'The lab does not answer')
    // Services are asked before the lab names them.
    assert.match(await text(page), /Which services were asked before that is not known/)
    await click(page, 'Look again')
    await page.waitForFunction(() => document.activeElement?.textContent === 'The lab does not answer')
    await clean(page)
  })
})

test('the lab fails', async (t) => {
  const { page } = await open(t, { lab: LAB, script: upTo(3, (send) => send({ event: 'failed', message: 'the DNS server ended: <b>no address</b>' })) })
  await state(page, 'idle')
  await choose(page, [3000])
  await click(page, 'Start the test')
  await state(page, 'failed')
  assert.match(await page.$eval('#alert', (found) => found.textContent), /The test cannot go on: the DNS server ended: <b>no address<\/b>/)
  assert.match(await text(page), /the DNS server ended: <b>no address<\/b>/)
  assert.equal(await page.$$eval('main b', (all) => all.filter((found) => found.textContent === 'no address').length), 0)
  await clean(page)
})

test('a lab that wants a frame of somebody else', async (t) => {
  const script = (send, ports) => {
    const events = eventsOf(ports)
    for (const event of [events.targets, events.plan, { event: 'open', number: 0, url: 'http://rebind.example.evil.test/' }]) send(event)
  }
  const { page } = await open(t, { lab: LAB, script })
  await state(page, 'idle')
  await choose(page, [])
  await click(page, 'Start the test')
  await state(page, 'failed')
  assert.match(await text(page), /which is not its own/)
  assert.equal(page.frames().length, 1)
})

test('what services answered stays text', async (t) => {
  const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202e'
  const mend = (found) => ({ ...result(found.case, found.outcome, { evidence: [hostile], path: `/?${hostile}` }), authority: hostile })
  const { page } = await open(t, { lab: { ...LAB, guard: { kind: 'node', trouble: hostile } }, script: whole({ mend }) })
  await state(page, 'idle')
  assert.ok((await text(page)).includes('<img src=x'))
  await choose(page, [3000])
  await click(page, 'Start the test')
  await state(page, 'done')
  const found = await page.evaluate(() => [document.querySelectorAll('main img, main script').length, document.title, document.body.textContent.includes('\u202e')])
  assert.equal(found[0], 0)
  assert.match(found[1], /^Vulnerable/)
  assert.equal(found[2], false)
})

test('a shared result', async (t) => {
  await t.test('is shown as what its sender claims, also without a lab', async (t) => {
    const { page } = await open(t, {}, { fragment: FRAGMENT })
    await state(page, 'shared')
    assert.match(await text(page), /what the sender of the link claims/)
    assert.match(await text(page), /Port 11434 usually Ollama/)
    assert.equal(await focused(page), 'body')
    await clean(page)
    await click(page, 'Test this browser')
    await state(page, 'no-lab')
    assert.equal(new URL(page.url()).hash, '')
  })
  await t.test('that is none is an error, and no markup', async (t) => {
    const { page } = await open(t, {}, { fragment: '#result=1.<img/src=x/onerror=alert(1)>' })
    await state(page, 'shared-broken')
    assert.match(await text(page), /characters that do not belong there/)
    assert.equal(await page.$eval('#alert', (found) => found.textContent), 'This link holds no result.')
    assert.equal(await page.$$eval('main img', (all) => all.length), 0)
    await clean(page)
  })
})

test('from right to left nothing runs out of the page', async (t) => {
  const { page } = await open(t, { lab: LAB, script: whole() })
  await state(page, 'idle')
  await choose(page, [3000])
  await click(page, 'Start the test')
  await state(page, 'done')
  await page.evaluate(() => (document.documentElement.dir = 'rtl'))
  assert.deepEqual(await lookAt(page, [{ name: 'right to left' }, { name: '320 px', width: 320 }]), [])
})
