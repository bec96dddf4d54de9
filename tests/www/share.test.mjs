// Sharing: what is in a link, what is not, and what is made of links of strangers.

import assert from 'node:assert/strict'
import test from 'node:test'

import { moduleOf } from './support/files.mjs'
import { eventsOf, LAB } from './support/scripted.mjs'

const { FragmentError, fromFragment, isShared, LONGEST_FRAGMENT, MOST_SERVICES, summarize, toFragment } = await import(moduleOf('share.js'))
const { RunRecord } = await import(moduleOf('record.js'))

function whole(ports, options) {
  const record = new RunRecord(LAB)
  const events = eventsOf(ports, options)
  for (const event of [events.targets, events.plan, ...events.cases, events.done]) record.take(event)
  return record
}

const decode = (fragment) => atob(fragment.slice('#result=1.'.length).replaceAll('-', '+').replaceAll('_', '/'))
const encode = (value) => `#result=1.${btoa(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`

test('what is written is read', () => {
  for (const withPorts of [false, true]) {
    const shared = summarize(whole([3000, 11434, 8080]), { withPorts })
    const fragment = toFragment(shared)
    assert.ok(isShared(fragment))
    assert.ok(fragment.length < LONGEST_FRAGMENT)
    assert.deepEqual(fromFragment(fragment), shared)
  }
})

test('a service that requests reached, and nobody read, is shared as not settled', () => {
  const mend = (found) => (found.outcome === 'reached_readable' ? { ...found, outcome: 'inconclusive' } : found)
  const shared = summarize(whole([3000], { mend, conclusion: 'inconclusive', verdicts: { canary: 'not_tested', '127.0.0.1:3000': 'not_tested' } }), { withPorts: false })
  assert.deepEqual(shared.services.map(({ verdict }) => verdict), ['not_tested', 'refuses', 'not_settled'])
  assert.deepEqual(fromFragment(toFragment(shared)), shared)
})

