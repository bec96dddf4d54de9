// A DNS server on loopback (RFC 1035) that answers as a test wants, and remembers what it was asked.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const TYPES = { A: 1, CNAME: 5, AAAA: 28 }
const NAME_ERROR = 3

/**
 * Starts a server. `zone(name, type, count)` gives the records of an answer, each `{ type, data, name? }`; null for a name that
 * does not exist, undefined for no answer at all. `count` is the number of earlier questions for this name and type.
 */
export async function dnsServer(t, zone) {
  const queries = []
  const socket = createSocket('udp4')
  socket.on('message', (message, peer) => {
    const { name, type, end } = question(message)
    const count = queries.filter((query) => query.name === name && query.type === type).length
    queries.push({ name, type })
    const records = zone(name, type, count)
    if (records !== undefined) socket.send(answer(message, end, name, records), peer.port, peer.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t?.after(() => socket.close())
  const { port } = socket.address()
  return { queries, port, server: `127.0.0.1:${port}`, close: () => socket.close() }
}

function question(message) {
  const labels = []
  let at = 12
  while (message[at] !== 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]))
    at += 1 + message[at]
  }
  const number = message.readUInt16BE(at + 1)
  const type = Object.keys(TYPES).find((name) => TYPES[name] === number) ?? String(number)
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 }
}

function answer(message, end, asked, records) {
  const head = Buffer.from(message.subarray(0, end))
  head.writeUInt16BE(0x8580 | (records === null ? NAME_ERROR : 0), 2)
  head.writeUInt16BE(records?.length ?? 0, 6)
  head.writeUInt32BE(0, 8)
  const encoded = (records ?? []).map(({ type, data, name = asked }) => {
    const value = type === 'A' ? Buffer.from(data.split('.').map(Number)) : type === 'AAAA' ? ipv6(data) : encodedName(data)
    const fields = Buffer.alloc(10)
    fields.writeUInt16BE(TYPES[type], 0)
    fields.writeUInt16BE(1, 2)
    fields.writeUInt16BE(value.length, 8)
    return Buffer.concat([encodedName(name), fields, value])
  })
  return Buffer.concat([head, ...encoded])
}

function encodedName(name) {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')), Buffer.of(0)])
}

function ipv6(text) {
  const [head, tail = ''] = text.split('::')
  const groups = (part) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
