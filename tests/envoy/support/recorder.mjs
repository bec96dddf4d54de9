// A server behind Envoy that keeps every request that reaches it, with what follows: trailers, and the bytes of a tunnel.

import { once } from 'node:events'
import { createServer } from 'node:net'

const SERVED = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nserved\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'

/**
 * `requests` are `{line, headers, body, trailers, tunnel}`, with lists of `[name, value]`. It answers what `answer(request)` gives, a whole answer;
 * without one an upgrade is switched, or not if `switches` is false, and all else is served.
 */
export async function recorder(path) {
  const self = { requests: [], answer: () => undefined, switches: true }
  const sockets = new Set()
  const server = createServer((socket) => {
    sockets.add(socket)
    let rest = Buffer.alloc(0)
    let tunnel
    socket.on('data', (chunk) => {
      if (tunnel !== undefined) return void (tunnel.tunnel += chunk.toString('latin1'))
      rest = Buffer.concat([rest, chunk])
      for (let found; (found = read(rest)) !== undefined; ) {
        rest = found.rest
        const { request } = found
        self.requests.push(request)
        const isSwitched = self.switches && valueOf(request.headers, 'upgrade') !== undefined
        if (isSwitched) tunnel = Object.assign(request, { tunnel: rest.toString('latin1') })
        socket.write(self.answer(request) ?? (isSwitched ? SWITCHED : SERVED), 'latin1')
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(path)
  await once(server, 'listening')
  self.close = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return self
}

/** The value of the first field of that name. */
export function valueOf(headers, wanted) {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
}

function read(bytes) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = lines.map(field)
  const after = bytes.subarray(end + 4)
  const request = { line, headers, body: '', trailers: [] }
  if (valueOf(headers, 'transfer-encoding') === 'chunked') return readChunks(after, request)
  const length = Number(valueOf(headers, 'content-length') ?? 0)
  if (valueOf(headers, 'upgrade') !== undefined) return { request, rest: after }
  if (after.length < length) return undefined
  request.body = after.subarray(0, length).toString('latin1')
  return { request, rest: after.subarray(length) }
}

function readChunks(bytes, request) {
  for (let start = 0; ; ) {
    const line = bytes.indexOf('\r\n', start)
    if (line < 0) return undefined
    const length = parseInt(bytes.subarray(start, line).toString('latin1'), 16)
    if (length === 0) return readTrailers(bytes, line + 2, request)
    const next = line + 2 + length + 2
    if (next > bytes.length) return undefined
    request.body += bytes.subarray(line + 2, next - 2).toString('latin1')
    start = next
  }
}

function readTrailers(bytes, start, request) {
  for (let at = start; ; ) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    if (end === at) return { request, rest: bytes.subarray(end + 2) }
    request.trailers.push(field(bytes.subarray(at, end).toString('latin1')))
    at = end + 2
  }
}

function field(line) {
  return [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()]
}
