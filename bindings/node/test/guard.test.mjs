import assert from 'node:assert/strict'
import test from 'node:test'

import { Guard, HostboundError, isDenied, Policy, REASON_CODES, reasonOf, statusOf } from 'hostbound'

import { coded, policyOf } from './support/policies.mjs'

const request = (headers, rest = {}) => ({ method: 'GET', target: '/', headers, ...rest })
const good = request([['host', 'localhost']])
const evil = request([['host', 'evil.test']])

test('a verdict as an integer, an object and JSON', async () => {
  const guard = new Guard(await policyOf())
  assert.equal(guard.inspect(good), 0)
  assert.equal(guard.clientText(), '')
  const code = guard.inspect(evil)
  assert.equal(code, REASON_CODES.host_not_allowed | (421 << 8) | (1 << 18))
  assert.deepEqual([reasonOf(code), statusOf(code), isDenied(code)], ['host_not_allowed', 421, true])
  assert.deepEqual([reasonOf(0), statusOf(0), isDenied(0)], [null, 200, false])
  assert.equal(guard.clientText(), 'host_not_allowed\n')
  const verdict = guard.verdict()
  assert.deepEqual(Object.keys(verdict), [
    'id', 'decision', 'status', 'check', 'reason', 'public_reason', 'rule', 'detail', 'mode', 'policy', 'identity', 'reported',
  ])
  assert.equal(verdict.identity, null, 'null, not undefined')
  assert.equal(guard.decideJson({ ...evil, id: 'ü\n' }), JSON.stringify({ ...verdict, id: 'ü\n' }))
})

test('report mode allows and says why it would not have', async () => {
  const guard = new Guard(await policyOf({ mode: 'report' }))
  const code = guard.inspect(evil)
  assert.deepEqual([reasonOf(code), statusOf(code), isDenied(code)], ['host_not_allowed', 200, false])
  assert.equal(guard.verdict().reported[0].status, 421)
  assert.equal(statusOf(guard.inspect(request([]))), 400, 'what is malformed is denied in every mode')
})

test('there is no verdict without a request', async () => {
  const guard = new Guard(await policyOf())
  for (const ask of [() => guard.verdict(), () => guard.clientText()]) assert.throws(ask, coded('HOSTBOUND_REQUEST', /no request/))
  guard.inspect(good)
  assert.throws(() => guard.inspect({ ...evil, method: 'Ā' }), coded('HOSTBOUND_REQUEST'))
  assert.throws(() => guard.verdict(), coded('HOSTBOUND_REQUEST'), 'nor one on half a request')
})

test('what is no request is an error with a code, never a verdict', async () => {
  const guard = new Guard(await policyOf())
  const rows = [
    [{ ...good, method: undefined }, /`method`/],
    [{ ...good, method: 7 }, /`method`/],
    [{ ...good, target: null }, /`target`/],
    [{ ...good, target: '/Ā' }, /`target`.*U\+00FF/],
    [{ ...good, headers: undefined }, /`headers` is a list/],
    [{ ...good, headers: { host: 'localhost' } }, /`headers` is a list/],
    [{ ...good, headers: new Map([['host', 'localhost']]) }, /`headers` is a list/],
    [{ ...good, headers: ['host'] }, /without a value/],
    [{ ...good, headers: [['host']] }, /headers\[0\]/],
    [{ ...good, headers: [['host', 'localhost', 'x']] }, /headers\[0\]/],
    [{ ...good, headers: [['host', 'localhost'], 'a'] }, /headers\[1\]/],
    [{ ...good, headers: ['host', 'localhost', 'a', ['b']] }, /`headers`/],
    [{ ...good, headers: [['host', undefined]] }, /`headers`/],
    [{ ...good, headers: [['host', 1]] }, /`headers`/],
    [{ ...good, headers: [['host', 'localhost'], ['x', '€']] }, /U\+00FF/],
    [{ ...good, headers: [['host', 'localhost'], ['x', 'a'.repeat(500) + '€']] }, /U\+00FF/],
    [{ ...good, headers: [['host', 'localhost'], ['x', 'a'.repeat(500) + '\ud800']] }, /U\+00FF/],
    [{ ...good, headers: [['host', 'localhost'], ['ŝ', '1']] }, /U\+00FF/],
    [{ ...good, scheme: 'ws' }, /`scheme`/],
    [{ ...good, version: '1' }, /`version`/],
    [{ ...good, version: 2 }, /`version`/],
    [{ ...good, version: 'toString' }, /`version`/],
    [{ ...good, peer: '' }, /`peer`/],
    [{ ...good, peer: 7 }, /`peer`/],
    [{ ...good, peer: '127.0.0.1:80' }, /peer/],
    [{ ...good, peer: 'fe80::1%lo' }, /peer/],
    [{ ...good, peer: '[::1]' }, /peer/],
    [{ ...good, now: -1 }, /`now`/],
    [{ ...good, now: 1.5 }, /`now`/],
    [{ ...good, now: 2 ** 53 }, /`now`/],
    [{ ...good, now: '1' }, /`now`/],
  ]
  for (const [wrong, message] of rows) {
    assert.throws(() => guard.inspect(wrong), (error) => error instanceof HostboundError && coded('HOSTBOUND_REQUEST', message)(error), JSON.stringify(wrong))
    assert.throws(() => guard.verdict(), coded('HOSTBOUND_REQUEST'))
    assert.equal(guard.inspect(good), 0, 'and the guard goes on')
  }
  guard.inspect({ ...good, id: '\ud800' })
  assert.throws(() => guard.verdict(), coded('HOSTBOUND_REQUEST', /surrogate/))
})

