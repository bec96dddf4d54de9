// HTTP/2 as bytes. Node's client carries the streams; the header block of each request is written here, since Node refuses most of what a test wants
// to send. No block uses the dynamic table, so those that Node would have written are not missed.

import { connect } from 'node:http2'
import { Duplex } from 'node:stream'

import { connected } from './connection.mjs'
import { bytesOf } from './http1.mjs'

const HEADERS = 1
const CONTINUATION = 9
const END_STREAM = 1
const END_HEADERS = 4
const LONGEST = 16_384
const PREFACE = 24
const TIMEOUT_MS = 10_000
/** What Node is told to send instead: it asks for no body that is not announced. */
const INSTEAD = { ':authority': 'instead', ':scheme': 'http', ':path': '/' }

/** A client with one connection, for as many requests at a time as there are. */
export class Http2 {
  #listener
  #peer
  #opening

  constructor(listener, peer) {
    this.#listener = listener
    this.#peer = peer
  }

  /** The answer to a request: its status, headers and body; undefined if the stream or the connection ends without one. */
  async ask(request) {
    const { session, rewriter } = await this.#opened()
    const body = bytesOf(request.body ?? '', 'utf8')
    const stream = session.request({ ...INSTEAD, ':method': request.method === 'HEAD' ? 'HEAD' : 'POST' }, { endStream: body.length === 0 })
    rewriter.replaceNext(block(request, this.#listener.tls ? 'https' : 'http'))
    if (body.length > 0) stream.end(body)
    return answerOf(stream)
  }

  /** The connection; a new one, if the server has ended the last. */
  async #opened() {
    const last = await this.#opening
    if (last === undefined || last.session.closed || last.session.destroyed) this.#opening = this.#open()
    return this.#opening
  }

  async #open() {
    const socket = await connected(this.#listener, this.#peer, 'h2')
    const rewriter = new Rewriter(socket)
    const session = connect('http://instead', { createConnection: () => rewriter })
    session.on('error', () => {})
    return { session, rewriter }
  }

  async close() {
    if (this.#opening === undefined) return
    const { session } = await this.#opening
    session.destroy()
  }
}

function answerOf(stream) {
  return new Promise((resolve, reject) => {
    let answer
    let body = ''
    stream.setTimeout(TIMEOUT_MS, () => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    stream.on('response', (headers) => (answer = { status: headers[':status'], headers }))
    stream.setEncoding('latin1').on('data', (chunk) => (body += chunk))
    stream.on('error', () => {})
    stream.on('close', () => resolve(answer && { ...answer, body }))
  })
}

/** The header block of a request: pseudo-headers first, every field a literal that is not indexed (RFC 7541 §6.2.2). */
export function block({ method, target, headers }, scheme) {
  const isPseudo = ([name]) => name.startsWith(':')
  // Of CONNECT only the extended form has a scheme and a path (RFC 9113 §8.5, RFC 8441 §4).
  const isPlainConnect = method === 'CONNECT' && !headers.some(([name]) => name === ':protocol')
  const place = isPlainConnect ? [] : [[':scheme', scheme], [':path', target]]
  const fields = [[':method', method], ...place, ...headers.filter(isPseudo), ...headers.filter((field) => !isPseudo(field))]
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(bytesOf(name)), string(bytesOf(value))]))
}

/** A string without Huffman coding (RFC 7541 §5.2). */
function string(bytes) {
  const length = [Math.min(bytes.length, 127)]
  for (let rest = bytes.length - 127; rest >= 0; rest = rest < 128 ? -1 : rest >> 7) length.push(rest < 128 ? rest : (rest & 127) | 128)
  return Buffer.concat([Buffer.from(length), bytes])
}

/** A connection on which the blocks in HEADERS frames are replaced by given ones, in turn. */
class Rewriter extends Duplex {
  #socket
  #blocks = []
  #rest = Buffer.alloc(0)
  #hasPreface = false

  constructor(socket) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('data', (chunk) => this.push(chunk))
    socket.on('end', () => this.push(null))
    socket.on('close', () => this.destroy())
  }

  /** The block of the next HEADERS frame. */
  replaceNext(bytes) {
    this.#blocks.push(bytes)
  }

  _read() {}

  _write(chunk, _, done) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const out = []
    if (!this.#hasPreface && this.#rest.length >= PREFACE) {
      this.#hasPreface = true
      out.push(this.#take(PREFACE))
    }
    while (this.#hasPreface && this.#rest.length >= 9 && this.#rest.length >= 9 + this.#rest.readUIntBE(0, 3)) {
      const frame = this.#take(9 + this.#rest.readUIntBE(0, 3))
      out.push(frame[3] === HEADERS ? framed(this.#blocks.shift(), frame) : frame)
    }
    this.#socket.write(Buffer.concat(out), done)
  }

  _final(done) {
    this.#socket.end(done)
  }

  _destroy(error, done) {
    this.#socket.destroy()
    done(error)
  }

  #take(length) {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }
}

/** A block as a HEADERS frame and as many CONTINUATION frames as it takes; stream and end are those of `frame`. */
function framed(bytes, frame) {
  const parts = []
  for (let start = 0; start === 0 || start < bytes.length; start += LONGEST) parts.push(bytes.subarray(start, start + LONGEST))
  return Buffer.concat(
    parts.flatMap((part, index) => {
      const head = Buffer.from(frame.subarray(0, 9))
      head.writeUIntBE(part.length, 0, 3)
      head[3] = index === 0 ? HEADERS : CONTINUATION
      head[4] = (index === 0 ? frame[4] & END_STREAM : 0) | (index === parts.length - 1 ? END_HEADERS : 0)
      return [head, part]
    }),
  )
}
