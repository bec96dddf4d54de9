// The guard inside Express and Connect, before `ws`, and before HTTP/2.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, constants, createServer as createHttp2Server } from 'node:http2'
import test from 'node:test'

import connect from 'connect'
import express from 'express'
import { WebSocket, WebSocketServer } from 'ws'

import { hostbound } from 'hostbound/node'

import { denial, http, listening, statuses, stop, talk } from './support/raw.mjs'

const POLICY = { version: 1, hosts: { allow: ['localhost'] }, routes: [{ path: '/a/**', name: 'a', require: [] }] }
const GOOD = 'Host: localhost'
const EVIL = 'Host: evil.test'

const guardOf = (rest = {}) => hostbound({ policy: POLICY, log: false, ...rest })

async function started(t, server) {
  await listening(server)
  t.after(() => stop(server))
  return server
}

for (const [name, make] of [['Express', express], ['Connect', connect]]) {
  test(`middleware of ${name}`, async (t) => {
    const guard = await guardOf()
    const reached = []
    const app = make()
    app.use(guard.middleware)
    const inner = make()
    inner.use(guard.middleware)
    inner.use((request, response) => {
      reached.push([request.originalUrl, request.url, request.hostbound.route])
      response.end('served')
    })
    app.use('/a', inner)
    const server = await started(t, createServer(app))

    assert.deepEqual(statuses(await talk(server, http('GET /a/b?c HTTP/1.1', GOOD, 'Connection: close'))), [200])
    assert.deepEqual(reached, [['/a/b?c', '/b?c', 'a']])
    for (const [text, wanted] of [
      [http('GET /a/b HTTP/1.1', EVIL), '421 host_not_allowed'],
      [http('GET /a/b HTTP/1.1', GOOD, EVIL), '400 host_duplicate'],
      [http('GET /b HTTP/1.1', GOOD), '403 route_not_allowed'],
      [http('POST /a/b HTTP/1.1', EVIL, 'Content-Length: 100000'), '421 host_not_allowed'],
    ]) {
      assert.equal(denial(await talk(server, text)), wanted)
    }
    assert.equal(denial(await talk(server, http('HEAD /a HTTP/1.1', EVIL)), { head: true }), '421')
    assert.equal(reached.length, 1)
  })

  test(`a mounted application of ${name} judges the URL that the client sent`, async (t) => {
    const guard = await guardOf()
    const app = make()
    const inner = make()
    inner.use(guard.middleware)
    inner.use((_, response) => response.end('served'))
    app.use('/a', inner)
    app.use('/b', inner)
    const server = await started(t, createServer(app))
    assert.deepEqual(statuses(await talk(server, http('GET /a/x HTTP/1.1', GOOD, 'Connection: close'))), [200])
    assert.equal(denial(await talk(server, http('GET /b/a/x HTTP/1.1', GOOD))), '403 route_not_allowed')
  })

  test(`before a server of ${name}`, async (t) => {
    const guard = await guardOf()
    let count = 0
    const app = make()
    app.use((request, response) => {
      count += 1
      response.end(request.hostbound.host)
    })
    const server = await started(t, guard.protect(createServer(app)))
    assert.deepEqual(statuses(await talk(server, http('GET /a HTTP/1.1', GOOD, 'Connection: close'))), [200])
    assert.equal(denial(await talk(server, http('GET /a HTTP/1.1', EVIL))), '421 host_not_allowed')
    assert.equal(count, 1)
  })
}

/** What became of a WebSocket: `open`, or the status of the answer. */
async function outcome(server, { host, origin }) {
  const { port } = server.address()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/a`, { headers: { host }, origin })
  try {
    return await new Promise((resolve, reject) => {
      socket.on('message', (message) => resolve(String(message)))
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
      socket.on('error', reject)
    })
  } finally {
    socket.on('error', () => {})
    socket.terminate()
  }
}

/** Guards a WebSocket server in one way or another. */
const WEB_SOCKETS = {
  'before the server': (guard, onConnection) => {
    const server = guard.protect(createServer())
    new WebSocketServer({ server }).on('connection', onConnection)
    return server
  },
  'in the listener': (guard, onConnection) => {
    const server = createServer()
    const webSockets = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      if (guard.upgrade(request, socket, head)) webSockets.handleUpgrade(request, socket, head, onConnection)
    })
    return server
  },
}

for (const [name, make] of Object.entries(WEB_SOCKETS)) {
  test(`WebSockets of ws, guarded ${name}`, async (t) => {
    let count = 0
    const server = await started(
      t,
      make(await guardOf(), (socket) => {
        count += 1
        socket.send('hello')
      }),
    )
    assert.equal(await outcome(server, { host: 'localhost', origin: 'http://localhost' }), 'hello')
    assert.equal(await outcome(server, { host: 'localhost', origin: undefined }), 'hello')
    assert.equal(count, 2)
    assert.equal(await outcome(server, { host: 'localhost', origin: 'https://evil.test' }), 403)
    assert.equal(await outcome(server, { host: 'evil.test', origin: 'http://evil.test' }), 421)
    assert.equal(count, 2)
  })
}

/** A session of HTTP/2 in plain text, with a guard before the server. */
async function http2Session(t, listen, rest = {}) {
  const guard = await guardOf(rest)
  const server = createHttp2Server()
  listen(server)
  guard.protect(server)
  await listening(server)
  const session = connectHttp2(`http://127.0.0.1:${server.address().port}`)
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  t.after(() => {
    session.destroy()
    server.close()
  })
  return session
}