test('strings are latin-1, and the same as their bytes', async () => {
  const guard = new Guard(await policyOf())
  const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))
  const bytesOf = (string) => Uint8Array.from(string, (character) => character.charCodeAt(0))
  for (const pad of ['', 'a'.repeat(300)]) {
    for (const character of text) {
      for (const [name, value] of [['x', pad + character], [pad + character, 'x'], ['host', character], ['host', `localhost${character}`]]) {
        const fields = [['x-pad', pad], [name, value]]
        if (name !== 'host') fields.push(['host', 'localhost'])
        const one = guard.decideJson(request(fields))
        const other = guard.decideJson(request(fields.map(([name, value]) => [bytesOf(name), bytesOf(value)])))
        const mixed = guard.decideJson(request(fields.flatMap(([name, value]) => [name, bytesOf(value)])))
        assert.equal(one, other)
        assert.equal(one, mixed)
      }
    }
  }
  const allowed = text.filter((character) => guard.inspect(request([['host', 'localhost'], ['x', `a${character}b`]])) === 0)
  assert.deepEqual(text.filter((character) => !allowed.includes(character)), ['\0', '\n', '\r'], 'RFC 9110 §5.5')
  const names = text.filter((character) => guard.inspect(request([['host', 'localhost'], [`a${character}b`, '']])) === 0)
  assert.match(names.join(''), /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{77}$/, 'RFC 9110 §5.6.2')
})

test('the buffer grows, and a grown buffer is written afresh', async () => {
  const guard = new Guard(await policyOf())
  const reason = (headers) => reasonOf(guard.inspect(request(headers)))
  assert.equal(reason([['host', 'a'.repeat(1 << 20)]]), 'request_malformed')
  assert.equal(reason([['host', new Uint8Array(1 << 20).fill(0x61)]]), 'request_malformed')
  assert.equal(reason([['host', `${'é'.repeat(1 << 20)}`]]), 'request_malformed')
  assert.equal(reason(Array.from({ length: 100_000 }, (_, index) => [`x-${index}`, ''])), 'request_malformed')
  assert.equal(reason([['host', 'localhost'], ...Array.from({ length: 999 }, () => ['x', ''])]), null)
  assert.equal(reason([['host', 'localhost'], ...Array.from({ length: 1000 }, () => ['x', ''])]), 'request_malformed')
  assert.throws(() => reason([['host', 'a'.repeat(65 << 20)]]), coded('HOSTBOUND_REQUEST', /64 MiB/))
  assert.equal(guard.inspect(good), 0)
  // Other guards and policies grow the same memory: this guard's view of it is lost and must be renewed.
  const small = new Guard(await policyOf())
  assert.equal(small.inspect(good), 0)
  const others = []
  for (let index = 0; index < 64; index += 1) {
    const other = new Guard(await policyOf())
    other.inspect(request([['host', 'a'.repeat(1 << 20)]]))
    others.push(other)
    assert.equal(small.inspect(good), 0)
    assert.equal(reasonOf(small.inspect(evil)), 'host_not_allowed')
    assert.equal(small.verdict().detail, 'host `evil.test` is not allowed')
  }
})

test('guards do not disturb each other', async () => {
  const [one, other] = [new Guard(await policyOf()), new Guard(await policyOf({ hosts: { allow: ['evil.test'] } }))]
  one.inspect(evil)
  assert.equal(other.inspect(evil), 0)
  assert.equal(one.verdict().decision, 'deny')
  assert.equal(other.verdict().decision, 'allow')
})

test('a guard takes nothing but a policy', () => {
  for (const wrong of [undefined, null, {}, Object.create(Policy.prototype)]) assert.throws(() => new Guard(wrong), TypeError)
})

test('time and body are taken and change nothing yet', async () => {
  const guard = new Guard(await policyOf())
  for (const now of [0, 1_767_225_600, 2 ** 53 - 1, null]) assert.equal(guard.inspect({ ...good, now, body: 'x' }), 0)
})
