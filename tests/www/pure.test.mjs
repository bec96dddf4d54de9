// What of the page needs no browser: ports, states, the stream of events, texts, layers.

import assert from 'node:assert/strict'
import test from 'node:test'

import { moduleOf } from './support/files.mjs'
import { eventsOf, LAB } from './support/scripted.mjs'

const { parsePort, PortError, PortList } = await import(moduleOf('ports.js'))
const { SERVICES, serviceAt } = await import(moduleOf('services.js'))
const { lines } = await import(moduleOf('ndjson.js'))
const { next, STATES } = await import(moduleOf('state.js'))
const { plain, list, moment, duration } = await import(moduleOf('text.js'))
const { browserLayer, headline, resolverLayer, servicesLayer } = await import(moduleOf('findings.js'))
const { controlFailed, reasonText } = await import(moduleOf('reasons.js'))
const { RunRecord } = await import(moduleOf('record.js'))

test('ports', async (t) => {
  for (const [text, port] of [['1', 1], ['65535', 65535], [' 3000 ', 3000], ['00080', 80]]) {
    await t.test(`${JSON.stringify(text)} is ${port}`, () => assert.equal(parsePort(text), port))
  }
  for (const text of ['', '  ', '0', '65536', '-1', '3000.5', '1e3', '0x50', 'localhost:3000', '127.0.0.1', '<b>', '٣', '99999999999']) {
    await t.test(`${JSON.stringify(text)} is none`, () => assert.throws(() => parsePort(text), PortError))
  }
  await t.test('the known ones are chosen at first, each once', () => {
    const ports = new PortList(64)
    assert.deepEqual(ports.chosen, SERVICES.map(({ port }) => port))
    assert.equal(new Set(ports.chosen).size, SERVICES.length)
    for (const { name, port } of SERVICES) assert.equal(serviceAt(port), name)
  })
  await t.test('one is added once, and taken away', () => {
    const ports = new PortList(64)
    ports.add('12345')
    assert.throws(() => ports.add('12345'), /in the list already/)
    assert.deepEqual(ports.added, [12345])
    ports.remove(12345)
    assert.ok(!ports.has(12345) && ports.added.length === 0)
  })
  await t.test('a known one that was unticked is ticked by adding it', () => {
    const ports = new PortList(64)
    ports.choose(3000, false)
    ports.add('3000')
    assert.deepEqual([ports.has(3000), ports.added], [true, []])
  })
  await t.test('there is a limit', () => {
    const ports = new PortList(2)
    assert.equal(ports.chosen.length, 2)
    assert.throws(() => ports.add('12345'), /At most 2 ports/)
    assert.throws(() => ports.choose(SERVICES.at(-1).port, true), PortError)
    ports.chooseAll(false)
    ports.add('12345')
    ports.chooseAll(true)
    assert.deepEqual(ports.chosen.length, 2)
    assert.ok(ports.has(12345))
  })
})

/** A stream of these bytes, cut into pieces of `size`. */
function streamOf(text, size) {
  const bytes = new TextEncoder().encode(text)
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
      controller.close()
    },
  })
}

const all = async (stream, longest) => {
  const found = []
  for await (const value of lines(stream, longest)) found.push(value)
  return found
}

test('the stream of events', async (t) => {
  const values = [{ event: 'case', text: 'ü – 🙂 \u2028' }, { a: '\n' }, [], 'x', 1]
  const text = `${values.map((value) => JSON.stringify(value)).join('\n')}\n`
  for (const size of [1, 2, 3, 7, 1000]) {
    await t.test(`in pieces of ${size}`, async () => assert.deepEqual(await all(streamOf(text, size)), values))
  }
  await t.test('without a line feed at the end, with CRLF, with empty lines', async () => {
    assert.deepEqual(await all(streamOf('\n{"a":1}\r\n\r\n{"b":2}', 4)), [{ a: 1 }, { b: 2 }])
  })
  await t.test('of nothing', async () => assert.deepEqual(await all(streamOf('', 1)), []))
  await t.test('a line that is no JSON, or cut off', async () => {
    await assert.rejects(all(streamOf('{"a":1}\n<html>\n', 5)), SyntaxError)
    await assert.rejects(all(streamOf('{"a":1}\n{"b":', 5)), SyntaxError)
  })
  await t.test('bytes that are no UTF-8', async () => {
    const stream = new ReadableStream({ start: (controller) => (controller.enqueue(Uint8Array.of(0x22, 0xff, 0x22, 0x0a)), controller.close()) })
    await assert.rejects(all(stream), TypeError)
  })
  await t.test('a line without an end', async () => await assert.rejects(all(streamOf('x'.repeat(300), 100), 200), RangeError))
  await t.test('who stops reading cancels the stream', async () => {
    let isCancelled = false
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(new TextEncoder().encode('{}\n')), cancel: () => void (isCancelled = true) })
    for await (const _ of lines(stream)) break
    assert.ok(isCancelled)
  })
})