/** Sends a request of HTTP/2 and gives the status and the body; `reset` if there was none. */
async function ask(session, headers, body = undefined) {
  const stream = session.request({ ':path': '/a', ...headers }, { endStream: body === undefined && headers[':method'] !== 'POST' })
  stream.setEncoding('utf8')
  let status = 'reset'
  let text = ''
  stream.on('response', (fields) => (status = fields[':status']))
  stream.on('data', (chunk) => (text += chunk))
  stream.on('error', () => {})
  if (body !== undefined) stream.end(body)
  await once(stream, 'close')
  return [status, text]
}

test('HTTP/2, by the events of HTTP/1', async (t) => {
  const reached = []
  const session = await http2Session(t, (server) => {
    server.on('request', (request, response) => {
      reached.push([request.hostbound.host, request.hostbound.route])
      response.end('served')
    })
  })
  assert.deepEqual(await ask(session, { ':authority': 'localhost' }), [200, 'served'])
  assert.deepEqual(await ask(session, { ':authority': 'localhost', host: 'localhost' }), [200, 'served'])
  assert.deepEqual(reached, [['localhost', 'a'], ['localhost', 'a']])
  for (const [headers, wanted] of [
    [{ ':authority': 'evil.test' }, [421, 'host_not_allowed\n']],
    [{ ':authority': 'localhost', host: 'evil.test' }, [400, 'authority_mismatch\n']],
    [{ ':authority': 'localhost', origin: 'https://evil.test' }, [403, 'origin_not_allowed\n']],
    [{ ':authority': 'localhost', ':path': '/b' }, [403, 'route_not_allowed\n']],
    [{ ':authority': 'evil.test', ':method': 'HEAD' }, [421, '']],
    [{ ':authority': 'evil.test', ':method': 'POST' }, [421, 'host_not_allowed\n']],
    [{ ':authority': 'evil.test', ':method': 'POST', expect: '100-continue' }, [421, 'host_not_allowed\n']],
  ]) {
    assert.deepEqual(await ask(session, headers), wanted)
  }
  assert.deepEqual(await ask(session, { ':authority': 'evil.test', ':method': 'POST' }, 'x'.repeat(100_000)), [421, 'host_not_allowed\n'])
  assert.deepEqual(await ask(session, { ':authority': 'localhost' }), [200, 'served'], 'other streams of the connection go on')
  assert.equal(reached.length, 3)
})

test('HTTP/2, by streams', async (t) => {
  const reached = []
  const session = await http2Session(t, (server) => {
    server.on('stream', (stream, headers) => {
      reached.push(headers[':path'])
      stream.respond({ ':status': 200 })
      stream.end('served')
    })
  })
  assert.deepEqual(await ask(session, { ':authority': 'localhost' }), [200, 'served'])
  assert.deepEqual(await ask(session, { ':authority': 'evil.test' }), [421, 'host_not_allowed\n'])
  assert.deepEqual(reached, ['/a'])
})

test('HTTP/2, judged once, told once', async (t) => {
  const told = []
  const session = await http2Session(
    t,
    (server) => server.on('request', (_, response) => response.end('served')),
    { policy: { ...POLICY, mode: 'report' }, onReport: ({ reported: [{ reason }] }) => told.push(reason), onDeny: ({ reason }) => told.push(reason) },
  )
  assert.deepEqual(await ask(session, { ':authority': 'evil.test' }), [200, 'served'])
  assert.deepEqual(await ask(session, { ':authority': 'localhost:99999' }), [400, 'host_malformed\n'])
  assert.deepEqual(told, ['host_not_allowed', 'host_malformed'])
})

test('HTTP/2, CONNECT and WebSockets over it (RFC 8441)', async (t) => {
  const reached = []
  const session = await http2Session(t, (server) => {
    server.on('connect', (request, response) => {
      reached.push(`${request.method} ${request.hostbound.host}`)
      response.end()
    })
    // Node gives no other event before there is this one.
    server.on('request', () => reached.push('request'))
    server.updateSettings({ enableConnectProtocol: true })
  })
  const status = async (headers) => {
    const stream = session.request({ ':method': 'CONNECT', ...headers })
    stream.on('error', () => {})
    const [fields] = await once(stream, 'response')
    stream.destroy()
    return fields[constants.HTTP2_HEADER_STATUS]
  }
  const webSocket = { ':protocol': 'websocket', ':scheme': 'http', ':path': '/a' }
  assert.equal(await status({ ':authority': 'localhost:80' }), 400)
  assert.equal(await status({ ...webSocket, ':protocol': 'connect-udp', ':authority': 'localhost' }), 400)
  assert.equal(await status({ ...webSocket, ':authority': 'evil.test' }), 421)
  assert.equal(await status({ ...webSocket, ':authority': 'localhost', origin: 'https://evil.test' }), 403)
  assert.deepEqual(reached, [])
  assert.equal(await status({ ...webSocket, ':authority': 'localhost' }), 200)
  assert.deepEqual(reached, ['CONNECT localhost'])
})
