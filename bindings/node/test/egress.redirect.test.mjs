// Redirects: every hop is judged, and credentials stay with the origin that they were meant for.

import assert from 'node:assert/strict'
import test from 'node:test'

import { Request as UndiciRequest } from 'undici'

import { guarded, refusal, services } from './support/outbound.mjs'

const HERE = '127.0.0.2'

/** A service that redirects `/to/<status>?<location>`, and a policy for three names of it. */
async function story(t, rules = {}) {
  const servers = await services(t, [HERE], (request, response) => {
    const [, status, location] = /^\/to\/(\d+)\?(.*)$/.exec(request.url) ?? []
    if (status !== undefined) return response.writeHead(Number(status), { location: decodeURIComponent(location) }).end()
    const body = []
    request.on('data', (chunk) => body.push(chunk)).on('end', () => response.end(`${request.method} ${request.headers.host} ${Buffer.concat(body)}`))
  })
  const { port } = servers
  const at = (name) => `http://${name}.internal:${port}`
  const policy = {
    allow: [at('a'), at('b'), at('c')],
    addresses: [`${HERE}/32`],
    credentials: { [at('a')]: ['authorization', 'x-own'], [at('b')]: ['authorization'] },
    ...rules,
  }
  const { egress, log } = await guarded(t, policy, { resolver: () => [HERE] })
  const to = (name, status, location) => `${at(name)}/to/${status}?${encodeURIComponent(location)}`
  return { ...servers, requests: servers.seen[HERE].requests, egress, log, at, to }
}

test('within an origin credentials are kept', async (t) => {
  const { egress, to, port, requests } = await story(t)
  const response = await egress.fetch(to('a', 302, '/end?x=y'), { headers: { authorization: 'Basic x', 'x-own': 'y' } })
  assert.equal(await response.text(), `GET a.internal:${port} `)
  assert.ok(response.redirected)
  assert.equal(response.url, `http://a.internal:${port}/end?x=y`)
  assert.deepEqual(requests.map(({ headers }) => [headers.authorization, headers['x-own']]), [['Basic x', 'y'], ['Basic x', 'y']])
})

test('another origin is refused unless the policy allows it', async (t) => {
  const { egress, to, at, requests } = await story(t)
  await assert.rejects(egress.fetch(to('a', 302, at('b'))), refusal('redirect_not_allowed'))
  const none = await story(t, { redirects: 'none' })
  await assert.rejects(none.egress.fetch(none.to('a', 302, '/')), refusal('redirect_not_allowed'))
  assert.equal(requests.length, 1)
})

test('across origins every credential is removed, bound there or not, for good, and logged by name', async (t) => {
  const { egress, to, at, requests, log } = await story(t, { redirects: 'allowed' })
  const headers = { authorization: 'Basic c2VjcmV0', 'x-own': 'secret', 'x-note': 'kept' }
  const url = to('a', 307, to('b', 302, at('a') + '/end'))
  assert.equal((await egress.fetch(url, { headers })).status, 200)
  assert.deepEqual(
    requests.map(({ headers: { host, authorization, 'x-own': own, 'x-note': note } }) => [host[0], authorization, own, note]),
    [['a', 'Basic c2VjcmV0', 'secret', 'kept'], ['b', undefined, undefined, 'kept'], ['a', undefined, undefined, 'kept']],
  )
  assert.deepEqual(log.filter(({ hostbound }) => hostbound === 'strip').map(({ headers }) => headers), [['authorization', 'x-own']])
  assert.doesNotMatch(JSON.stringify(log), /secret|c2VjcmV0/)
})

test('no hop leaves the policy', async (t) => {
  const { egress, to, port, requests } = await story(t, { redirects: 'allowed' })
  for (const [location, reason] of [
    ['http://169.254.169.254/latest/meta-data/', 'destination_not_allowed'],
    [`http://127.0.0.1:${port}/`, 'destination_not_allowed'],
    ['file:///etc/passwd', 'scheme_not_allowed'],
    [`https://a.internal:${port}/`, 'scheme_not_allowed'],
    [`http://a.internal:${port + 1}/`, 'port_not_allowed'],
    [`http://u:p@a.internal:${port}/`, 'userinfo_not_allowed'],
    [`http://evil.example\\@a.internal:${port}/`, 'url_malformed'],
    [`http:\\\\evil.example/`, 'url_malformed'],
    ['//evil.example/', 'destination_not_allowed'],
    ['/\\evil.example/', 'destination_not_allowed'],
    ['http://[', 'url_malformed'],
  ]) {
    requests.length = 0
    await assert.rejects(egress.fetch(to('a', 302, location)), refusal(reason), location)
    assert.equal(requests.length, 1, location)
  }
})

