// A worker of `cargo xtask bench`: each line `go` on standard input sends GET requests over loopback, one after the other, each
// row on a connection of its own that stays open; the answer is one line of JSON, nanoseconds a request by name.
//
// The server is a process of its own. Within a batch the rows take turns, and each row follows each other row as often: what
// disturbs the machine disturbs them alike. A row is the median of its requests.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent as HttpAgent, createServer, get } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const WARM_UP = 1000
const WARM_UP_OF_BATCH = 20
/** Of the batch, for each row: a multiple of 42, after which the order repeats. */
const REQUESTS = 420

if (process.argv[2] === 'server') serve()
else await work()

/** Answers each request with the number of its connection. */
function serve() {
  let connections = 0
  const server = createServer((request, response) => response.end(request.socket.answer))
  server.on('connection', (socket) => {
    connections += 1
    socket.answer = `connection ${connections}`
  })
  // A connection is kept from batch to batch.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.on('disconnect', () => process.exit())
}

async function work() {
  const server = fork(fileURLToPath(import.meta.url), ['server'])
  const [port] = await once(server, 'message')
  const rows = Object.entries(await rowsTo(port))
  for (const row of rows) await kept(row, WARM_UP)

  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === 'go') console.log(JSON.stringify(await batch(rows)))
  }
  server.disconnect()
  process.exit()
}

/** By name, what sends one request and gives the body of the answer. */
async function rowsTo(port) {
  const { Agent, request } = await import('undici')
  const { RequestFilteringHttpAgent } = await import('request-filtering-agent')
  const { default: ssrfReqFilter } = await import('ssrf-req-filter')
  const { hostboundEgress } = await import('../dist/egress.js')

  const url = `http://127.0.0.1:${port}`
  const target = `${url}/orders/42?expand=lines`
  const byUndici = (dispatcher, to = () => target) => async () => {
    const { body } = await request(to(), { dispatcher })
    return body.text()
  }
  // The answers that the dispatcher keeps are of no use to a path that was never asked for.
  let order = 0
  const newPath = () => `${url}/orders/${(order += 1)}?expand=lines`
  const byNode = (agent, to = target) => () => bodyOf(get(to, { agent }))

  const one = { keepAlive: true, maxSockets: 1 }
  const policy = { version: 1, hosts: { allow: ['localhost'] }, egress: { allow: [url], addresses: ['127.0.0.0/8'] } }
  const egress = await hostboundEgress({ policy, log: false })

  // It cannot allow loopback. So it is asked for a name, which it allows until the look-up says otherwise, and below its check
  // the agent connects to the literal, for which there is no look-up. On a connection that is open it does what it always does.
  const loopback = new HttpAgent(one)
  loopback.createConnection = (options, done) => connect({ ...options, host: '127.0.0.1' }, done)
  const filtered = ssrfReqFilter.requestFilterHandler(loopback)

  return {
    'outbound/undici': byUndici(new Agent({ connections: 1 })),
    'outbound/hostbound': byUndici(egress.dispatcher({ connections: 1 })),
    'outbound/undici+new-path': byUndici(new Agent({ connections: 1 }), newPath),
    'outbound/hostbound+new-path': byUndici(egress.dispatcher({ connections: 1 }), newPath),
    'outbound/node-http': byNode(new HttpAgent(one)),
    'outbound/request-filtering-agent': byNode(new RequestFilteringHttpAgent({ ...one, allowIPAddressList: ['127.0.0.0/8'] })),
    'outbound/ssrf-req-filter': byNode(filtered, target.replace('127.0.0.1', 'localhost')),
  }
}

function bodyOf(request) {
  return new Promise((resolve, reject) => {
    request.on('error', reject).on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => (body += chunk)).on('end', () => resolve(body)).on('error', reject)
    })
  })
}

/** Sends some requests: the answer of all but the first, which may be the one that opens the connection. */
async function kept([name, send], requests) {
  await send()
  const answer = await send()
  if (!answer.startsWith('connection ')) throw new Error(`${name} is answered with ${answer}`)
  for (let count = 2; count < requests; count += 1) requireSame(name, await send(), answer)
  return answer
}

function requireSame(name, answer, expected) {
  if (answer !== expected) throw new Error(`${name} does not keep its connection: ${answer} after ${expected}`)
}

async function batch(rows) {
  const answers = []
  for (const row of rows) answers.push(await kept(row, WARM_UP_OF_BATCH))
  const times = rows.map(() => [])
  for (let round = 0; round < REQUESTS; round += 1) {
    // The number of rows is a prime: every step visits all of them.
    const step = 1 + (round % (rows.length - 1))
    for (let turn = 0; turn < rows.length; turn += 1) {
      const index = (round + turn * step) % rows.length
      const [name, send] = rows[index]
      const start = process.hrtime.bigint()
      const answer = await send()
      times[index].push(Number(process.hrtime.bigint() - start))
      requireSame(name, answer, answers[index])
    }
  }
  return Object.fromEntries(rows.map(([name], index) => [name, median(times[index])]))
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1]
}
