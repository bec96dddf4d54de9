// The answers that a dispatcher keeps: they are the engine's, for the very same question, and never make an allow of a denial.

import assert from 'node:assert/strict'
import test from 'node:test'

import { request } from 'undici'

import { EgressEngine } from '../dist/egress/engine.js'
import { EgressGuard } from '../dist/egress/guard.js'
import { MAX_ANSWERS, MAX_QUESTION, Memo } from '../dist/egress/memo.js'
import { readJson } from './support/files.mjs'
import { guarded, refusal, services } from './support/outbound.mjs'
import { expand } from './support/vectors.mjs'

const GOOD = '127.0.0.2'
const BAD = '127.0.0.3'

/** Two services, of which one is bound to `authorization`, and a dispatcher that has sent to each of them. */
async function story(t, headers = { 'x-note': 'a' }) {
  const { port, seen, connections } = await services(t, [GOOD])
  const [origin, other] = ['a', 'b'].map((name) => `http://${name}.internal:${port}`)
  const policy = { allow: [origin, other], addresses: [`${GOOD}/32`], credentials: { [origin]: ['authorization'] } }
  const { egress, log } = await guarded(t, policy, { resolver: () => [GOOD] })
  const dispatcher = egress.dispatcher({ connections: 1 })
  t.after(() => dispatcher.close())
  const send = async (url, headers) => (await request(url, { dispatcher, headers })).body.text()
  for (let count = 0; count < 3; count += 1) for (const to of [origin, other]) await send(`${to}/a?b=c`, headers)
  const sent = () => seen[GOOD].requests.length
  return { origin, other, port, egress, log, dispatcher, send, sent, seen: seen[GOOD], connections }
}

const denied = refusal('credentials_not_allowed')

/** The forms in which undici takes headers. */
const FORMS = [
  (pairs) => Object.fromEntries(pairs),
  (pairs) => pairs.flat(),
  (pairs) => new Map(pairs),
  (pairs) => new Headers(pairs),
  (pairs) => ({ *[Symbol.iterator]() { yield* pairs } }),
]

test('other names of headers are another question, in whatever form and case', async (t) => {
  const { origin, other, send, sent, seen } = await story(t)
  const before = sent()
  for (const form of FORMS) {
    for (const name of ['cookie', 'Cookie', 'COOKIE', 'x-api-key']) {
      for (const pairs of [[[name, 'a']], [['x-note', 'a'], [name, 'b']], [[name, 'b'], ['x-note', 'a']]]) {
        await assert.rejects(send(`${origin}/a?b=c`, form(pairs)), denied, `${form} ${name}`)
      }
    }
    for (const name of ['authorization', 'Authorization']) {
      await send(`${origin}/a?b=c`, form([[name, 'a']]))
      await assert.rejects(send(`${other}/a?b=c`, form([[name, 'a']])), denied)
      await assert.rejects(send(`${other}/a?b=c`, form([['x-note', 'a'], [name, 'a']])), denied)
    }
  }
  assert.equal(sent() - before, FORMS.length * 2)
  assert.deepEqual(seen.requests.map(({ headers }) => headers.cookie).filter(Boolean), [])
})

test('names that are none are not taken for others', async (t) => {
  const { other, send, sent } = await story(t)
  const before = sent()
  for (const joint of ['\n', '\0', ',', ':', '', ' ', '13:', ':13:', '\n13:', '1:a13:']) {
    const odd = ['x', joint, 'authorization'].join('')
    // What undici refuses itself.
    await send(`${other}/a`, [odd, 'a']).catch(({ code }) => assert.equal(code, 'UND_ERR_INVALID_ARG', odd))
    await assert.rejects(send(`${other}/a`, ['x', 'a', 'authorization', 'b']), denied, odd)
    await assert.rejects(send(`${other}/a`, ['authorization', 'b']), denied, odd)
  }
  assert.equal(sent() - before, 1, 'xauthorization')
})

