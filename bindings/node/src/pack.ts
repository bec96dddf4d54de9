// The packed form of a request: its layout is in src/request/packed.rs.

import { HostboundError } from './errors.js'
import type { Bytes, HttpRequest } from './request.js'

/** Where a request is packed: a piece of the engine's memory. */
export interface Memory {
  /** At least `length` bytes, with what was written before. Call again after anything that may have grown the memory. */
  room(length: number): Uint8Array
}

const FORMAT = 1
const VERSIONS = { '1.0': 10, '1.1': 11, '2': 20, '3': 30 } as const

/** Above this a request is not handed to the engine, which denies everything over 256 KiB: 64 MiB. */
const MAX_PACKED = 64 * 1024 * 1024

/** From this length on one call of the encoder is quicker than a loop over the characters. */
const LONG_TEXT = 192

const encoder = new TextEncoder()

/**
 * Packs a request and returns its length.
 *
 * @throws {@link HostboundError} `HOSTBOUND_REQUEST` if it is no request.
 */
export function pack(request: HttpRequest, memory: Memory): number {
  const { method, target, headers, peer, now } = request
  const peerText = peer ?? ''
  if (typeof peerText !== 'string' || peer === '') throw refusal('`peer` is an address, `unix` or null')
  let need = 28 + lengthOf(peerText, 'peer') + lengthOf(method, 'method') + lengthOf(target, 'target')
  let bytes = room(memory, need)
  bytes[0] = FORMAT
  bytes[1] = schemeCode(request.scheme)
  bytes[2] = versionCode(request.version)
  const isTimed = now !== undefined && now !== null
  bytes[3] = isTimed ? 1 : 0
  putTime(bytes, isTimed ? now : 0)
  let at = putText(bytes, 12, peerText, 'peer')
  at = putText(bytes, at, method, 'method')
  at = putText(bytes, at, target, 'target')

  if (!Array.isArray(headers)) throw refusal('`headers` is a list')
  const isFlat = headers.length > 0 && !Array.isArray(headers[0])
  if (isFlat && headers.length % 2 !== 0) throw refusal('`headers` has a name without a value')
  const count = isFlat ? headers.length / 2 : headers.length
  putLength(bytes, at, count)
  at += 4
  for (let index = 0; index < count; index += 1) {
    let name: Bytes, value: Bytes
    if (isFlat) {
      name = headers[2 * index]
      value = headers[2 * index + 1]
    } else {
      const pair: unknown = headers[index]
      if (!Array.isArray(pair) || pair.length !== 2) throw refusal(`\`headers[${index}]\` is not a name and a value`)
      name = pair[0]
      value = pair[1]
    }
    const nameLength = lengthOf(name, 'headers')
    const valueLength = lengthOf(value, 'headers')
    need = at + 8 + nameLength + valueLength
    if (need > bytes.length) bytes = room(memory, need)
    putLength(bytes, at, nameLength)
    putLength(bytes, at + 4, valueLength)
    at = putBytes(bytes, at + 8, name, 'headers')
    at = putBytes(bytes, at, value, 'headers')
  }
  return at
}

function room(memory: Memory, length: number): Uint8Array {
  if (length > MAX_PACKED) throw refusal('the request is longer than 64 MiB')
  return memory.room(length)
}

function lengthOf(value: Bytes, what: string): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length
  throw refusal(`\`${what}\` is neither a string nor a Uint8Array`)
}

function schemeCode(scheme: HttpRequest['scheme']): number {
  if (scheme === undefined || scheme === 'http') return 0
  if (scheme === 'https') return 1
  throw refusal('`scheme` is `http` or `https`')
}

function versionCode(version: HttpRequest['version'] = '1.1'): number {
  if (Object.hasOwn(VERSIONS, version)) return VERSIONS[version]
  throw refusal('`version` is `1.0`, `1.1`, `2` or `3`')
}

function putTime(bytes: Uint8Array, seconds: number): void {
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw refusal('`now` is in whole Unix seconds')
  putLength(bytes, 4, seconds % 0x1_0000_0000)
  putLength(bytes, 8, Math.floor(seconds / 0x1_0000_0000))
}

function putText(bytes: Uint8Array, at: number, text: Bytes, what: string): number {
  putLength(bytes, at, text.length)
  return putBytes(bytes, at + 4, text, what)
}

function putLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length >>> 16
  bytes[at + 3] = length >>> 24
}

function putBytes(bytes: Uint8Array, at: number, value: Bytes, what: string): number {
  const { length } = value
  if (typeof value !== 'string') {
    bytes.set(value, at)
    return at + length
  }
  // UTF-8 has as many bytes as there are characters only if all of them are ASCII.
  if (length >= LONG_TEXT && encoder.encodeInto(value, bytes.subarray(at, at + length)).read === length) {
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
