// Requests that no client sends: whatever they are, the filter answers the next one, and nothing reaches the server that the policy does not let through.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test, { after, before } from 'node:test'

import { randomBy } from '../../bindings/node/test/support/generated.mjs'
import { data, DATA, END_HEADERS, END_STREAM, frame, Frames, headers, HEADERS, pseudo, reset } from './support/frames.mjs'
import { text } from './support/raw.mjs'
import { POLICY, Site } from './support/site.mjs'

const COUNT = process.env.HOSTBOUND_ALL ? 100_000 : 3_000
const AT_A_TIME = 24
const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
/** What Envoy or the filter may say of what is not in order. */
const REFUSALS = [400, 401, 403, 404, 413, 421, 426, 431, 501, 503]

const TOKENS = {
  egress: { allow: ['https://keys.example'] },
  tokens: { jwt: { issuer: 'https://issuer.example', audience: ['here'], algorithms: ['ES256'], keys: { url: 'https://keys.example/keys', pins: 'none' } } },
  routes: [...POLICY.routes, { path: '/token/**', require: ['token:jwt'] }],
}
let site
before(async () => {
  site = await Site.open({ all: { policy: { ...POLICY, ...TOKENS }, servers: { 'https://keys.example': 'keys' } } }, { clusters: ['keys'] })
})
after(() => site.close())

