// A client of HTTP/2 that sends frames as they are (RFC 9113 §6), any number of them in one packet.

import { once } from 'node:events'
import { connect } from 'node:net'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const TYPES = { data: 0, headers: 1, reset: 3, settings: 4, goaway: 7 }

/** One frame. */
function frame(type, flags, id, payload) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = TYPES[type]
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** HEADERS: all of them literals that are not indexed (RFC 7541 §6.2.2), of less than 127 bytes. */
export function headers(id, fields, { end = false } = {}) {
  const literal = ([name, value]) => Buffer.from(`\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`, 'latin1')
  return frame('headers', end ? 5 : 4, id, Buffer.concat(fields.map(literal)))
}

/** DATA. */
export function data(id, text, { end = false } = {}) {
  return frame('data', end ? 1 : 0, id, Buffer.from(text))
}

/** RST_STREAM. */
export function reset(id, code) {
  return frame('reset', 0, id, Buffer.from([0, 0, 0, code]))
}

/** GOAWAY. */
export function goaway(code) {
  return frame('goaway', 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, code]))
}

/** A connection whose settings have been exchanged. */
export async function frames(server) {
  const socket = connect(server.address().port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame('settings', 0, 0, Buffer.alloc(0))]))
  await once(socket, 'data')
  return socket
}
