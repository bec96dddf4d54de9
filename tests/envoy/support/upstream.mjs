// Servers on Unix sockets that read requests as bytes, however strange: one that sends back what arrived, and one that answers as it is told.

import { once } from 'node:events'
import { createServer } from 'node:net'

import { unchunked } from './chunked.mjs'

/** Answers every request with what arrived, as JSON: `{line, headers, body}`. */
export function echo(path) {
  return serving(path, ({ line, headers, body }) => {
    const text = JSON.stringify({ line, headers, body: body.toString('base64') })
    const isHead = line.startsWith('HEAD ')
    return `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${isHead ? '' : text}`
  })
}

/**
 * Answers by `answers`, the texts of whole answers by path, which may be changed; without one the connection is closed. `asked` are the requests.
 */
export async function told(path) {
  const answers = new Map()
  const asked = []
  const server = await serving(path, (request) => {
    asked.push(request)
    return answers.get(pathOf(request))
  })
  return { answers, asked, close: () => server.close() }
}

/**
 * Answers in turns: in each by the answers with which it begins. What is asked between turns waits for one that has an answer: a filter also fetches keys
 * when it is nobody's turn, as its own clock tells it.
 */
export async function toldInTurns(path) {
  let answers
  let waiting = []
  const server = await serving(path, (request) => {
    if (answers !== undefined) return answers.get(pathOf(request))
    return new Promise((answer) => waiting.push({ path: pathOf(request), answer }))
  })
  return {
    begin(theirs) {
      answers = theirs
      const [ready, others] = [true, false].map((isReady) => waiting.filter((request) => theirs.has(request.path) === isReady))
      for (const request of ready) request.answer(theirs.get(request.path))
      waiting = others
    },
    end() {
      answers = undefined
    },
    close: () => server.close(),
  }
}

const pathOf = ({ line }) => line.split(' ')[1]

async function serving(path, answer) {
  const sockets = new Set()
  const server = createServer((socket) => {
    sockets.add(socket)
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      for (let request; (request = read(rest)) !== undefined; ) {
        rest = request.rest
        Promise.resolve(answer(request)).then((text) => (text === undefined ? socket.destroy() : socket.write(text, 'latin1')))
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The first request in some bytes, and what follows it; undefined if it is not all there. */
function read(bytes) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = lines.map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1).trimStart()])
  const valueOf = (wanted) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
  const after = bytes.subarray(end + 4)
  if (valueOf('transfer-encoding') === 'chunked') {
    const found = unchunked(after)
    return found && { line, headers, ...found }
  }
  const length = Number(valueOf('content-length') ?? 0)
  return after.length < length ? undefined : { line, headers, body: after.subarray(0, length), rest: after.subarray(length) }
}
