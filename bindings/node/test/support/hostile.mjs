// A server of HTTPS on loopback that answers with whatever bytes a test wants, and says what reached it.

import { once } from 'node:events'
import { createServer } from 'node:tls'

/**
 * Listens on one port of each address. `answer(socket, request, count)` is called for each request, `count` being the number of
 * those before it at its address; `request` has its `head` and `body` as text. `seen` has, by address, the number of connections,
 * the requests, and a promise `closed` of the end of the last connection.
 */
export async function hostile(t, { cert, key }, answer, addresses) {
  const seen = {}
  let port = 0
  for (const address of addresses) {
    const record = { connections: 0, requests: [], closed: undefined }
    seen[address] = record
    const sockets = new Set()
    const server = createServer({ cert, key }, (socket) => {
      socket.on('error', () => {})
      record.closed = new Promise((resolve) => socket.on('close', resolve))
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        const request = whole(text)
        if (request === undefined) return
        text = ''
        record.requests.push(request)
        answer(socket, request, record.requests.length - 1)
      })
    })
    server.on('connection', (socket) => {
      record.connections += 1
      sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    })
    server.listen(port, address)
    await once(server, 'listening')
    port = server.address().port
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
  }
  const connections = () => Object.values(seen).map((record) => record.connections)
  return { port, seen, connections }
}

function whole(text) {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [head, body] = [text.slice(0, end), text.slice(end + 4)]
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
  return body.length < length ? undefined : { head, body }
}

/** The bytes of an answer with a body of a known length. */
export function answered(body, { status = '200 OK', type = 'application/json', headers = [] } = {}) {
  const fields = [`content-type: ${type}`, `content-length: ${Buffer.byteLength(body)}`, ...headers]
  return `HTTP/1.1 ${status}\r\n${fields.join('\r\n')}\r\n\r\n${body}`
}
