// Outbound requests: that a connection is looked up once and goes to what was judged, whatever DNS says.

import assert from 'node:assert/strict'
import { createServer as createTcpServer } from 'node:net'
import { Resolver } from 'node:dns'
import { once } from 'node:events'
import test from 'node:test'

import { hostboundEgress } from 'hostbound/egress'
import { Agent, ProxyAgent, request } from 'undici'

import { dnsServer } from './support/dns.mjs'
import { readJson } from './support/files.mjs'
import { guarded, refusal, resolverAt, services } from './support/outbound.mjs'
import { expand, pinned, sorted } from './support/vectors.mjs'

const GOOD = '127.0.0.2'
const BAD = '127.0.0.3'
const rules = (port) => ({ allow: [`http://orders.internal:${port}`], addresses: [`${GOOD}/32`, '127.0.0.4/32'] })
const a = (...addresses) => addresses.map((data) => ({ type: 'A', data }))
/** A zone that answers for A alone. */
const onlyA = (records) => (name, type, count) => (type === 'A' ? records(count) : [])

/** Servers, DNS and a guard for one story. */
async function story(t, zone, addresses = [GOOD, BAD]) {
  const servers = await services(t, addresses)
  const dns = await dnsServer(t, zone)
  const { egress, log } = await guarded(t, rules(servers.port), { resolver: resolverAt(dns.server) })
  return { ...servers, egress, log, queries: dns.queries, url: `http://orders.internal:${servers.port}/a?b=c` }
}

const ONE_LOOK_UP = [{ name: 'orders.internal', type: 'A' }, { name: 'orders.internal', type: 'AAAA' }]
const byType = (queries) => [...queries].sort((one, other) => one.type.localeCompare(other.type))

test('the vectors', async (t) => {
  const { schema, policies, cases } = readJson('tests/vectors/egress.json')
  assert.equal(schema, 'hostbound-egress-vectors-1')
  const guards = new Map()
  const wrong = []
  for (const { id, policy, request: asked, want } of cases) {
    const key = JSON.stringify(policy)
    if (!guards.has(key)) guards.set(key, await hostboundEgress({ policy: expand(policies[policy] ?? policy), log: false }))
    const found = JSON.stringify(sorted(pinned(guards.get(key).judge(expand(asked)))))
    const wanted = JSON.stringify(sorted(expand(want)))
    if (found !== wanted) wrong.push(`${id}: found ${found}, wanted ${wanted}`)
  }
  t.diagnostic(`${cases.length} vectors`)
  assert.deepEqual(wrong, [])
  assert.ok(cases.length > 100)
})