test('a summary is redacted as it comes', () => {
  const record = whole([3000, 11434, 8080])
  const secrets = ['3000', '11434', '127.0.0.1', 'rebind', 'Mozilla', 'host_not_allowed', '/?m1', 'localhost', '156.0.8078']
  const closed = decode(toFragment(summarize(record, { withPorts: false })))
  for (const secret of secrets) assert.ok(!closed.includes(secret), `${secret} in ${closed}`)
  const open = decode(toFragment(summarize(record, { withPorts: true })))
  for (const secret of secrets.slice(2)) assert.ok(!open.includes(secret), `${secret} in ${open}`)
  assert.match(open, /3000.*11434/)
  // What does not run is nobody's business.
  assert.doesNotMatch(open, /8080/)
  // Numbers alone, but for the day: there is no place for text.
  assert.match(closed.replace('2026-10-20', ''), /^[[\]",0-9]+$/)
})

test('as many services as a run may have, and the canaries, fit', () => {
  const record = whole(Array.from({ length: 64 }, (_, index) => 60001 + index))
  for (const target of record.targets) target.own_name_status = 200
  const shared = summarize(record, { withPorts: true })
  assert.equal(shared.services.length, 66)
  assert.ok(toFragment(shared).length < LONGEST_FRAGMENT, String(toFragment(shared).length))
})

const SERVICE = [2, 1, [1, 0, 2, 0, 0, 0, 0, 0], 3000]
/** A bare canary that was read, as it must be, and a service that refuses. */
const CANARY = [0, 0, [1, 0, 2, 0, 0, 0, 0, 0], 0]
const REFUSING = [2, 2, [0, 1, 2, 0, 0, 0, 0, 0], 3000]
const GOOD = [1, 0, 156, '2026-10-20', [SERVICE]]

test('a good fragment, as the bad ones are made from it', () => {
  assert.equal(fromFragment(encode(GOOD)).services[0].port, 3000)
  assert.equal(fromFragment(encode([2, 1, 0, '2026-10-20', []])).browser, 'firefox')
  assert.equal(fromFragment(encode([0, 0, 156, '2028-02-29', [CANARY, REFUSING]])).conclusion, 'safe')
})

for (const [name, fragment] of [
  ['empty', '#result='],
  ['another version', '#result=2.AAAA'],
  ['nothing in it', '#result=1.'],
  ['not base64url', '#result=1.<script>alert(1)</script>'],
  ['percent signs', '#result=1.%3Cscript%3E'],
  ['plain base64', '#result=1.AA+/'],
  ['cut off', encode(GOOD).slice(0, -5)],
  ['no JSON', encode('<img src=x onerror=alert(1)>')],
  ['too long', `#result=1.${'A'.repeat(LONGEST_FRAGMENT)}`],
  ['deep', encode('['.repeat(2000))],
  ['an object', encode({ conclusion: 'safe' })],
  ['null', encode(null)],
  ['a string', encode('"safe"')],
  ['too short', encode(GOOD.slice(0, 3))],
  ['too much', encode([...GOOD, 'more'])],
  ['an unknown conclusion', encode([3, ...GOOD.slice(1)])],
  ['a conclusion in words', encode(['safe', ...GOOD.slice(1)])],
  ['a negative conclusion', encode([-1, ...GOOD.slice(1)])],
  ['a broken conclusion', encode([0.5, ...GOOD.slice(1)])],
  ['an unknown browser', encode([1, 2, ...GOOD.slice(2)])],
  ['a version with markup', encode([1, 0, '<b>', ...GOOD.slice(3)])],
  ['a version too large', encode([1, 0, 1e9, ...GOOD.slice(3)])],
  ['a day with markup', encode([1, 0, 156, '<script>', [SERVICE]])],
  ['no day of the calendar', encode([1, 0, 156, '2026-19-39', [SERVICE]])],
  ['a day that no February has', encode([1, 0, 156, '2099-02-31', [SERVICE]])],
  ['the 29th of a February without one', encode([1, 0, 156, '2026-02-29', [SERVICE]])],
  ['safe beside a vulnerable service', encode([0, 0, 156, '2026-10-20', [REFUSING, [2, 1, [0, 1, 0, 0, 0, 0, 0, 0], 0]]])],
  ['safe beside a service that was read', encode([0, 0, 156, '2026-10-20', [REFUSING, [2, 2, [1, 1, 0, 0, 0, 0, 0, 0], 0]]])],
  ['safe beside a guarded canary that was read', encode([0, 0, 156, '2026-10-20', [REFUSING, [1, 2, [1, 1, 0, 0, 0, 0, 0, 0], 0]]])],
  ['safe, and no service refused', encode([0, 0, 156, '2026-10-20', [CANARY, [1, 2, [0, 1, 2, 0, 0, 0, 0, 0], 0]]])],
  ['a day as a number', encode([1, 0, 156, 20261020, [SERVICE]])],
  ['services as an object', encode([1, 0, 156, '2026-10-20', { length: 1 }])],
  ['too many services', encode([1, 0, 156, '2026-10-20', Array(MOST_SERVICES + 1).fill(SERVICE)])],
  ['a service with a name', encode([1, 0, 156, '2026-10-20', [[...SERVICE, '<img src=x>']]])],
  ['a service without counts', encode([1, 0, 156, '2026-10-20', [[2, 1, 0, 3000]]])],
  ['too few counts', encode([1, 0, 156, '2026-10-20', [[2, 1, [1], 3000]]])],
  ['a count with markup', encode([1, 0, 156, '2026-10-20', [[2, 1, ['<b>', 0, 0, 0, 0, 0, 0, 0], 3000]]])],
  ['a count too large', encode([1, 0, 156, '2026-10-20', [[2, 1, [1e6, 0, 0, 0, 0, 0, 0, 0], 3000]]])],
  ['a port too large', encode([1, 0, 156, '2026-10-20', [[2, 1, SERVICE[2], 65536]]])],
  ['a port in text', encode([1, 0, 156, '2026-10-20', [[2, 1, SERVICE[2], '3000']]])],
  ['an unknown verdict', encode([1, 0, 156, '2026-10-20', [[2, 5, SERVICE[2], 0]]])],
  ['an unknown kind', encode([1, 0, 156, '2026-10-20', [[3, 1, SERVICE[2], 0]]])],
]) {
  test(`refused: ${name}`, () => assert.throws(() => fromFragment(fragment), FragmentError))
}