test('states', async (t) => {
  await t.test('every one can be reached', () => {
    const reached = new Set(['starting'])
    const events = ['lacking', 'found', 'absent', 'unreachable', 'engineless', 'fail', 'open', 'break', 'again', 'choose', 'back', 'start', 'finish', 'cancel', 'lose', 'leave']
    for (let before = 0; before !== reached.size; ) {
      before = reached.size
      for (const state of [...reached]) for (const event of events) if (next(state, event)) reached.add(next(state, event))
    }
    assert.deepEqual([...reached].sort(), [...STATES].sort())
  })
  await t.test('nothing is sent without consent: running follows on consent alone', () => {
    for (const state of STATES) assert.equal(next(state, 'start'), state === 'consent' ? 'running' : null)
  })
  await t.test('what means nothing changes nothing', () => {
    for (const event of ['', 'toString', '__proto__', 'constructor', 'finish']) assert.equal(next('idle', event), null)
  })
})

test('texts', () => {
  assert.equal(plain('a\u202eb\u0000c\n'), 'a\\u{202e}b\\u{0}c\\u{a}')
  assert.equal(plain('🙂'.repeat(5), 3), '🙂🙂🙂… (2 more)')
  assert.deepEqual([list([]), list(['a']), list(['a', 'b', 'c'])], ['', 'a', 'a, b and c'])
  assert.deepEqual([moment(42), moment(640), duration(7400), duration(192_000)], ['42 ms', '0.6 s', '7.4 s', '3 min 12 s'])
})

/** A record of a run, whole or not. */
function recordOf(ports, { most = Infinity, lab = LAB, ...options } = {}) {
  const record = new RunRecord(lab)
  const events = eventsOf(ports, options)
  record.take(events.targets)
  record.take(events.plan)
  for (const event of events.cases.slice(0, most)) record.take(event)
  if (most === Infinity) record.take(events.done)
  return record
}