test('one look-up, and the connection goes to its address with the Host kept', async (t) => {
  const { egress, url, port, queries, connections } = await story(t, onlyA(() => a(GOOD)))
  const response = await egress.fetch(url)
  assert.equal(await response.text(), `orders.internal:${port}/a?b=c`)
  assert.deepEqual(byType(queries), ONE_LOOK_UP)
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('a connection that is kept alive is not looked up again; a new one is', async (t) => {
  const { egress, url, queries, connections } = await story(t, onlyA(() => a(GOOD)))
  const [dispatcher, other] = [egress.dispatcher({ connections: 1 }), egress.dispatcher({ connections: 1 })]
  t.after(() => Promise.all([dispatcher.close(), other.close()]))
  for (let count = 0; count < 3; count += 1) await (await egress.fetch(url, { dispatcher })).text()
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
  assert.equal(queries.length, 2)
  await (await egress.fetch(url, { dispatcher: other })).text()
  assert.deepEqual(connections(), { [GOOD]: 2, [BAD]: 0 })
  assert.equal(queries.length, 4)
})

test('a name that flips after its first answer reaches nobody else', async (t) => {
  const { egress, url, queries, connections } = await story(t, onlyA((count) => a(count === 0 ? GOOD : BAD)))
  await (await egress.fetch(url)).text()
  const other = egress.dispatcher()
  t.after(() => other.close())
  await assert.rejects(egress.fetch(url, { dispatcher: other, headers: { 'x-note': 'a' } }), refusal('address_not_allowed'))
  assert.equal(queries.length, 4)
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('a name that rotates is judged at each connection', async (t) => {
  const { egress, url, connections } = await story(t, onlyA((count) => a([GOOD, BAD, '127.0.0.4'][count % 3])), [GOOD, BAD, '127.0.0.4'])
  const outcomes = []
  for (let count = 0; count < 6; count += 1) {
    const dispatcher = egress.dispatcher()
    outcomes.push(await egress.fetch(url, { dispatcher }).then((response) => response.text().then(() => 200), ({ reason }) => reason))
    await dispatcher.close()
  }
  assert.deepEqual(outcomes, [200, 'address_not_allowed', 200, 200, 'address_not_allowed', 200])
  assert.deepEqual(connections(), { [GOOD]: 2, [BAD]: 0, '127.0.0.4': 2 })
})

test('one bad address among good ones refuses the name', async (t) => {
  for (const mixed of [a(GOOD, BAD), a(BAD, GOOD), a(GOOD, '169.254.169.254')]) {
    const { egress, url, queries, connections } = await story(t, onlyA(() => mixed))
    await assert.rejects(egress.fetch(url), refusal('address_not_allowed'))
    assert.deepEqual(byType(queries), ONE_LOOK_UP)
    assert.deepEqual(connections(), { [GOOD]: 0, [BAD]: 0 })
  }
})

test('a bad AAAA refuses a name whose A is good', async (t) => {
  const { egress, url, connections } = await story(t, (name, type) => (type === 'A' ? a(GOOD) : [{ type: 'AAAA', data: '::1' }]))
  await assert.rejects(egress.fetch(url), refusal('address_not_allowed'))
  assert.deepEqual(connections(), { [GOOD]: 0, [BAD]: 0 })
})

test('a CNAME to an internal name is judged by its address', async (t) => {
  const internal = 'metadata.google.internal'
  const { egress, url, connections } = await story(
    t,
    onlyA(() => [{ type: 'CNAME', data: internal }, { type: 'A', data: '169.254.169.254', name: internal }]),
  )
  await assert.rejects(egress.fetch(url), refusal('address_not_allowed'))
  assert.deepEqual(connections(), { [GOOD]: 0, [BAD]: 0 })
})

test('no answer, an empty one and a name that does not exist are refused', async (t) => {
  for (const [zone, code] of [[() => undefined, 'ETIMEOUT'], [() => [], 'ENODATA'], [() => null, 'ENOTFOUND']]) {
    const { egress, url, connections } = await story(t, zone)
    await assert.rejects(egress.fetch(url), (error) => refusal('address_missing')(error) && error.cause.code === code)
    assert.deepEqual(connections(), { [GOOD]: 0, [BAD]: 0 })
  }
})

test('failover is among judged addresses', async (t) => {
  const { port, connections } = await services(t, [GOOD, BAD])
  let count = 0
  const resolver = () => ((count += 1), ['127.0.0.4', GOOD])
  const { egress } = await guarded(t, rules(port), { resolver })
  await (await egress.fetch(`http://orders.internal:${port}/`)).text()
  assert.equal(count, 1)
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('a Resolver with callbacks, and a function that gives nonsense', async (t) => {
  const { url, port, connections } = await story(t, onlyA(() => a(GOOD)))
  const dns = await dnsServer(t, onlyA(() => a(GOOD)))
  const resolver = new Resolver()
  resolver.setServers([dns.server])
  const { egress } = await guarded(t, rules(port), { resolver })
  await (await egress.fetch(url)).text()
  for (const nonsense of [['orders.internal'], ['fe80::1%1'], GOOD, [2130706433]]) {
    const { egress } = await guarded(t, rules(port), { resolver: () => nonsense })
    await assert.rejects(egress.fetch(url), { code: 'HOSTBOUND_OPTION' })
  }
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('literals are judged without a look-up', async (t) => {
  const { port, connections } = await services(t, [GOOD, BAD])
  const resolver = () => assert.fail('looked up')
  const { egress } = await guarded(t, { allow: [`http://${GOOD}:${port}`] }, { resolver })
  const dispatcher = egress.dispatcher()
  t.after(() => dispatcher.close())
  assert.equal((await request(`http://${GOOD}:${port}/`, { dispatcher })).statusCode, 200)
  await assert.rejects(request(`http://${BAD}:${port}/`, { dispatcher }), refusal('destination_not_allowed'))
  await assert.rejects(request(`http://0x7f000003:${port}/`, { dispatcher }), refusal('destination_not_allowed'))
  await assert.rejects(egress.fetch(`http://0x7f000002:${port}/`), refusal('url_malformed'))
  await assert.rejects(egress.fetch(`http://[::ffff:7f00:2]:${port}/`), refusal('destination_not_allowed'))
  assert.deepEqual(connections(), { [GOOD]: 1, [BAD]: 0 })
})

test('a listener that never accepts is given up on', async (t) => {
  // The look-up alone uses up the time.
  const { egress } = await guarded(t, rules(8080), { resolver: () => new Promise(() => {}), timeout: 50 })
  await assert.rejects(egress.fetch('http://orders.internal:8080/'), refusal('address_missing'))
  const server = createTcpServer()
  server.listen(0, GOOD)
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address()
  const secure = { allow: [`https://orders.internal:${port}`], addresses: [`${GOOD}/32`] }
  const { egress: silent } = await guarded(t, secure, { resolver: () => [GOOD], timeout: 200 })
  await assert.rejects(silent.fetch(`https://orders.internal:${port}/`), (error) => error.cause.code === 'UND_ERR_CONNECT_TIMEOUT')
})

test('the connect hook meets the host that was judged, or nobody', async (t) => {
  const port = 8080
  const met = []
  const policy = { allow: [`http://allowed.example:${port}`, 'http://allowed.example'], addresses: [`${GOOD}/32`] }
  const { egress } = await guarded(t, policy, { resolver: (host) => (met.push(host), []) })
  const dispatcher = egress.dispatcher()
  t.after(() => dispatcher.close())
  let refused = 0
  const urls = [...confusions('allowed.example', 'attacker.example')]
  for (const url of urls) {
    for (const send of [(to) => egress.fetch(to), async (to) => request(to, { dispatcher })]) {
      met.length = 0
      await assert.rejects(send(url), (error) => error instanceof Error, url)
      for (const host of met) assert.equal(host, 'allowed.example', url)
      if (met.length === 0) refused += 1
      // What is sent by its text is judged by its text.
      const verdict = egress.judgeUrl(url)
      if (verdict.decision === 'allow') assert.equal(new URL(url).hostname.replace(/\.$/, ''), verdict.identity.host, url)
    }
  }
  t.diagnostic(`${urls.length} URLs, ${refused} of ${urls.length * 2} requests refused before a look-up`)
  assert.ok(refused > urls.length)
})

/** URLs of which one parser may read one host and another the other. */
function* confusions(allowed, attacker) {
  const glue = ['@', '\\@', ';@', ':80@', ':\\@@', '\\@@', '#@', '?@', '/@', '%40', '\\', '\\.', '．', '。', '%2e', '%00', '\t', '\n', ' ', ' &@', '#', ':8080@', '%09', '\u00ad', ';', ',', '|', '^', '\u200b.']
  for (const [one, other] of [[allowed, attacker], [attacker, allowed]]) {
    for (const joint of glue) {
      for (const scheme of ['http://', 'http:', 'http:/', 'http:///', 'http:\\\\', 'HTTP://', ' http://', 'http://@', 'http://:@']) {
        yield `${scheme}${one}${joint}${other}/`
        yield `${scheme}${one}${joint}${other}:8080/x`
      }
    }
  }
}

test('a Host, a target or a tunnel of the caller is refused', async (t) => {
  const { egress, url, port, connections } = await story(t, onlyA(() => a(GOOD)))
  const dispatcher = egress.dispatcher()
  t.after(() => dispatcher.close())
  const origin = `http://orders.internal:${port}`
  for (const options of [
    { path: '/', headers: { host: 'attacker.example' } },
    { path: '/', headers: ['Host', 'attacker.example'] },
    { path: '/', headers: new Map([['HOST', 'attacker.example']]) },
    { path: 'http://attacker.example/' },
  ]) {
    await assert.rejects(dispatcher.request({ origin, method: 'GET', ...options }), { code: 'HOSTBOUND_OPTION' })
  }
  for (const path of ['attacker.example:80', '/']) await assert.rejects(dispatcher.connect({ origin, path }), { code: 'HOSTBOUND_OPTION' })
  assert.deepEqual(connections(), { [GOOD]: 0, [BAD]: 0 })
  const { body } = await request(url, { dispatcher, headers: { host: `orders.internal:${port}` } })
  assert.equal(await body.text(), `orders.internal:${port}/a?b=c`)
})

test('no dispatcher, agent or proxy but ours', async (t) => {
  const { egress, url } = await story(t, onlyA(() => a(GOOD)))
  const proxy = new ProxyAgent('http://127.0.0.1:9/')
  for (const options of [{ base: proxy }, { connect: {} }, { factory() {} }, { socketPath: '/x' }, { proxy: 'http://127.0.0.1:9/' }]) {
    assert.throws(() => egress.dispatcher(options), { code: 'HOSTBOUND_OPTION' })
  }
  for (const dispatcher of [proxy, new Agent()]) await assert.rejects(egress.fetch(url, { dispatcher }), { code: 'HOSTBOUND_OPTION' })
})

test('a proxy of the environment is named in the log and not used', async (t) => {
  process.env.HTTP_PROXY = 'http://user:secret@127.0.0.1:9/'
  t.after(() => delete process.env.HTTP_PROXY)
  const { egress, log, url } = await story(t, onlyA(() => a(GOOD)))
  assert.equal((await egress.fetch(url)).status, 200)
  assert.deepEqual(log[0].proxies_ignored, ['HTTP_PROXY'])
  assert.doesNotMatch(JSON.stringify(log), /secret/)
})

test('credentials go to the origin that they are bound to', async (t) => {
  const { port, seen } = await services(t, [GOOD])
  const policy = {
    allow: [`http://orders.internal:${port}`, `http://other.internal:${port}`],
    addresses: [`${GOOD}/32`],
    credentials: { [`http://orders.internal:${port}`]: ['authorization'] },
  }
  const { egress } = await guarded(t, policy, { resolver: () => [GOOD] })
  const headers = { authorization: 'Basic c2VjcmV0' }
  assert.equal((await egress.fetch(`http://orders.internal:${port}/`, { headers })).status, 200)
  await assert.rejects(egress.fetch(`http://other.internal:${port}/`, { headers }), refusal('credentials_not_allowed'))
  await assert.rejects(egress.fetch(`http://orders.internal:${port}/`, { headers: { cookie: 'a=b' } }), refusal('credentials_not_allowed'))
  assert.deepEqual(seen[GOOD].requests.map(({ headers: { authorization } }) => authorization), [headers.authorization])
})

test('report mode connects and says why it would not have', async (t) => {
  const { port, connections } = await services(t, [BAD])
  const policy = { version: 1, mode: 'report', hosts: { allow: ['localhost'] }, egress: rules(port) }
  const { egress, log } = await guarded(t, policy, { resolver: () => [BAD] })
  assert.equal((await egress.fetch(`http://orders.internal:${port}/`)).status, 200)
  assert.deepEqual(connections(), { [BAD]: 1 })
  assert.equal((await egress.fetch(`http://unlisted.internal:${port}/`, { headers: { 'x-note': 'a' } })).status, 200)
  assert.deepEqual(
    log.map(({ hostbound, reason }) => [hostbound, reason]),
    [['start', undefined], ['report', 'address_not_allowed'], ['report', 'destination_not_allowed']],
  )
})

test('a pool is of one judged destination, however its name is written', async (t) => {
  const { port, seen } = await services(t, [GOOD])
  const names = ['a', 'b'].map((name) => `http://${name}.internal:${port}`)
  const asked = []
  const { egress } = await guarded(t, { allow: names, addresses: [`${GOOD}/32`] }, { resolver: (host) => (asked.push(host), [GOOD]) })
  const dispatcher = egress.dispatcher({ connections: 1 })
  t.after(() => dispatcher.close())
  const bodies = []
  for (const host of ['a.internal', 'A.Internal', 'a.internal.', 'b.internal']) {
    const { body } = await request(`http://${host}:${port}/`, { dispatcher })
    bodies.push(await body.text())
  }
  assert.deepEqual(bodies, ['a', 'a', 'a', 'b'].map((name) => `${name}.internal:${port}/`))
  assert.deepEqual(asked, ['a.internal', 'b.internal'])
  assert.equal(seen[GOOD].connections, 2)
})

test('hooks, logs and errors hold no query and no credential', async (t) => {
  const denied = []
  const { egress, log } = await guarded(t, rules(1), { onDeny: (verdict, { url }) => denied.push([verdict.reason, url]) })
  const error = await egress.fetch('http://evil.example/?key=secret', { headers: { authorization: 'secret' } }).catch((error) => error)
  assert.equal(denied[0][0], 'destination_not_allowed')
  assert.doesNotMatch(JSON.stringify([log, error.message, error.verdict]), /secret/)
})

test('options that cannot be, and policies that are refused', async () => {
  const policy = { version: 1, hosts: { allow: ['localhost'] } }
  for (const options of [{ policy: 1 }, { policy, timeout: 0 }, { policy, resolver: 'dns' }, { policy, onDeny: 1 }]) {
    await assert.rejects(hostboundEgress({ log: false, ...options }), { code: 'HOSTBOUND_OPTION' })
  }
  await assert.rejects(hostboundEgress({ log: false, policy: { ...policy, egress: { allow: ['ftp://a.example'] } } }), { code: 'HOSTBOUND_POLICY' })
})
