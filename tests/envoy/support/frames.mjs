// HTTP/2 as frames: whatever may be in a frame, in whatever order, is sent. Of what comes back only the status of an answer and its end are read.

import { connected } from './connection.mjs'

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const CONTINUATION = 9
export const END_STREAM = 1
export const END_HEADERS = 4

const PING = 6
const GOAWAY = 7
const ACK = 1
const LONGEST = 16_384
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** Names that an answer is compressed with are kept nowhere. */
const NO_TABLE = Buffer.from([0, 1, 0, 0, 0, 0])
/** Statuses that have an index of their own, from 8 on (RFC 7541, appendix A). */
const INDEXED = [200, 204, 206, 304, 400, 404, 500]
const STATUS_INDEX = 8

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Fields as they are, in their order, as one HEADERS frame and as many CONTINUATION frames as it takes. */
export function headers(stream, fields, { isLast = true } = {}) {
  const block = Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), string(name), string(value)])))
  const parts = []
  for (let start = 0; start === 0 || start < block.length; start += LONGEST) parts.push(block.subarray(start, start + LONGEST))
  const flagsOf = (index) => (index === 0 && isLast ? END_STREAM : 0) | (index === parts.length - 1 ? END_HEADERS : 0)
  return Buffer.concat(parts.map((part, index) => frame(index === 0 ? HEADERS : CONTINUATION, flagsOf(index), stream, part)))
}

export function data(stream, text, { isLast = true } = {}) {
  return frame(DATA, isLast ? END_STREAM : 0, stream, Buffer.from(text, 'latin1'))
}

/** The client goes away: error code CANCEL. */
export function reset(stream) {
  return frame(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]))
}

/** The pseudo-headers of a request. */
export function pseudo(method, path, authority = 'localhost', scheme = 'http') {
  return [[':method', method], [':scheme', scheme], [':authority', authority], [':path', path]]
}

/** Text without Huffman coding (RFC 7541 §5.2). */
function string(text) {
  const bytes = Buffer.from(text, 'latin1')
  const length = [Math.min(bytes.length, 127)]
  for (let rest = bytes.length - 127; rest >= 0; rest = rest < 128 ? -1 : rest >> 7) length.push(rest < 128 ? rest : (rest & 127) | 128)
  return Buffer.concat([Buffer.from(length), bytes])
}

/** A connection. `answers` are by stream: `{status, isOver}`; a stream that was reset has no status or one that came before. */
export class Frames {
  answers = new Map()
  isClosed = false
  #rest = Buffer.alloc(0)
  #waiting = new Set()

  static async open(listener, peer) {
    const frames = new Frames()
    frames.socket = await connected(listener, peer, 'h2')
    frames.socket.on('data', (chunk) => frames.#read(chunk)).on('close', () => frames.#close())
    frames.write(Buffer.from(PREFACE), frame(SETTINGS, 0, 0, NO_TABLE))
    return frames
  }

  write(...parts) {
    if (!this.isClosed) this.socket.write(Buffer.concat(parts))
  }

  /** The answers to streams, when each is over or the connection is. */
  over(...streams) {
    return this.#until(() => streams.every((stream) => this.answers.get(stream)?.isOver)).then(() => streams.map((stream) => this.answers.get(stream)?.status))
  }

  close() {
    this.socket.destroy()
  }

  #until(isTrue) {
    return new Promise((resolve) => {
      const look = () => {
        if (!isTrue() && !this.isClosed) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #read(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 9 && this.#rest.length >= 9 + this.#rest.readUIntBE(0, 3)) {
      const end = 9 + this.#rest.readUIntBE(0, 3)
      this.#take(this.#rest[3], this.#rest[4], this.#rest.readUInt32BE(5), this.#rest.subarray(9, end))
      this.#rest = this.#rest.subarray(end)
    }
    for (const look of [...this.#waiting]) look()
  }

  #take(type, flags, stream, payload) {
    if (type === SETTINGS && !(flags & ACK)) this.write(frame(SETTINGS, ACK, 0))
    if (type === PING && !(flags & ACK)) this.write(frame(PING, ACK, 0, payload))
    if (type === GOAWAY) this.isLeaving = true
    if (stream === 0) return
    const answer = this.answers.get(stream) ?? { status: undefined, isOver: false }
    this.answers.set(stream, answer)
    if (type === HEADERS) answer.status ??= finalStatus(payload)
    if (type === RST_STREAM || (flags & END_STREAM && (type === HEADERS || type === DATA))) answer.isOver = true
    if (type === DATA && payload.length > 0) this.write(window(0, payload.length), window(stream, payload.length))
  }

  #close() {
    this.isClosed = true
    for (const look of [...this.#waiting]) look()
  }
}

function window(stream, size) {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(size)
  return frame(8, 0, stream, payload)
}

/** The status at the start of a header block; none of an answer that is followed by another. */
function finalStatus(block) {
  // A change of the table's size may come first.
  const start = block[0] >> 5 === 1 ? 1 : 0
  const status = statusOf(block.subarray(start))
  return status < 200 ? undefined : status
}

function statusOf(block) {
  if (block[0] & 0x80) return INDEXED[(block[0] & 0x7f) - STATUS_INDEX]
  const length = block[1] & 0x7f
  const text = block.subarray(2, 2 + length)
  return Number(block[1] & 0x80 ? huffmanDigits(text) : text.toString('latin1'))
}

/** Three digits in Huffman coding: 0 to 2 have five bits, the others six, from 25 on (RFC 7541, appendix B). */
function huffmanDigits(bytes) {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  while (digits.length < 3) {
    const five = parseInt(bits.slice(0, 5), 2)
    const isShort = five < 3
    digits += isShort ? five : parseInt(bits.slice(0, 6), 2) - 22
    bits = bits.slice(isShort ? 5 : 6)
  }
  return digits
}
