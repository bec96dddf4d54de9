// The packed form of a request: its layout is in src/request/packed.rs.

import { HostboundError } from './errors.js'
import type { Bytes, HttpRequest } from './request.js'

/** Where a request is packed: a piece of the engine's memory. */
export interface Memory {
  /** At least `length` bytes, with what was written before. Call again after anything that may have grown the memory. */
  room(length: number): Uint8Array
}

const FORMAT = 1

/** Format, scheme, version, whether a time is given, time. */
const HEAD_LENGTH = 12

/** Above this a request is not handed to the engine, which denies everything over 256 KiB: 64 MiB. */
const MAX_PACKED = 64 * 1024 * 1024

/** From this length on it is quicker to encode all at once. */
const LONG = 256

// Room for lengths in a text of which all else is ASCII.
const ONE = '\0'.repeat(4)
const TWO = '\0'.repeat(8)
const HEAD = '\0'.repeat(HEAD_LENGTH + 4)

const encoder = new TextEncoder()

/**
 * Packs a request and returns its length.
 *
 * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request.
 */
export function pack(request: HttpRequest, memory: Memory): number {
  const { method, target } = request
  const peer = peerOf(request)
  const fields = fieldsOf(request)
  const length = packedLength(peer, method, target, fields)
  const bytes = memory.room(length)
  if (length < LONG || !putAscii(bytes, length, peer, method, target, fields)) putAll(bytes, peer, method, target, fields)
  bytes[0] = FORMAT
  bytes[1] = schemeOf(request)
  bytes[2] = versionOf(request)
  putTime(bytes, request)
  return length
}

function packedLength(peer: string, method: Bytes, target: Bytes, fields: readonly Bytes[]): number {
  let length = HEAD_LENGTH + 16 + peer.length + lengthOf(method, 'method') + lengthOf(target, 'target')
  for (let index = 0; index < fields.length; index += 1) length += 4 + lengthOf(fields[index], 'headers')
  if (length <= MAX_PACKED) return length
  throw refusal('the request is longer than 64 MiB')
}

/**
 * The quick way, for a request that is strings of ASCII: they are joined and encoded at once, with room for the lengths, which
 * are then filled in. A loop over the characters takes twice as long. False if the request is another.
 */
function putAscii(
  bytes: Uint8Array,
  length: number,
  peer: string,
  method: Bytes,
  target: Bytes,
  fields: readonly Bytes[],
): boolean {
  if (typeof method !== 'string' || typeof target !== 'string') return false
  let text = HEAD + peer + ONE + method + ONE + target + ONE
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]
    const value = fields[index + 1]
    if (typeof name !== 'string' || typeof value !== 'string') return false
    text += TWO + name + value
  }
  // UTF-8 has as many bytes as there are characters only if all of them are ASCII.
  const { read, written } = encoder.encodeInto(text, bytes)
  if (read !== length || written !== length) return false

  let at = putLength(bytes, HEAD_LENGTH, peer.length) + peer.length
  at = putLength(bytes, at, method.length) + method.length
  at = putLength(bytes, at, target.length) + target.length
  at = putLength(bytes, at, fields.length / 2)
  for (let index = 0; index < fields.length; index += 2) {
    const nameLength = (fields[index] as Bytes).length
    const valueLength = (fields[index + 1] as Bytes).length
    putLength(bytes, at, nameLength)
    at = putLength(bytes, at + 4, valueLength) + nameLength + valueLength
  }
  return true
}

/** Every other request: short ones, bytes, and strings of latin-1. */
function putAll(bytes: Uint8Array, peer: string, method: Bytes, target: Bytes, fields: readonly Bytes[]): void {
  let at = putBytes(bytes, putLength(bytes, HEAD_LENGTH, peer.length), peer, 'peer')
  at = putBytes(bytes, putLength(bytes, at, method.length), method, 'method')
  at = putBytes(bytes, putLength(bytes, at, target.length), target, 'target')
  at = putLength(bytes, at, fields.length / 2)
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as Bytes
    const value = fields[index + 1] as Bytes
    at = putLength(bytes, putLength(bytes, at, name.length), value.length)
    at = putBytes(bytes, putBytes(bytes, at, name, 'headers'), value, 'headers')
  }
}

function peerOf({ peer }: HttpRequest): string {
  if (peer === undefined || peer === null) return ''
  if (typeof peer === 'string' && peer !== '') return peer
  throw refusal('`peer` is an address, `unix` or null')
}

/** The header fields as one flat list of names and values. */
function fieldsOf({ headers }: HttpRequest): readonly Bytes[] {
  if (!Array.isArray(headers)) throw refusal('`headers` is a list')
  if (!Array.isArray(headers[0])) {
    if (headers.length % 2 === 0) return headers
    throw refusal('`headers` has a name without a value')
  }
  const fields: Bytes[] = []
  for (let index = 0; index < headers.length; index += 1) {
    const pair: unknown = headers[index]
    if (!Array.isArray(pair) || pair.length !== 2) throw refusal(`\`headers[${index}]\` is not a name and a value`)
    fields.push(pair[0], pair[1])
  }
  return fields
}

function schemeOf({ scheme }: HttpRequest): number {
  if (scheme === undefined || scheme === 'http') return 0
  if (scheme === 'https') return 1
  throw refusal('`scheme` is `http` or `https`')
}

function versionOf({ version }: HttpRequest): number {
  switch (version) {
    case undefined:
    case '1.1':
      return 11
    case '1.0':
      return 10
    case '2':
      return 20
    case '3':
      return 30
    default:
      throw refusal('`version` is `1.0`, `1.1`, `2` or `3`')
  }
}

function lengthOf(value: unknown, what: string): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length
  throw refusal(`\`${what}\` is neither a string nor a Uint8Array`)
}

function putTime(bytes: Uint8Array, { now }: HttpRequest): void {
  const isTimed = now !== undefined && now !== null
  const seconds = isTimed ? now : 0
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw refusal('`now` is in whole Unix seconds')
  bytes[3] = isTimed ? 1 : 0
  putLength(bytes, 4, seconds % 0x1_0000_0000)
  putLength(bytes, 8, Math.floor(seconds / 0x1_0000_0000))
}

/** Writes a length, four bytes with the lowest first, and says where it ends. */
function putLength(bytes: Uint8Array, at: number, length: number): number {
  bytes[at] = length
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length >>> 16
  bytes[at + 3] = length >>> 24
  return at + 4
}

function putBytes(bytes: Uint8Array, at: number, value: Bytes, what: string): number {
  const { length } = value
  if (typeof value !== 'string') {
    bytes.set(value, at)
    return at + length
  }
  let all = 0
  for (let index = 0; index < length; index += 1) {
    const code = value.charCodeAt(index)
    all |= code
    bytes[at + index] = code
  }
  if (all > 0xff) throw refusal(`\`${what}\` has a character above U+00FF: hand over its bytes`)
  return at + length
}

function refusal(message: string): HostboundError {
  return new HostboundError('HOSTBOUND_REQUEST', message)
}