test('https to http is refused, whatever is allowed', async (t) => {
  const { egress } = await guarded(t, { allow: ['https://a.internal', 'http://a.internal'], redirects: 'allowed' })
  assert.equal(egress.judgeUrl('http://a.internal/', { from: 'https://a.internal/' }).reason, 'redirect_not_allowed')
  assert.equal(egress.judgeUrl('http://a.internal/', { from: 'http://a.internal/x' }).decision, 'allow')
})

test('methods and bodies change as in fetch', async (t) => {
  const { egress, to, port } = await story(t)
  const end = async (status, method) => (await egress.fetch(to('a', status, '/'), { method, body: method === 'GET' ? undefined : 'x' })).text()
  const outcomes = []
  for (const status of [301, 302, 303, 307, 308]) outcomes.push(await end(status, 'POST'), await end(status, 'PUT'))
  const [get, post, put] = [`GET a.internal:${port} `, `POST a.internal:${port} x`, `PUT a.internal:${port} x`]
  assert.deepEqual(outcomes, [get, put, get, put, get, get, post, put, post, put])
  assert.equal(await (await egress.fetch(to('a', 303, '/'), { method: 'HEAD' })).text(), '')
})

test('a body that is a stream does not follow', async (t) => {
  const { egress, to, at, port } = await story(t)
  const body = () => new Blob(['x']).stream()
  const sent = (url) => egress.fetch(url, { method: 'POST', body: body(), duplex: 'half' })
  assert.equal(await (await sent(at('a'))).text(), `POST a.internal:${port} x`)
  await assert.rejects(sent(to('a', 307, '/')), { code: 'HOSTBOUND_OPTION' })
  assert.equal(await (await sent(to('a', 303, '/'))).text(), `GET a.internal:${port} `)
})

test('`manual` and `error` are fetch\'s', async (t) => {
  const { egress, to, requests } = await story(t)
  const response = await egress.fetch(to('a', 302, '/'), { redirect: 'manual' })
  assert.deepEqual([response.status, response.headers.get('location')], [302, '/'])
  await assert.rejects(egress.fetch(to('a', 302, '/'), { redirect: 'error' }), TypeError)
  assert.equal(requests.length, 2)
})

test('twenty redirects are followed, and no more', async (t) => {
  const counted = await services(t, [HERE], (request, response) => {
    const count = Number(request.url.slice(1))
    if (count === 0) return response.end('end')
    response.writeHead(302, { location: `/${count - 1}` }).end()
  })
  const { egress } = await guarded(t, { allow: [`http://a.internal:${counted.port}`], addresses: [`${HERE}/32`] }, { resolver: () => [HERE] })
  assert.equal(await (await egress.fetch(`http://a.internal:${counted.port}/20`)).text(), 'end')
  await assert.rejects(egress.fetch(`http://a.internal:${counted.port}/21`), refusal('redirect_limit'))
})

test('URL and Request objects', async (t) => {
  const { egress, at, port } = await story(t)
  for (const make of [Request, UndiciRequest]) {
    const request = new make(at('a'), { method: 'POST', body: 'x', headers: { authorization: 'Basic x' } })
    assert.equal(await (await egress.fetch(request)).text(), `POST a.internal:${port} x`)
  }
  assert.equal((await egress.fetch(new URL(at('a')))).status, 200)
  await assert.rejects(egress.fetch(7), { code: 'HOSTBOUND_OPTION' })
})

test('a signal aborts', async (t) => {
  const { egress, at } = await story(t)
  await assert.rejects(egress.fetch(at('a'), { signal: AbortSignal.abort() }), { name: 'AbortError' })
})
