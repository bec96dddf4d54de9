// Real servers on loopback, and a client that sends bytes as they are. What must never happen: a listener that meets a request
// which was denied.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

import { Guard, Policy } from 'hostbound'
import { hostbound } from 'hostbound/node'

import { inRepository } from './support/files.mjs'
import { coded } from './support/policies.mjs'
import { denial, http, listening, statuses, stop, talk } from './support/raw.mjs'

const POLICY = { version: 1, hosts: { allow: ['localhost'] } }
const GOOD = 'Host: localhost'
const EVIL = 'Host: evil.test'

/** A protected server that counts what reaches any listener. It is stopped when the test has ended. */
async function guarded(t, options = {}, path = undefined) {
  const lines = []
  const guard = await hostbound({ policy: POLICY, log: (line) => lines.push(JSON.parse(line)), ...options })
  const reached = []
  const server = guard.protect(createServer())
  for (const event of ['request', 'checkExpectation']) {
    server.on(event, (request, response) => {
      reached.push(`${event} ${request.url}`)
      response.end('served\n')
    })
  }
  for (const event of ['upgrade', 'connect']) {
    server.on(event, (request, socket) => {
      reached.push(`${event} ${request.url}`)
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    })
  }
  await listening(server, path)
  t.after(() => stop(server))
  return { t, guard, server, reached, lines }
}

/** Runs a test with a protected server. */
function withServer(name, body, options = {}) {
  test(name, async (t) => body(await guarded(t, options)))
}

withServer('a request of the service’s own name is served, any other is not', async ({ server, reached, lines }) => {
  assert.deepEqual(statuses(await talk(server, http('GET /a HTTP/1.1', GOOD, 'Connection: close'))), [200])
  assert.equal(denial(await talk(server, http('GET /b HTTP/1.1', EVIL))), '421 host_not_allowed')
  assert.deepEqual(reached, ['request /a'])
  assert.deepEqual(lines.map(({ hostbound }) => hostbound), ['start', 'deny'])
  const { policy, ...line } = lines[1]
  assert.deepEqual(line, {
    hostbound: 'deny', status: 421, reason: 'host_not_allowed', rule: 'hosts.allow', detail: 'host `evil.test` is not allowed',
    method: 'GET', peer: '127.0.0.1',
  })
  assert.match(policy, /^sha256:/)
})

const WEBSOCKET = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: a', 'Sec-WebSocket-Version: 13']