/** Does a list of things, some at a time. */
async function each(list, run) {
  const waiting = list.values()
  const work = async () => {
    for (const item of waiting) await run(item)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
}

/** Nothing got through but what may: a request to `/open`, or one of these, under the host that is allowed. */
function assertReached(what, allowed = []) {
  for (const request of site.reached()) {
    const told = `${what}: ${JSON.stringify(request)}`
    assert.deepEqual(request.headers.filter(([name]) => name === 'host').map(([, value]) => value.toLowerCase().replace(/(\.|:\d+)+$/, '')), ['localhost'], told)
    const [, target] = request.line.split(' ')
    assert.ok(/^\/open\//i.test(target) || allowed.includes(target), told)
    for (const [name] of request.trailers) assert.doesNotMatch(name, /hostbound/i, told)
  }
}

const fill = (pattern, byte) => pattern.replace('?', byte)
/** Where a byte may be: what the request is with it. */
const PLACES = {
  'header name': (byte) => ({ fields: [[fill('x-a?b', byte), 'value']] }),
  'header value': (byte) => ({ fields: [['x-name', fill('a?b', byte)]] }),
  'value of Origin': (byte) => ({ fields: [['origin', fill('http://local?host', byte)]] }),
  'value of a signature': (byte) => ({ target: '/signed/a', fields: [['x-api-signature', fill('?'.padEnd(64, '0'), byte)], ['x-timestamp', fill('1?', byte)], ['x-nonce', fill('?'.padEnd(20, 'a'), byte)]] }),
  'value of a token': (byte) => ({ target: '/token/a', fields: [['authorization', fill('Bearer e30?.e30.e30', byte)]] }),
  path: (byte) => ({ target: fill('/open/a?b', byte) }),
  'path of a signed one': (byte) => ({ target: fill('/signed?/a', byte) }),
  query: (byte) => ({ target: '/open/a'.concat('?', byte, '=1') }),
  authority: (byte) => ({ host: fill('local?host', byte) }),
  'end of the authority': (byte) => ({ host: fill('localhost?', byte) }),
  method: (byte) => ({ method: fill('G?T', byte) }),
}
const asked = ({ method = 'GET', target = '/open/a', host = 'localhost', fields = [] }) => ({ method, target, host, fields })

for (const [place, request] of Object.entries(PLACES)) {
  test(`HTTP/1.1: every byte in the ${place}`, async () => {
    await each(BYTES, async (byte) => {
      const { method, target, host, fields } = asked(request(byte))
      const { statuses, how } = await site.raw('all', text(method, target, [['host', host], ['connection', 'close'], ...fields]))
      assert.notEqual(how, 'hangs', `byte ${byte.charCodeAt()}`)
      for (const status of statuses) assert.ok(status === 200 || REFUSALS.includes(status), `byte ${byte.charCodeAt()}: ${status}`)
    })
    assertReached(place)
    await site.assertAlive('all', place)
  })

  test(`HTTP/2: every byte in the ${place}`, async () => {
    await each(BYTES, async (byte) => {
      const { method, target, host, fields } = asked(request(byte))
      const [status] = await framed(headers(1, [...pseudo(method, target, host), ...fields]))
      assert.ok(status === undefined || status === 200 || REFUSALS.includes(status), `byte ${byte.charCodeAt()}: ${status}`)
    })
    assertReached(place)
    await site.assertAlive('all', place)
  })
}

/** Frames on a connection of their own, and the statuses of streams. */
async function framed(bytes, streams = [1]) {
  const frames = await Frames.open(site.listeners.all)
  frames.write(bytes)
  const statuses = await frames.over(...streams)
  frames.close()
  return statuses
}

/** A signed request whose body is in chunks; `end` is what comes after these. */
function chunked(body, chunks, end) {
  return text('POST', '/signed/chunked', { host: 'localhost', 'transfer-encoding': 'chunked', ...site.signature('POST', '/signed/chunked', body) }, `${chunks}${end}`)
}

test('HTTP/1.1: bodies that are broken, end early, or are two', async () => {
  const BROKEN = {
    'a size that is none': '3g\r\nabc\r\n0\r\n\r\n',
    'a negative size': '-3\r\nabc\r\n0\r\n\r\n',
    'a size beyond 64 bits': '11111111111111111\r\nabc\r\n0\r\n\r\n',
    'too few bytes': '2\r\nabc\r\n0\r\n\r\n',
    'too many bytes': '4\r\nabc\r\n0\r\n\r\n',
    'a bare CR': '3\rabc\r\n0\r\n\r\n',
    'a bare LF': '3\nabc\n0\n\n',
    'an extension with CR': '3;a\rb\r\nabc\r\n0\r\n\r\n',
    'another body': '3\r\nabd\r\n0\r\n\r\n',
  }
  for (const [what, chunks] of Object.entries(BROKEN)) {
    const { statuses, how } = await site.raw('all', chunked('abc', chunks, ''), { ends: true })
    assert.ok(how !== 'hangs' && (statuses.length === 0 || REFUSALS.includes(statuses[0])), `${what}: ${how} ${statuses}`)
  }
  for (const chunks of ['3\r\nab', '3\r\nabc\r\n', '3\r\nabc\r\n0\r\n', '3\r\nabc\r\n0\r\nx: y\r\n']) await leave(chunked('abc', chunks, ''))
  const signed = { host: 'localhost', ...site.signature('POST', '/signed/two', 'abc') }
  for (const fields of [{ 'content-length': '3, 3' }, { 'content-length': '+3' }, { 'content-length': '3', 'Content-Length': '4' }, { 'content-length': '3', 'transfer-encoding': 'chunked' }, { 'transfer-encoding': 'chunked, identity' }, { 'transfer-encoding': 'xchunked' }, { 'transfer-encoding': 'chunked', 'Transfer-Encoding': 'chunked' }]) {
    const { statuses, how } = await site.raw('all', text('POST', '/signed/two', { ...signed, ...fields }, 'abc'), { ends: true })
    assert.ok(how !== 'hangs' && (statuses.length === 0 || REFUSALS.includes(statuses[0])), `${JSON.stringify(fields)}: ${how} ${statuses}`)
  }
  await leave(text('POST', '/signed/early', { host: 'localhost', 'content-length': '9', ...site.signature('POST', '/signed/early', 'abcdefghi') }, 'abc'))
  assertReached('broken bodies')
  await site.assertAlive('all', 'broken bodies')
})

/** Sends, and goes when Envoy has read it. */
async function leave(bytes) {
  await site.raw('all', [bytes, () => site.ask('all', 'GET', '/open/read')], { isEnough: () => true })
}

test('HTTP/1.1: what is pipelined is judged request by request', async () => {
  const requests = [text('GET', '/open/1', { host: 'localhost' }), text('POST', '/open/2', { host: 'localhost', 'content-length': '3' }, 'abc'), text('GET', '/open/3', { host: 'foreign.example' }), text('GET', '/signed/4', { host: 'localhost' }), text('GET', '/open/5', { host: 'localhost' })]
  const { statuses } = await site.raw('all', requests.join(''), { answers: 5 })
  assert.deepEqual(statuses.slice(0, 3), [200, 200, 421])
  assert.ok([401, undefined].includes(statuses[3]), 'Envoy may close after an answer of its own')
  assertReached('pipelining')
  await site.assertAlive('all', 'pipelining')
})

test('HTTP/1.1: heads up to what Envoy takes, and beyond', async () => {
  for (const count of [100, 999, 1000, 1500, 1990, 2500, 20_000]) {
    const { statuses } = await site.raw('all', text('GET', '/open/many', [['host', 'localhost'], ...Array.from({ length: count }, (_, index) => [`x-${index}`, 'a'])]))
    assert.equal(statuses[0], count < 990 ? 200 : count < 2000 ? 400 : 431, `${count} headers`)
  }
  for (const size of [60_000, 250_000, 300_000, 4_000_000]) {
    const { statuses } = await site.raw('all', text('GET', '/open/long', { host: 'localhost', 'x-long': 'a'.repeat(size) }))
    assert.equal(statuses[0], size < 260_000 ? 200 : 400, `a header of ${size} bytes`)
    const { statuses: others } = await site.raw('all', text('GET', `/open/${'a'.repeat(size)}`, { host: 'localhost' }))
    assert.ok(REFUSALS.includes(others[0]), `a path of ${size} bytes`)
  }
  assertReached('large heads')
  await site.assertAlive('all', 'large heads')
})

test('HTTP/1.1: trailers of all kinds', async () => {
  const names = ['x-a', 'host', 'content-length', 'transfer-encoding', 'x-hostbound-subject', 'X_Hostbound.Host', 'authorization', 'x-api-signature', 'x-nonce', 'trailer', 'connection', 'upgrade', ':authority', 'a b', '', ...BYTES]
  await each(names, async (name) => {
    const { how, statuses } = await site.raw('all', chunked('abc', '3\r\nabc\r\n', `0\r\n${name}: localhost\r\n\r\n`))
    assert.notEqual(how, 'hangs', `trailer ${JSON.stringify(name)}`)
    for (const status of statuses) assert.ok(status === 200 || REFUSALS.includes(status), `trailer ${JSON.stringify(name)}: ${status}`)
  })
  assertReached('trailers', ['/signed/chunked'])
  await site.assertAlive('all', 'trailers')
})

test('HTTP/2: frames that are not in order', async () => {
  const open = pseudo('GET', '/open/a')
  const signed = (body) => [...pseudo('POST', '/signed/h2'), ...Object.entries(site.signature('POST', '/signed/h2', body))]
  const without = (name) => open.filter(([other]) => other !== name)
  const SENT = {
    'a pseudo-header twice': [...open, [':authority', 'localhost']],
    'two authorities': [...open, [':authority', 'foreign.example']],
    'two paths': [...open, [':path', '/signed/a']],
    'two methods': [...open, [':method', 'POST']],
    'no authority': without(':authority'),
    'no path': without(':path'),
    'no method': without(':method'),
    'no scheme': without(':scheme'),
    'an empty path': [...without(':path'), [':path', '']],
    'a path without a slash': [...without(':path'), [':path', 'open/a']],
    'an absolute path': [...without(':path'), [':path', 'http://foreign.example/open/a']],
    'a pseudo-header at the end': [...without(':authority'), ['x-a', 'b'], [':authority', 'foreign.example']],
    'one that is unknown': [...open, [':unknown', 'a']],
    'one of answers': [...open, [':status', '200']],
    'an upper-case name': [...open, ['X-Upper', 'a']],
    connection: [...open, ['connection', 'x-hostbound-host']],
    'transfer-encoding': [...open, ['transfer-encoding', 'chunked']],
    upgrade: [...open, ['upgrade', 'websocket']],
    te: [...open, ['te', 'gzip']],
    'a Host that differs': [...open, ['host', 'foreign.example']],
    'only a Host': [...without(':authority'), ['host', 'foreign.example']],
    'two Hosts': [...without(':authority'), ['host', 'localhost'], ['host', 'foreign.example']],
    'an authority with a user': pseudo('GET', '/open/a', 'a@localhost'),
    'a protocol without CONNECT': [...open, [':protocol', 'websocket']],
    CONNECT: [[':method', 'CONNECT'], [':authority', 'localhost']],
    'CONNECT to elsewhere': [...pseudo('CONNECT', '/open/a'), [':protocol', 'connect-udp']],
    'many headers': [...open, ...Array.from({ length: 1500 }, (_, index) => [`x-${index}`, 'a'])],
    'more headers': [...open, ...Array.from({ length: 5000 }, (_, index) => [`x-${index}`, 'a'])],
    'many crumbs': [...open, ...Array.from({ length: 1500 }, () => ['cookie', 'a=b'])],
  }
  await each(Object.entries(SENT), async ([what, fields]) => {
    const [status] = await framed(headers(1, fields))
    const may = what === 'a Host that differs' || what === 'many crumbs' ? [200, undefined] : [undefined, ...REFUSALS]
    assert.ok(may.includes(status), `${what}: ${status}`)
  })
  const length = (number) => ['content-length', number]
  const FRAMES = {
    'more than announced': [headers(1, [...signed('abcdef'), length('3')], { isLast: false }), data(1, 'abcdef')],
    'less than announced': [headers(1, [...signed('abc'), length('5')], { isLast: false }), data(1, 'abc')],
    'a body and an announced length of 0': [headers(1, [...signed('abc'), length('0')], { isLast: false }), data(1, 'abc')],
    'trailers with a pseudo-header': [headers(1, signed('abc'), { isLast: false }), data(1, 'abc', { isLast: false }), headers(1, [[':path', '/open/a']])],
    'trailers that do not end the stream': [headers(1, signed('abc'), { isLast: false }), data(1, 'abc', { isLast: false }), headers(1, [['x-a', 'b']], { isLast: false })],
    'data after the end': [headers(1, open), data(1, 'abc')],
    'a head inside another': [frame(HEADERS, 0, 1, Buffer.from([0x82])), headers(3, open)],
    'data before a head': [data(1, 'abc')],
    'padding beyond the frame': [headers(1, signed('abc'), { isLast: false }), frame(DATA, END_STREAM | 8, 1, Buffer.from([200, 97]))],
    'a block that is no block': [frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))],
    'an even stream': [headers(2, open)],
  }
  await each(Object.entries(FRAMES), async ([what, parts]) => {
    const [status] = await framed(Buffer.concat(parts))
    assert.ok(status === undefined || (status === 200 && what === 'data after the end') || REFUSALS.includes(status), `${what}: ${status}`)
  })
  assertReached('frames')
  await site.assertAlive('all', 'frames')
})