test('a path is not a way to another origin', async (t) => {
  const { origin, port, dispatcher, sent } = await story(t)
  const before = sent()
  const ask = (options) => dispatcher.request({ method: 'GET', path: '/a?b=c', ...options })
  for (const origin of [`http://evil.internal:${port}`, `http://a.internal:${port}@evil.internal:${port}`, `http://evil.internal:${port}/http://a.internal:${port}`]) {
    await assert.rejects(ask({ origin }), (error) => error.code === 'HOSTBOUND_EGRESS', origin)
  }
  await assert.rejects(ask({ origin, path: '@evil.internal/' }), { code: 'HOSTBOUND_OPTION' })
  await assert.rejects(ask({ origin: `http://a.internal:${port + 1}` }), refusal('port_not_allowed'))
  await assert.rejects(ask({ origin: `https://a.internal:${port}` }), refusal('scheme_not_allowed'))
  for (const path of ['/a/../b', '/a/%2e%2E/b', '/.', '/a b', '/a\\b', '/a\nb', '/\t', `/${'a'.repeat(8192)}`, '/\ud800']) {
    await assert.rejects(ask({ origin, path }), (error) => /url_malformed|HOSTBOUND_REQUEST/.test(`${error.reason} ${error.code}`), JSON.stringify(path))
  }
  assert.equal(sent(), before)
  // A path in the origin, a slash after it, a URL object; each is what it was before.
  const bodies = []
  for (const from of [`${origin}/x`, `${origin}/`, new URL(origin), origin, origin.replace('a.', 'A.'), origin.replace('internal', 'internal.')]) {
    for (const path of ['/a', '/a']) bodies.push(await (await ask({ origin: from, path })).body.text())
  }
  const name = `a.internal:${port}`
  assert.deepEqual(bodies, [...Array(2).fill(`${name}/x/a`), ...Array(10).fill(`${name}/a`)])
})

test('a Host of the caller is judged each time', async (t) => {
  const { origin, send, port } = await story(t, { host: undefined })
  for (let count = 0; count < 3; count += 1) {
    await send(`${origin}/a`, { host: `a.internal:${port}` })
    await assert.rejects(send(`${origin}/a`, { host: `b.internal:${port}` }), { code: 'HOSTBOUND_OPTION' })
    await assert.rejects(send(`${origin}/a`, { HOST: 'a.internal' }), { code: 'HOSTBOUND_OPTION' })
  }
})

test('guards with other policies have answers of their own', async (t) => {
  const { origin, port, sent } = await story(t)
  const before = sent()
  const rules = [[`http://b.internal:${port}`, 'destination_not_allowed'], ['http://a.internal:1', 'port_not_allowed']]
  for (const [entry, reason] of rules) {
    const { egress } = await guarded(t, { allow: [entry] }, { resolver: () => [GOOD] })
    const dispatcher = egress.dispatcher()
    t.after(() => dispatcher.close())
    await assert.rejects(request(`${origin}/a?b=c`, { dispatcher }), refusal(reason))
  }
  assert.equal(sent(), before)
})