/** What to send, and how it is denied: by us, or (null) by Node itself, which answers before any listener. */
const DENIED = [
  ['two Hosts, the good one first', http('GET / HTTP/1.1', GOOD, EVIL), '400 host_duplicate'],
  ['two Hosts, the good one last', http('GET / HTTP/1.1', EVIL, GOOD), '400 host_duplicate'],
  ['two good Hosts', http('GET / HTTP/1.1', GOOD, GOOD), '400 host_duplicate'],
  ['a list of hosts', http('GET / HTTP/1.1', 'Host: localhost, evil.test'), '400 host_duplicate'],
  ['no Host', http('GET / HTTP/1.1'), null],
  ['an empty Host', http('GET / HTTP/1.1', 'Host:'), '400 host_malformed'],
  ['no Host in HTTP/1.0', http('GET / HTTP/1.0'), '400 host_missing'],
  ['a foreign Host in HTTP/1.0', http('GET / HTTP/1.0', EVIL), '421 host_not_allowed'],
  ['absolute-form, the target foreign', http('GET http://evil.test/ HTTP/1.1', GOOD), '400 authority_mismatch'],
  ['absolute-form, Host foreign', http('GET http://localhost/ HTTP/1.1', EVIL), '400 authority_mismatch'],
  ['absolute-form without Host in HTTP/1.0', http('GET http://localhost/ HTTP/1.0'), '400 host_missing'],
  ['bytes above 0x7f in Host', http('GET / HTTP/1.1', 'Host: localh\xf6st'), '400 host_malformed'],
  ['a foreign Origin', http('POST / HTTP/1.1', GOOD, 'Origin: https://evil.test', 'Content-Length: 0'), '403 origin_not_allowed'],
  ['two Origins', http('GET / HTTP/1.1', GOOD, 'Origin: http://localhost', 'Origin: http://localhost'), '400 header_duplicate'],
  ['cross-site', http('GET / HTTP/1.1', GOOD, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors'), '403 fetch_site_not_allowed'],
  ['a fragment', http('GET /#a HTTP/1.1', GOOD), '400 request_malformed'],
  ['CONNECT', http('CONNECT localhost:80 HTTP/1.1', GOOD), '400 request_malformed'],
  ['CONNECT of a foreign host', http('CONNECT evil.test:80 HTTP/1.1', 'Host: evil.test:80'), '400 request_malformed'],
  ['TRACE', http('TRACE / HTTP/1.1', GOOD), '400 request_malformed'],
  ['an upgrade to h2c', http('GET / HTTP/1.1', GOOD, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: a'), '400 request_malformed'],
  ['an upgrade of a foreign host', http('GET / HTTP/1.1', EVIL, ...WEBSOCKET), '421 host_not_allowed'],
  ['an upgrade of a foreign origin', http('GET / HTTP/1.1', GOOD, 'Origin: https://evil.test', ...WEBSOCKET), '403 origin_not_allowed'],
  ['an upgrade without Host', http('GET / HTTP/1.1', ...WEBSOCKET), '400 host_missing'],
  ['Expect: 100-continue', http('POST / HTTP/1.1', EVIL, 'Expect: 100-continue', 'Content-Length: 5'), '421 host_not_allowed'],
  ['another expectation', http('POST / HTTP/1.1', EVIL, 'Expect: nothing', 'Content-Length: 5'), '421 host_not_allowed'],
  ['a body that is never sent', http('POST / HTTP/1.1', EVIL, 'Content-Length: 5000000'), '421 host_not_allowed'],
  ['a body in chunks that never ends', `${http('POST / HTTP/1.1', EVIL, 'Transfer-Encoding: chunked')}5\r\nhello\r\n`, '421 host_not_allowed'],
  ['a long body', `${http('POST / HTTP/1.1', EVIL, 'Content-Length: 3000000')}${'x'.repeat(3_000_000)}`, '421 host_not_allowed'],
  ['a body that looks like a request', `${http('POST / HTTP/1.1', EVIL, 'Content-Length: 9')}${http('GET /smuggled HTTP/1.1', GOOD)}`, '421 host_not_allowed'],
  ['PRI * HTTP/2.0', http('GET / HTTP/2.0', EVIL), '421 host_not_allowed'],
]

withServer('denied requests reach no listener and get one line of text, then the end', async ({ server, reached }) => {
  for (const [name, text, wanted] of DENIED) {
    const answer = await talk(server, text)
    if (wanted === null) assert.deepEqual(statuses(answer), [400], name)
    else assert.equal(denial(answer), wanted, name)
    assert.deepEqual(reached, [], name)
  }
})

withServer('HEAD is answered without a body', async ({ server, reached }) => {
  assert.equal(denial(await talk(server, http('HEAD / HTTP/1.1', EVIL)), { head: true }), '421')
  assert.deepEqual(reached, [])
})

withServer('what is allowed keeps working', async ({ server, reached }) => {
  const rows = [
    ['keep-alive', `${http('GET /1 HTTP/1.1', GOOD)}${http('GET /2 HTTP/1.1', GOOD, 'Connection: close')}`, [200, 200], ['request /1', 'request /2']],
    ['HTTP/1.0', http('GET /3 HTTP/1.0', GOOD), [200], ['request /3']],
    ['absolute-form', http('GET http://localhost/4 HTTP/1.1', GOOD, 'Connection: close'), [200], ['request http://localhost/4']],
    ['HEAD', http('HEAD /5 HTTP/1.1', GOOD, 'Connection: close'), [200], ['request /5']],
    ['a body', `${http('POST /6 HTTP/1.1', GOOD, 'Content-Length: 5', 'Connection: close')}hello`, [200], ['request /6']],
    ['Expect: 100-continue', `${http('POST /7 HTTP/1.1', GOOD, 'Expect: 100-continue', 'Content-Length: 5', 'Connection: close')}hello`, [100, 200], ['request /7']],
    ['another expectation', http('GET /8 HTTP/1.1', GOOD, 'Expect: x', 'Connection: close'), [200], ['checkExpectation /8']],
    ['an upgrade', http('GET /9 HTTP/1.1', GOOD, 'Origin: http://localhost', ...WEBSOCKET), [101], ['upgrade /9']],
    ['the asterisk', http('OPTIONS * HTTP/1.1', GOOD, 'Connection: close'), [200], ['request *']],
  ]
  for (const [name, text, wanted, events] of rows) {
    reached.length = 0
    assert.deepEqual(statuses(await talk(server, text)), wanted, name)
    assert.deepEqual(reached, events, name)
  }
})

withServer('every request of a connection is judged, and nothing is served after a denial', async ({ server, reached }) => {
  const answer = await talk(server, [http('GET /1 HTTP/1.1', GOOD), http('GET /2 HTTP/1.1', EVIL), http('GET /3 HTTP/1.1', GOOD)].join(''))
  assert.deepEqual(statuses(answer), [200, 421])
  assert.deepEqual(reached, ['request /1'])
})

withServer('a denial waits for the answer before it', async ({ t, guard }) => {
  const slow = guard.protect(createServer((request, response) => setTimeout(() => response.end('slow\n'), 50)))
  await listening(slow)
  t.after(() => stop(slow))
  const answer = await talk(slow, [http('GET /1 HTTP/1.1', GOOD), http('GET /2 HTTP/1.1', EVIL)].join(''))
  assert.deepEqual(statuses(answer), [200, 421])
})

withServer('listeners of checkContinue get what is allowed, and the engine answers the rest', async ({ server, reached }) => {
  server.on('checkContinue', (request, response) => {
    reached.push(`checkContinue ${request.url}`)
    response.end('no need')
  })
  const expect = (field) => http('POST /c HTTP/1.1', field, 'Expect: 100-continue', 'Content-Length: 5', 'Connection: close')
  assert.deepEqual(statuses(await talk(server, expect(GOOD))), [200])
  assert.deepEqual(statuses(await talk(server, expect(EVIL))), [421])
  assert.deepEqual(reached, ['checkContinue /c'])
})

withServer('listeners that are added first, later or once meet nothing that is denied', async ({ server }) => {
  const met = []
  server.prependListener('request', () => met.push('first'))
  server.once('request', () => met.push('once'))
  server.addListener('request', () => met.push('later'))
  await talk(server, http('GET / HTTP/1.1', EVIL))
  assert.deepEqual(met, [])
  await talk(server, http('GET / HTTP/1.1', GOOD, 'Connection: close'))
  assert.deepEqual(met, ['first', 'once', 'later'])
})

test('a server has one guard', async (t) => {
  const { guard, server } = await guarded(t)
  const other = await hostbound({ policy: POLICY, log: false })
  assert.equal(guard.protect(server), server)
  assert.throws(() => other.protect(server), coded('HOSTBOUND_OPTION', /another guard/))
  for (const wrong of [undefined, null, {}, 7]) assert.throws(() => guard.protect(wrong), coded('HOSTBOUND_OPTION'))
})

withServer('a served request says who was proved to ask', async ({ server }) => {
  const identities = []
  server.on('request', (request) => {
    identities.push(request.hostbound)
    // What the application does to the request does not change who asked.
    request.rawHeaders[1] = 'evil.test'
    assert.equal(request.hostbound, identities.at(-1))
    assert.equal(Object.keys(request).includes('hostbound'), false)
  })
  await talk(server, http('GET /a/1 HTTP/1.1', 'Host: LOCALHOST.:81', 'Connection: close'))
  assert.deepEqual(identities, [{ host: 'localhost:81', route: 'a', preflight: false, signature: null, token: null }])
}, { policy: { ...POLICY, routes: [{ path: '/a/**', name: 'a', require: [] }] } })

withServer('identities that are read late are of their own request', async ({ server }) => {
  const requests = []
  server.on('request', (request) => requests.push(request))
  for (const port of [1, 2, 3]) await talk(server, http('GET / HTTP/1.1', `Host: localhost:${port}`, 'Connection: close'))
  assert.deepEqual(requests.map(({ hostbound }) => hostbound.host), ['localhost:1', 'localhost:2', 'localhost:3'])
})

withServer('without `identity` there is none', async ({ server }) => {
  let found = true
  server.on('request', (request) => (found = 'hostbound' in request))
  await talk(server, http('GET / HTTP/1.1', GOOD, 'Connection: close'))
  assert.equal(found, false)
}, { identity: false })

test('hooks hear of denials; what they throw changes nothing', async (t) => {
  const heard = []
  const onDeny = (verdict, request, message) => {
    heard.push([verdict.reason, request.target, message.url])
    throw new Error('a hook fails')
  }
  const { server, reached, lines } = await guarded(t, { onDeny })
  assert.equal(denial(await talk(server, http('GET /x HTTP/1.1', EVIL))), '421 host_not_allowed')
  assert.deepEqual(heard, [['host_not_allowed', '/x', '/x']])
  assert.deepEqual(reached, [])
  assert.deepEqual(lines.at(-1), { hostbound: 'error', what: 'onDeny threw', detail: 'a hook fails' })
})

test('report mode serves and reports; what is malformed is denied all the same', async (t) => {
  const heard = []
  const onReport = ({ reported: [report] }, request) => heard.push([report.reason, report.status, request.target])
  const { server, reached, lines } = await guarded(t, { policy: { ...POLICY, mode: 'report' }, onReport })
  assert.deepEqual(statuses(await talk(server, http('GET /x HTTP/1.1', EVIL, 'Connection: close'))), [200])
  assert.equal(denial(await talk(server, http('GET /y HTTP/1.1', EVIL, EVIL))), '400 host_duplicate')
  assert.deepEqual(heard, [['host_not_allowed', 421, '/x']])
  assert.deepEqual(reached, ['request /x'])
  assert.deepEqual(lines.map(({ hostbound, reason }) => [hostbound, reason]), [['start', undefined], ['report', 'host_not_allowed'], ['deny', 'host_duplicate']])
})

withServer('a flood of denials is ten lines a second, and counted', async ({ server, lines }) => {
  const flood = 200
  for (let index = 0; index < flood; index += 1) await talk(server, http('GET / HTTP/1.1', EVIL))
  const denied = lines.filter(({ hostbound }) => hostbound === 'deny')
  assert.ok(denied.length < flood / 2, `${denied.length} lines`)
  const start = performance.now()
  while (Math.floor(performance.now() / 1000) === Math.floor(start / 1000)) await new Promise((resolve) => setImmediate(resolve))
  await talk(server, http('GET / HTTP/1.1', EVIL))
  const told = lines.filter(({ hostbound }) => hostbound === 'deny')
  const suppressed = told.reduce((sum, line) => sum + (line.suppressed ?? 0), 0)
  assert.equal(told.length + suppressed, flood + 1)
})

test('what is read off a message: scheme, version and peer of its connection', async () => {
  const hosts = { allow: ['localhost:443'] }
  const https = await hostbound({ policy: { version: 1, hosts }, log: false })
  const peers = await hostbound({ policy: { ...POLICY, peers: { allow: ['fe80::/10', '192.0.2.0/24'] } }, log: false })
  const admits = (guard, socket, rest = {}) => {
    let admitted = false
    const response = { headersSent: false, getHeaderNames: () => [], writeHead: () => {}, end: () => {} }
    guard.middleware({ method: 'GET', url: '/', rawHeaders: ['Host', 'localhost'], httpVersion: '1.1', socket, ...rest }, response, () => (admitted = true))
    return admitted
  }
  assert.equal(admits(https, { encrypted: true }), true)
  assert.equal(admits(https, { encrypted: false }), false)
  assert.equal(admits(https, {}, { rawHeaders: ['Host', 'localhost', 'X-Forwarded-Proto', 'https'] }), false)
  for (const [remoteAddress, wanted] of [
    ['fe80::1%eth0', true],
    ['192.0.2.7', true],
    ['::ffff:192.0.2.7', true],
    ['::ffff:127.0.0.1', false],
    [undefined, false],
  ]) {
    assert.equal(admits(peers, { remoteAddress }), wanted, remoteAddress)
  }
  // HTTP/0.9 and HTTP/2.0 are versions to Node's parser.
  for (const [httpVersion, wanted] of [['0.9', true], ['2.0', true], ['1.0', true]]) {
    assert.equal(admits(peers, { remoteAddress: '192.0.2.7' }, { httpVersion }), wanted, httpVersion)
  }
})

withServer('what cannot be judged is not served', async ({ guard, lines }) => {
  // A message such as no server makes.
  const message = { method: 'GET', url: '/', rawHeaders: ['Host', 'localh\u0101st'], httpVersion: '1.1', socket: {} }
  const response = {
    headersSent: false,
    getHeaderNames: () => [],
    writeHead: (status) => (response.status = status),
    end: (text) => (response.text = text),
  }
  guard.middleware(message, response, () => assert.fail('it was served'))
  assert.deepEqual([response.status, response.text], [500, 'unavailable\n'])
  assert.deepEqual([lines.at(-1).hostbound, lines.at(-1).what], ['error', 'the request could not be judged'])
})

test('a log that fails does not decide who is served', async (t) => {
  const log = () => {
    throw new Error('the disk is full')
  }
  const { server, reached } = await guarded(t, { log })
  assert.equal(denial(await talk(server, http('GET / HTTP/1.1', EVIL))), '421 host_not_allowed')
  assert.deepEqual(statuses(await talk(server, http('GET / HTTP/1.1', GOOD, 'Connection: close'))), [200])
  assert.deepEqual(reached, ['request /'])
})

test('peers: the transport’s address, or a Unix socket', async (t) => {
  const peers = (allow) => ({ policy: { ...POLICY, peers: { allow } } })
  const get = http('GET / HTTP/1.1', GOOD, 'X-Forwarded-For: 192.0.2.1', 'Connection: close')
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [allow, path, status] of [
    [['127.0.0.1'], undefined, 200],
    [['192.0.2.1'], undefined, 403],
    [['unix'], undefined, 403],
    [['unix'], join(folder, '1'), 200],
    [['127.0.0.1'], join(folder, '2'), 403],
  ]) {
    const { server } = await guarded(t, peers(allow), path)
    assert.deepEqual(statuses(await talk(server, get)), [status], `${allow} ${path}`)
  }
})

test('a server on every address of IPv6 sees IPv4 peers as they are', async (t) => {
  const guard = await hostbound({ policy: { ...POLICY, peers: { allow: ['127.0.0.0/8'] } }, log: false })
  const server = guard.protect(createServer((_, response) => response.end('served\n')))
  server.listen({ port: 0, host: '::', ipv6Only: false })
  await once(server, 'listening')
  t.after(() => stop(server))
  assert.deepEqual(statuses(await talk(server, http('GET / HTTP/1.1', GOOD, 'Connection: close'))), [200])
})

test('explanations are for loopback, if the policy says so', async (t) => {
  const path = inRepository('bindings/node/test/support/explains.toml')
  const { server } = await guarded(t, { policy: path })
  const answer = denial(await talk(server, http('GET / HTTP/1.1', EVIL)))
  assert.equal(answer, `421 host_not_allowed\nhost \`evil.test\` is not allowed (hosts.allow, explains.toml:5)`)
})

test('a policy is a path, a Policy or an object, and hosts are added from the environment', async (t) => {
  const options = (policy, rest) => {
    const lines = []
    return { lines, options: { policy, log: (line) => lines.push(JSON.parse(line)), ...rest } }
  }
  const path = inRepository('policies/local-service.toml')
  for (const policy of [path, await Policy.fromFile(path)]) {
    const { lines, options: given } = options(policy)
    const guard = await hostbound(given)
    assert.deepEqual(lines, [{ hostbound: 'start', name: 'local-service', mode: 'enforce', policy: guard.policy.digest, added_hosts: [] }])
  }
  process.env.HOSTBOUND_ALLOWED_HOSTS = ' a.example , , localhost,b.example:81'
  try {
    const { lines, options: given } = options(POLICY, { allowHosts: ['c.example'] })
    const { policy } = await hostbound(given)
    assert.deepEqual(lines[0].added_hosts, ['c.example', 'a.example', 'b.example:81'])
    const guard = new Guard(policy)
    for (const host of lines[0].added_hosts) assert.equal(guard.inspect({ method: 'GET', target: '/', headers: ['Host', host] }), 0)
    process.env.HOSTBOUND_ALLOWED_HOSTS = '*.example'
    await assert.rejects(hostbound(options(POLICY).options), coded('HOSTBOUND_POLICY', /HOSTBOUND_ALLOWED_HOSTS/))
  } finally {
    delete process.env.HOSTBOUND_ALLOWED_HOSTS
  }
  for (const policy of [undefined, null, 7]) await assert.rejects(hostbound({ policy, log: false }), coded('HOSTBOUND_OPTION'))
  await assert.rejects(hostbound({ policy: await Policy.fromObject(POLICY), allowHosts: ['a.example'], log: false }), coded('HOSTBOUND_OPTION', /too late/))
  await assert.rejects(hostbound({ policy: 'no-such-file.toml', log: false }), coded('ENOENT'))
  await assert.rejects(hostbound({ policy: { version: 1 }, log: false }), coded('HOSTBOUND_POLICY'))
})