test('HTTP/2: clients that go in the middle of a signed body', async () => {
  site.reached()
  const frames = await Frames.open(site.listeners.all)
  const streams = Array.from({ length: 90 }, (_, index) => 2 * index + 1)
  const signed = () => [...pseudo('POST', '/signed/reset'), ...Object.entries(site.signature('POST', '/signed/reset', 'abcdef'))]
  frames.write(...streams.map((stream) => Buffer.concat([headers(stream, signed(), { isLast: false }), data(stream, 'abc', { isLast: false })])))
  frames.write(...streams.slice(0, 60).map(reset))
  frames.write(...streams.slice(60).map((stream) => data(stream, 'def')))
  const statuses = await frames.over(...streams.slice(60))
  assert.deepEqual(new Set(statuses), new Set([200]), 'those that stay')
  frames.write(...[201, 203].map((stream) => Buffer.concat([headers(stream, signed(), { isLast: false }), data(stream, 'abc', { isLast: false })])))
  frames.close()
  assert.equal(site.upstream.requests.length, 30)
  assertReached('resets', ['/signed/reset'])
  await site.assertAlive('all', 'resets')
})

test(`${COUNT} random requests: nothing gets through, and nothing stays`, async () => {
  const random = randomBy(20_260)
  await play(random, COUNT / 10)
  const [warm, now] = [await memory(), performance.now()]
  const statuses = await play(random, COUNT)
  for (const status of [200, 400, 401, 403, 421, 503]) assert.ok(statuses.get(status) > COUNT / 500, `${statuses.get(status)} answers were ${status}`)
  // Nobody is where the keys are.
  await site.assertAlive('all', 'random requests', { expects: /tokens.jwt: an answer with status 503$/ })
  const end = await memory()
  console.log(`# ${COUNT} requests in ${((performance.now() - now) / 1000).toFixed(1)} s; resident ${warm.resident} to ${end.resident} KiB, allocated ${warm.allocated} to ${end.allocated} KiB;`, Object.fromEntries(statuses))
  assert.ok(end.resident - warm.resident < 8_192, `resident memory grew from ${warm.resident} to ${end.resident} KiB`)
  assert.ok(end.allocated - warm.allocated < 2_048, `allocated memory grew from ${warm.allocated} to ${end.allocated} KiB`)
  const { 'http.test.downstream_rq_active': active } = await site.stats('http.test.downstream_rq_active')
  assert.equal(active, '0')
})

