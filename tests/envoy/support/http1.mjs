// HTTP/1 as bytes: requests go out as they are given, whatever they hold.

import { unchunked } from './chunked.mjs'
import { connected } from './connection.mjs'

const TIMEOUT_MS = 10_000

/** The bytes of a request as a vector has it. Its body is announced, unless the request announces one itself. */
export function written({ method, target, version = '1.1', headers, body }) {
  const lines = headers.map(([name, value]) => Buffer.concat([latin1(`${name}: `), bytesOf(value)]))
  const content = bytesOf(body ?? '', 'utf8')
  const isFramed = headers.some(([name]) => ['content-length', 'transfer-encoding'].includes(name.toLowerCase()))
  if (content.length > 0 && !isFramed) lines.push(latin1(`content-length: ${content.length}`))
  const line = latin1(`${method} ${target} HTTP/${version}`)
  return Buffer.concat([...[line, ...lines].flatMap((each) => [each, latin1('\r\n')]), latin1('\r\n'), content])
}

/** Bytes of a value of a vector: text is latin-1 in a head, and UTF-8 in a body. */
export function bytesOf(value, encoding = 'latin1') {
  return typeof value === 'string' ? Buffer.from(value, encoding) : Buffer.from(value.base64, 'base64')
}

const latin1 = (text) => Buffer.from(text, 'latin1')

/** A client that keeps its connection as long as the server does. One request at a time. */
export class Http1 {
  #listener
  #peer
  #socket

  constructor(listener, peer) {
    this.#listener = listener
    this.#peer = peer
  }

  /** The answer to a request: its status, headers and body; undefined if the connection ends without one. */
  async ask(request) {
    this.#socket ??= await connected(this.#listener, this.#peer, 'http/1.1')
    const { answer, isOver } = await exchange(this.#socket, written(request), request.method === 'HEAD')
    if (isOver) this.close()
    return answer
  }

  close() {
    this.#socket?.destroy()
    this.#socket = undefined
  }
}

/** Writes, and reads one answer. `isOver` says that nothing more can be asked on this connection. */
function exchange(socket, bytes, isHead) {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const finish = (end, value) => {
      clearTimeout(timer)
      socket.off('data', more).off('close', over)
      end(value)
    }
    const timer = setTimeout(() => finish(reject, new Error(`no answer within ${TIMEOUT_MS} ms to ${bytes.subarray(0, 300).toString('latin1')}`)), TIMEOUT_MS)
    const more = (chunk) => {
      received = Buffer.concat([received, chunk])
      const answer = read(received, isHead)
      if (answer !== undefined) finish(resolve, { answer, isOver: answer.headers.connection === 'close' || answer.status === 101 })
    }
    const over = () => finish(resolve, { answer: read(received, isHead, true), isOver: true })
    socket.on('data', more).on('close', over)
    socket.write(bytes)
  })
}

/** An answer, if all of it is there. */
function read(bytes, isHead, isEnd = false) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line, ...fields] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
  const status = Number(line.split(' ')[1])
  const rest = bytes.subarray(end + 4)
  const body = isHead || status === 101 ? rest.subarray(0, 0) : bodyOf(rest, headers, isEnd)
  return body && { status, headers, body: body.toString('latin1') }
}

function bodyOf(rest, headers, isEnd) {
  if (headers['transfer-encoding'] === 'chunked') return unchunked(rest)?.body
  if (headers['content-length'] === undefined) return isEnd ? rest : undefined
  const length = Number(headers['content-length'])
  return rest.length < length ? undefined : rest.subarray(0, length)
}
