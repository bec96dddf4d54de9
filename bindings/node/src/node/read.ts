// What Node received, as the engine wants it: raw header fields, the raw target, the transport peer.

import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'

import type { HttpRequest, HttpVersion } from '../request.js'

/** Pseudo-headers that are members of a request, not fields (RFC 9113 §8.3.1). */
const MEMBERS: ReadonlySet<string> = new Set([':method', ':scheme', ':path'])

/** The request behind a message. `originalUrl` is what Connect and Express keep when a mounted application gets a shorter URL. */
export function requestOf(message: (IncomingMessage | Http2ServerRequest) & { originalUrl?: string }): HttpRequest {
  const { method = '', socket, rawHeaders, httpVersion } = message
  return {
    method,
    scheme: schemeOf(socket),
    version: versionOf(httpVersion),
    target: message.originalUrl ?? message.url ?? '',
    headers: message.httpVersionMajor === 2 ? fieldsOf(rawHeaders) : rawHeaders,
    peer: peerOf(socket),
  }
}

/** The request behind a stream of HTTP/2. */
export function requestOfStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): HttpRequest {
  const socket = stream.session?.socket
  return {
    method: String(headers[':method'] ?? ''),
    scheme: schemeOf(socket),
    version: '2',
    target: String(headers[':path'] ?? ''),
    headers: fieldsOf(rawHeaders),
    peer: peerOf(socket),
  }
}

function fieldsOf(rawHeaders: readonly string[]): string[] {
  const fields: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (!MEMBERS.has(name)) fields.push(name, rawHeaders[index + 1] as string)
  }
  return fields
}

function schemeOf(socket: Socket | undefined): 'http' | 'https' {
  return socket !== undefined && 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'
}

/** What Node's parser lets through as a version. HTTP/0.9 has no header fields: it is judged as the version that has no Host. */
function versionOf(version: string): HttpVersion {
  if (version === '1.1' || version === '1.0') return version
  return version === '2.0' ? '2' : '1.0'
}

/** The peer's address without zone; `unix` for a server on a path; null if Node does not know it (any more). */
function peerOf(socket: Socket | undefined): string | null {
  const address = socket?.remoteAddress
  if (address !== undefined) {
    const zone = address.indexOf('%')
    return zone === -1 ? address : address.slice(0, zone)
  }
  return socket !== undefined && isOnPath(socket) ? 'unix' : null
}

/** Whether the server that accepted a socket listens on a path. Remembered: a server that is closing does not tell. */
const serversOnPath = new WeakSet<object>()

function isOnPath(socket: Socket): boolean {
  // Sockets know the server that accepted them, though the types do not say so.
  const server = (socket as Socket & { server?: { address?: () => unknown } }).server
  if (server === undefined || server === null) return false
  if (typeof server.address === 'function' && typeof server.address() === 'string') serversOnPath.add(server)
  return serversOnPath.has(server)
}