async function memory() {
  const { allocated } = JSON.parse((await site.envoy.ask('/memory')).text)
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${site.envoy.pid}/status`, 'utf8'))[1]
  return { resident: Number(resident), allocated: Math.round(Number(allocated) / 1024) }
}

/** Requests that are right but for some bytes, over connections that each carry some. */
async function play(random, count) {
  const statuses = new Map()
  const note = (status) => statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const signed = new Set()
  const batches = Array.from({ length: Math.ceil(count / 10) }, (_, index) => ({ isFrames: index % 2 === 0, requests: Array.from({ length: 10 }, () => generated(random, signed)), leaves: random(8) === 0 }))
  await each(batches, async ({ isFrames, requests, leaves }) => {
    if (isFrames) {
      const streams = requests.map((_, index) => 2 * index + 1)
      const frames = await Frames.open(site.listeners.all)
      frames.write(...requests.map(({ fields, body, trailers }, index) => Buffer.concat([headers(streams[index], fields, { isLast: body === '' && !trailers }), ...(body === '' && !trailers ? [] : [data(streams[index], body, { isLast: !trailers })]), ...(trailers ? [headers(streams[index], trailers)] : [])])))
      if (leaves) frames.write(...streams.filter((_, index) => index % 3 === 0).map(reset))
      else (await frames.over(...streams)).forEach(note)
      frames.close()
    } else {
      for (const { fields, body, trailers } of requests) {
        const { statuses, how } = await site.raw('all', overHttp1(fields, body, trailers), leaves ? { isEnough: () => true } : {})
        assert.notEqual(how, 'hangs', JSON.stringify({ fields, body, trailers }))
        note(statuses[0])
      }
    }
  })
  assertReached('random requests', [...signed])
  site.lines.length = 0
  return statuses
}

function overHttp1(fields, body, trailers) {
  const pseudo = (name) => fields.find(([other]) => other === name)?.[1] ?? ''
  const framing = trailers ? [['transfer-encoding', 'chunked']] : body === '' ? [] : [['content-length', String(body.length)]]
  const content = trailers ? `${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n` : body
  return text(pseudo(':method'), pseudo(':path'), [['host', pseudo(':authority')], ['connection', 'close'], ...framing, ...fields.filter(([name]) => !name.startsWith(':'))], content)
}

/** A token with a signature that is none. */
const json = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const TOKEN = `Bearer ${json({ alg: 'ES256', typ: 'JWT', kid: 'a' })}.${json({ iss: 'https://issuer.example', aud: 'here', exp: 2_000_000_000 })}.${'A'.repeat(86)}`
const PATHS = ['/open/a', '/open/b?c=d', '/signed/a', '/signed/../open/a', '/token/a', '/token/b', '/', '/elsewhere', '/open/%2e%2e/signed', '*']
const HOSTS = ['localhost', 'localhost:80', 'LOCALHOST.', 'foreign.example', 'localhost.foreign.example', '127.0.0.1', '[::1]', 'localhost,foreign.example', 'a@localhost', '']
const FIELDS = [['origin', 'http://localhost'], ['origin', 'http://foreign.example'], ['origin', 'null'], ['sec-fetch-site', 'cross-site'], ['authorization', 'Bearer e30.e30.e30'], ['authorization', TOKEN], ['authorization', TOKEN], ['authorization', 'Basic eDp5'], ['cookie', 'a=b; c=d'], ['x-hostbound-subject', 'me'], ['x_hostbound_host', 'me'], ['x-forwarded-for', '127.0.0.1'], ['x-forwarded-host', 'foreign.example'], ['x-http-method-override', 'DELETE'], ['x-nonce', 'again'], ['content-type', 'application/grpc'], ['expect', '100-continue'], ['te', 'trailers'], ['x-request-id', '"\\']]

/** A request with pseudo-headers; one whose body is signed goes into `signed` by its path. */
function generated(random, signed) {
  const one = (list) => list[random(list.length)]
  const method = one(['GET', 'GET', 'POST', 'PUT', 'OPTIONS', 'HEAD', 'DELETE', 'BREW', 'TRACE'])
  const isSigned = random(4) === 0
  const body = method === 'GET' || method === 'HEAD' ? '' : 'x'.repeat(one([0, 1, 100, 5000]))
  const path = isSigned ? `/signed/${site.nonce()}` : one(PATHS)
  const fields = [...pseudo(method, path, isSigned || random(2) ? 'localhost' : one(HOSTS)), ...Array.from({ length: random(5) }, () => one(FIELDS))]
  if (isSigned) fields.push(...Object.entries(site.signature(method, path, body)))
  const trailers = body !== '' && random(5) === 0 ? [one([['x-hostbound-subject', 'me'], ['x-a', 'b'], ['x-checksum', '1']])] : undefined
  const isChanged = random(3) === 0
  if (isSigned) signed.add(path)
  if (!isChanged) return { fields, body, trailers }
  // One byte of one name or value becomes any other.
  const place = random(fields.length)
  const part = random(2)
  const old = fields[place][part]
  const at = random(old.length + 1)
  const changed = [...fields[place]]
  changed[part] = old.slice(0, at) + String.fromCharCode(random(256)) + old.slice(at + random(2))
  return { fields: fields.with(place, changed), body, trailers }
}
