// Sends the requests of runs through an Envoy, each at its time.

import { chunked } from './chunked.mjs'
import { bytesOf, Http1 } from './http1.mjs'
import { Http2 } from './http2.mjs'
import { schedule } from './plan.mjs'
import { urlsOf } from './stage.mjs'

const CLIENTS = { '1.1': Http1, 2: Http2 }
const AT_A_TIME = 16

/** Every step gets its `answer`, or the `error` of the client. */
export async function play(stage, runs, clock) {
  const connections = new Map()
  for (const { now, parts } of schedule(runs)) {
    clock.set(now)
    const queues = new Map()
    for (const part of parts) {
      const key = keyOf(part[0], part[1][0])
      queues.set(key, [...(queues.get(key) ?? []), part])
    }
    const waiting = [...queues]
    const work = async () => {
      for (let next; (next = waiting.pop()) !== undefined; ) {
        for (const [run, steps] of next[1]) for (const step of steps) await send(stage, run, step, connections)
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
  }
  for (const connection of connections.values()) await connection.close()
}

async function send(stage, run, step, connections) {
  const { request, listener } = step
  const server = stage.serverOf(run)
  server?.begin(answersOf(run.vector.policy, request.answers))
  // What Envoy takes for an attack ends its connection, and nobody else's.
  const isAlone = isStrange(step)
  const key = keyOf(run, step)
  const open = () => new CLIENTS[run.protocol](listener, request.peer)
  const connection = isAlone ? open() : (connections.get(key) ?? open())
  if (!isAlone) connections.set(key, connection)
  try {
    step.answer = await connection.ask(framed(request, run.protocol))
  } catch (error) {
    step.error = error
    connection.close()
  }
  server?.end()
  if (isAlone) await connection.close()
}

/** A body that the head says is in chunks goes out so. */
function framed(request, protocol) {
  const isChunked = protocol === '1.1' && request.headers.some(([name]) => name.toLowerCase() === 'transfer-encoding')
  return isChunked ? { ...request, body: { base64: chunked(bytesOf(request.body ?? '', 'utf8')).toString('base64') } } : request
}

function keyOf(run, { request, listener }) {
  return `${run.protocol} ${listener.path} ${request.peer}`
}

/** Also of what is long: of HTTP/2, Envoy bounds what a connection may hold back. */
function isStrange({ request, judged }) {
  const isAboutConnection = ([name]) => /^(connection|content-length|transfer-encoding|upgrade)$/i.test(name)
  return [400, 413].includes(judged.verdict.status) || request.method === 'CONNECT' || request.headers.some(isAboutConnection) || JSON.stringify(request.headers).length > 16_384
}

/** What a server answers, by path. */
function answersOf(policy, told = {}) {
  const answers = new Map()
  for (const [section, url] of Object.entries(urlsOf(policy))) {
    const { pathname, search } = new URL(url)
    const answer = policy.tokens[section].introspection ? told.introspection : told.keys?.[section]
    const isThere = answer !== undefined && answer !== null
    if (isThere) answers.set(pathname + search, written(typeof answer === 'string' ? { status: 200, type: 'application/json', body: answer } : answer))
  }
  return answers
}

function written({ status, type, body }) {
  const bytes = Buffer.from(body)
  const lines = [`HTTP/1.1 ${status} Told`, `content-length: ${bytes.length}`, ...(type ? [`content-type: ${type}`] : [])]
  return `${lines.join('\r\n')}\r\n\r\n${bytes.toString('latin1')}`
}