test('dispatchers of one guard share answers, but every connection is judged', async (t) => {
  const { port, connections } = await services(t, [GOOD, BAD])
  const url = `http://a.internal:${port}/a`
  const answers = [GOOD, BAD]
  const { egress } = await guarded(t, { allow: [new URL(url).origin], addresses: [`${GOOD}/32`] }, { resolver: () => [answers.shift()] })
  const [first, second] = [egress.dispatcher({ connections: 1 }), egress.dispatcher({ connections: 1 })]
  t.after(() => Promise.all([first.close(), second.close()]))
  for (let count = 0; count < 3; count += 1) await (await request(url, { dispatcher: first })).body.text()
  await assert.rejects(request(url, { dispatcher: second }), refusal('address_not_allowed'))
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('denials and reports are not kept', async (t) => {
  const { port } = await services(t, [GOOD])
  let denials = 0
  const { egress } = await guarded(t, { allow: ['http://b.internal'] }, { onDeny: () => (denials += 1) })
  const reporting = { version: 1, mode: 'report', hosts: { allow: ['localhost'] }, egress: { allow: ['http://b.internal'], addresses: [`${GOOD}/32`] } }
  const { egress: lenient, log } = await guarded(t, reporting, { resolver: () => [GOOD] })
  const [dispatcher, reported] = [egress.dispatcher(), lenient.dispatcher()]
  t.after(() => Promise.all([dispatcher.close(), reported.close()]))
  for (let count = 0; count < 3; count += 1) {
    await assert.rejects(request(`http://a.internal:${port}/`, { dispatcher }), refusal('destination_not_allowed'))
    await (await request(`http://a.internal:${port}/`, { dispatcher: reported })).body.text()
  }
  assert.equal(denials, 3)
  assert.equal(log.filter(({ hostbound }) => hostbound === 'report').length, 3)
})

test('an answer that is kept is the engine\'s', async (t) => {
  const { policies, cases } = readJson('tests/vectors/egress.json')
  const guards = new Map()
  const headersOf = (headers) => [headers, headers.map((name) => name.toUpperCase()), [...headers, 'accept'], ['cookie', ...headers], []]
  let [count, known] = [0, 0]
  for (const { id, policy, request } of cases) {
    const key = JSON.stringify(policy)
    if (!guards.has(key)) {
      const engine = await EgressEngine.load(expand(policies[policy] ?? policy))
      guards.set(key, new EgressGuard(engine, undefined, undefined))
    }
    const guard = guards.get(key)
    const { url, headers = [] } = expand(request)
    const at = url.search(/(?<![:/])[/?#\\]/)
    const origin = at < 0 ? url : url.slice(0, at)
    for (const target of [at < 0 ? '/' : url.slice(at), '/', '/a', '/a.b/%E2%82%AC?c=/d', '/.', '/a/%2e%2e/b', '/a\nb']) {
      for (const names of headersOf(headers)) {
        const verdict = guard.engine.judge({ url: origin + target, headers: names })
        // Twice: the second answer may be a kept one.
        for (let turn = 0; turn < 2; turn += 1) {
          const found = attempt(() => guard.destination(origin, target, names.flatMap((name) => [name, 'x'])))
          count += 1
          if (verdict.decision === 'deny') {
            assert.equal(found.error?.reason, verdict.reason, `${id}: ${origin}${target} ${names}`)
            continue
          }
          const { href, host } = new URL(verdict.identity.url)
          known += 1
          assert.deepEqual([found.value?.origin + found.value?.target, found.value?.host], [href, host], `${id}: ${origin}${target} ${names}`)
        }
      }
    }
  }
  t.diagnostic(`${count} questions, ${known} of them allowed`)
  assert.ok(known > 1000)
})

test('what stands in a target is no other question than the engine\'s', async (t) => {
  const origin = 'http://a.example'
  const engine = await EgressEngine.load({ version: 1, hosts: { allow: ['localhost'] }, egress: { allow: [origin] } })
  const guard = new EgressGuard(engine, undefined, undefined)
  assert.equal(guard.destination(origin, '/', []).target, '/')
  let [count, plain] = [0, 0]
  const check = (target) => {
    count += 1
    if (!engine.isPlainTarget(target)) return
    plain += 1
    const { decision, identity, reported } = engine.judge({ url: origin + target })
    assert.deepEqual([decision, identity?.url, reported], ['allow', origin + target, []], JSON.stringify(target))
    assert.deepEqual(guard.destination(origin, target, []), { origin, host: 'a.example', target })
  }
  const characters = [...Array(128).keys(), 0xa0, 0xe9, 0xff0e, 0x2028, 0xd800].map((code) => String.fromCharCode(code))
  for (const one of characters) {
    for (const two of characters) for (const around of [['/', ''], ['/a', '/'], ['/a/', '/b'], ['/a?b', 'c'], ['', '/']]) check(around.join(one + two))
  }
  // Dot segments in every spelling, and what is near them.
  const parts = ['.', '%2e', '%2E', '%', '2', '/', 'a', '?', '%00']
  const grow = (target, left) => {
    check(target)
    if (left > 0) for (const part of parts) grow(target + part, left - 1)
  }
  grow('/', 4)
  for (const length of [4095, 4096, 4097, 8192, 100_000]) {
    for (const tail of ['', '\n', '"', '?']) check(`/${'a'.repeat(length - 1)}${tail}`)
  }
  assert.equal(engine.isPlainTarget(`/${'a'.repeat(4096)}`), false)
  for (const usual of ['/', '/a/', '/a.b/c?d[]=%20e&f=/?', '/.well-known/jwks.json', '/%E2%82%AC', '/a//b', '/v1/a:b@c;d=e,f', '/*', '/~a/-/_']) {
    assert.ok(engine.isPlainTarget(usual), usual)
  }
  t.diagnostic(`${count} targets, ${plain} of them plain`)
})

function attempt(ask) {
  try {
    return { value: ask() }
  } catch (error) {
    return { error }
  }
}

test('what is kept is bounded', () => {
  const memo = new Memo()
  for (let count = 0; count < 3 * MAX_ANSWERS; count += 1) {
    memo.set(`http://${count}.example`, count % 2 === 0 ? '' : `6:accept${count % 100}`, count)
    assert.ok(memo.size <= MAX_ANSWERS)
  }
  assert.equal(memo.get(`http://${3 * MAX_ANSWERS - 2}.example`, ''), 3 * MAX_ANSWERS - 2)
  assert.equal(memo.get('http://0.example', ''), undefined)
  const { size } = memo
  for (const [url, names] of [['a'.repeat(MAX_QUESTION + 1), ''], ['', 'a'.repeat(MAX_QUESTION + 1)], ['a', 'b'.repeat(MAX_QUESTION)]]) {
    memo.set(url, names, 1)
    assert.equal(memo.get(url, names), undefined)
  }
  assert.equal(memo.size, size)
})

test('a question is both of its parts', () => {
  const memo = new Memo()
  memo.set('ab', 'c', 1)
  for (const [origin, names] of [['a', 'bc'], ['abc', ''], ['', 'abc'], ['c', 'ab'], ['AB', 'c'], ['ab', 'C'], ['ab', '']]) {
    assert.equal(memo.get(origin, names), undefined)
  }
  memo.set('ab', 'c', 2)
  assert.deepEqual([memo.get('ab', 'c'), memo.size], [2, 1])
})
