// The guard behind middleware that takes its time: the body has come, or its end has, before the guard is asked.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import test from 'node:test'

import { hostbound } from 'hostbound/node'

import { listening, stop } from './support/raw.mjs'
import { nextSecond, own, policyWith, read, signerOf } from './support/signed.mjs'

/** Every length at which it has come in another way: nothing, at once, more than the buffer takes. */
const BODIES = ['', 'x', 'y'.repeat(200_000), 'z'.repeat(900_000)]

/** Middleware that takes its time: long enough for what the buffer takes to have come. */
const later = () => new Promise((resolve) => setTimeout(resolve, 50))

test('HTTP/2: a guard that is asked late serves what was signed', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  const server = await listening(createHttp2Server(async (request, response) => {
    await later()
    guard.middleware(request, response, async () => response.end(`served ${(await read(request)).length}`))
  }))
  await nextSecond()
  const authority = `localhost:${server.address().port}`
  const client = connectHttp2(`http://${authority}`)
  t.after(() => {
    client.destroy()
    return stop(server)
  })
  const ask = async (body, sent = body) => {
    const signed = signer.sign({ method: 'POST', version: '2', target: '/a', headers: [[':authority', authority]], body }).headers
    const stream = client.request({ ':method': 'POST', ':path': '/a', ...Object.fromEntries(signed) })
    stream.end(sent)
    const [{ ':status': status }] = await once(stream, 'response')
    return [status, String(await read(stream))]
  }
  for (const body of BODIES) assert.deepEqual(await ask(body), [200, `served ${body.length}`])
  assert.equal((await ask('', 'x'))[0], 401)
  assert.equal((await ask('x', ''))[0], 401)
  assert.equal((await ask('xy', 'x'))[0], 401)
})

test('HTTP/1: a guard that is asked late leaves the request as if nobody had read it', async (t) => {
  const policy = policyWith()
  const guard = await hostbound({ policy, secrets: own(policy), log: false })
  const signer = await signerOf(policy)
  const server = await listening(createServer(async (request, response) => {
    await later()
    guard.middleware(request, response, async () => {
      const wrapped = new Request('http://localhost/', { method: 'POST', body: request, duplex: 'half' })
      response.end(`served ${(await wrapped.text()).length}`)
    })
  }))
  t.after(() => stop(server))
  await nextSecond()
  const url = `http://localhost:${server.address().port}/a`
  for (const body of BODIES) {
    const response = await signer.fetch(url, { method: 'POST', body })
    assert.deepEqual([response.status, await response.text()], [200, `served ${body.length}`])
  }
})
