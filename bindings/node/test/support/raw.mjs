// A client that sends bytes as they are, and servers that count what reaches them.

import { once } from 'node:events'
import { connect } from 'node:net'

const TIMEOUT_MS = 5000

/** Listens on a free port of 127.0.0.1, or on a path. */
export async function listening(server, path = undefined) {
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  return server
}

/** Stops a server and whatever is connected to it. */
export async function stop(server) {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections?.()
  await closed
}

/**
 * Sends text (latin-1) and gives all that comes back until the server closes the connection. `until` ends it earlier.
 */
export async function talk(server, text, until = undefined) {
  const address = server.address()
  const socket = typeof address === 'string' ? connect(address) : connect(address.port, '127.0.0.1')
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no end after ${TIMEOUT_MS} ms`)))
  let answer = ''
  const done = new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (until?.test(answer)) socket.destroy()
    })
    socket.on('close', () => resolve(answer))
    // A server that does not read a body may reset the connection after its answer.
    socket.on('error', (error) => (['ECONNRESET', 'EPIPE'].includes(error.code) ? resolve(answer) : reject(error)))
  })
  socket.write(text, 'latin1')
  return done
}

/** The text of a request. `lines` are header fields. */
export function http(startLine, ...lines) {
  return `${[startLine, ...lines].join('\r\n')}\r\n\r\n`
}

/** The statuses in what came back, in order. */
export function statuses(answer) {
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
}

/** Holds an answer to what every denial looks like: the status, one line, and the end. */
export function denial(answer, { head = false } = {}) {
  const [fields, body] = answer.split('\r\n\r\n')
  const [statusLine, ...lines] = fields.split('\r\n')
  const names = lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()).filter((name) => name !== 'date')
  const expected = ['content-type', 'content-length', 'connection']
  if (names.join() !== expected.join()) throw new Error(`fields ${names}`)
  if (!lines.includes('connection: close')) throw new Error('the connection is kept')
  const length = Number(lines.find((line) => line.startsWith('content-length: ')).slice(16))
  if (body.length !== (head ? 0 : length)) throw new Error(`a body of ${body.length} bytes, ${length} announced`)
  return `${statusLine.split(' ')[1]} ${body}`.trimEnd()
}