test('what is said of a run', async (t) => {
  await t.test('an open service', () => {
    const record = recordOf([3000, 3001, 3002])
    assert.equal(headline(record, 'done'), 'A web page can read 127.0.0.1:3000.')
    assert.equal(servicesLayer(record).text, 'Of 3 services: 1 can be read, 1 refuses, 1 gave no HTTP answer in time.')
    assert.deepEqual([servicesLayer(record).tone, browserLayer(record).word, resolverLayer(record).word], ['bad', 'stopped some', 'not tested'])
  })
  await t.test('what only the browser stopped is never safe', () => {
    const mend = (found) => ({ ...found, outcome: 'blocked_by_browser', logs: { ...found.logs, connections: [] } })
    const record = recordOf([3000], { mend })
    record.run.conclusion = 'inconclusive'
    for (const service of record.run.services) service.verdict = 'not_tested'
    assert.equal(headline(record, 'done'), 'This run does not show whether the guarded canary and 127.0.0.1:3000 can be read.')
    assert.equal(browserLayer(record).word, 'stopped all')
    assert.match(browserLayer(record).text, /says nothing about the services/)
    for (const layer of [browserLayer(record), servicesLayer(record), resolverLayer(record)]) assert.notEqual(layer.tone, 'good')
  })
  await t.test('a service that requests reached, and whose answer nobody read, may be open: it is not settled', () => {
    const unread = (found) => (found.case.target === '127.0.0.1:3000' && found.outcome === 'reached_readable' ? { ...found, outcome: 'inconclusive' } : found)
    const record = recordOf([3000, 3001], { mend: unread })
    record.run.conclusion = 'inconclusive'
    record.run.services.find(({ target }) => target.name === '127.0.0.1:3000').verdict = 'not_tested'
    const layer = servicesLayer(record)
    assert.equal(layer.text, 'Of 2 services: 1 refuses, 1 is not settled. Requests reached what is not settled and were not refused, but no page read the answer: it may be open.')
    assert.deepEqual([layer.word, layer.tone], ['not settled', 'unknown'])
    // The browser let that attempt out.
    assert.match(browserLayer(record).text, /^Chromium stopped 8 of 12 attempts: fetch and iframe\. It let out: popup\./)
  })
  await t.test('the browser is counted by what arrived, of all attempts', () => {
    const mended = (change) => browserLayer(recordOf([3000], { mend: (found) => ({ ...found, ...change(found) }) }))
    const empty = ({ logs }) => ({ logs: { ...logs, connections: [] } })
    const other = mended((found) => (found.outcome === 'blocked_by_browser' ? { outcome: 'not_requeried' } : {}))
    assert.match(other.text, /^Chromium let 3 of 9 attempts out: popup\. The others did not come as far/)
    assert.equal(other.word, 'stopped nothing')
    const inconclusive = mended((found) => (found.outcome === 'blocked_by_browser' ? {} : { outcome: 'inconclusive' }))
    assert.equal(inconclusive.word, 'stopped some')
    const silent = mended((found) => (found.outcome === 'blocked_by_browser' ? {} : { outcome: 'not_requeried', ...empty(found) }))
    assert.deepEqual([silent.word, /stopped 6 of 9 attempts/.test(silent.text), /let out/.test(silent.text)], ['stopped some', true, false])
    const none = mended((found) => ({ outcome: 'not_requeried', ...empty(found) }))
    assert.equal(none.word, 'not shown')
  })
  await t.test('a run that was cancelled has tested no service to the end', () => {
    assert.equal(servicesLayer(recordOf([3000, 3001], { most: 2 })).text, 'Of 2 services: 2 were not tested to the end.')
  })
  await t.test('a service of WebSockets alone is one', () => {
    const record = recordOf([3000, 3001])
    Object.assign(record.targets.at(-1), { own_name_status: null, foreign_name_status: null, own_name_upgrade: 101 })
    assert.doesNotMatch(servicesLayer(record).text, /no HTTP answer/)
    record.targets.at(-1).own_name_upgrade = 426
    assert.match(servicesLayer(record).text, /1 gave no HTTP answer in time/)
  })
  await t.test('ports at which nothing answers are no result', () => {
    const record = recordOf([], { conclusion: 'inconclusive' })
    assert.equal(headline(record, 'done'), 'Only the canaries were attacked: nothing of yours was tested.')
  })
  await t.test('a run that is not whole says so, and what it found', () => {
    assert.equal(headline(recordOf([3000], { most: 2 }), 'cancelled'), 'Cancelled after 2 of 9 attempts.')
    assert.equal(headline(recordOf([3000], { most: 9 }), 'offline'), 'The lab went away after 9 of 9 attempts. By then a web page had read 127.0.0.1:3000.')
  })
  await t.test('a resolver of the user is told from the lab’s', () => {
    const lab = { ...LAB, resolver: 'command' }
    assert.equal(resolverLayer(recordOf([3000], { lab })).word, 'filters nothing')
    const mend = (found) => ({ ...found, outcome: 'filtered_by_resolver' })
    assert.equal(resolverLayer(recordOf([3000], { lab, mend })).word, 'filters')
  })
})

test('reasons are in words for people', () => {
  assert.equal(reasonText('negative control: no case read the canary without a guard'), 'The lab’s own unprotected service was not read either, so refusals in this run prove nothing.')
  assert.equal(reasonText('negative control: no case by fetch read the canary without a guard with Local Network Access off'), 'By fetch the lab’s own unprotected service was not read either, so refusals by fetch prove nothing.')
  assert.equal(reasonText('`127.0.0.1:3000`: a foreign page read it in 1 of 3 cases\u202e'), '`127.0.0.1:3000`: a foreign page read it in 1 of 3 cases\\u{202e}')
})

test('the control failed where no attempt read it', () => {
  assert.equal(controlFailed(recordOf([3000])), false)
  const hide = (found) => (found.case.target === 'canary' ? { ...found, outcome: 'blocked_by_browser' } : found)
  assert.equal(controlFailed(recordOf([3000], { mend: hide })), true)
})

test('of canaries alone nothing follows, however they did', async () => {
  const { ofYours } = await import(moduleOf('findings.js'))
  const record = recordOf([], { conclusion: 'inconclusive', reasons: ['no service of this machine was attacked'] })
  assert.equal(ofYours(record), false)
  assert.equal(headline(record, 'done'), 'Only the canaries were attacked: nothing of yours was tested.')
  const refusing = recordOf([3000], { conclusion: 'safe', open: false })
  assert.equal(ofYours(refusing), true)
  assert.equal(headline(refusing, 'done'), 'Every service under test refused the requests that reached it under a foreign name.')
})
