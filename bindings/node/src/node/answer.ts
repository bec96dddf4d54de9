// How a denied request is answered: the status, one or two lines of text, and the end of the connection.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

/** What the client gets. */
export interface Answer {
  readonly status: number
  readonly text: string
}

function fieldsOf(text: string): { 'content-type': string; 'content-length': number } {
  return { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }
}

/** Answers a message that has a response. What was set on the response is dropped. */
export function answerResponse(
  response: ServerResponse | Http2ServerResponse,
  request: IncomingMessage | Http2ServerRequest,
  { status, text }: Answer,
): void {
  if ('stream' in response) {
    answerStream(response.stream, request.method, { status, text })
    return
  }
  if (response.headersSent) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  // The body was not read: only the end of the connection tells where the next request would start.
  response.writeHead(status, { ...fieldsOf(text), connection: 'close' })
  response.end(request.method === 'HEAD' ? undefined : text)
}

/** Answers a stream of HTTP/2 and ends it. */
export function answerStream(stream: ServerHttp2Stream, method: string | undefined, { status, text }: Answer): void {
  // The peer may end the stream while it is being refused.
  stream.on('error', () => {})
  if (stream.destroyed || stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL)
    return
  }
  stream.respond({ ':status': status, ...fieldsOf(text) }, { endStream: method === 'HEAD' })
  if (method !== 'HEAD') stream.end(text)
  // Whatever is left of the body is not wanted (RFC 9113 §8.1).
  stream.close(constants.NGHTTP2_NO_ERROR)
}

/** Answers on a socket that Node's HTTP server has let go of: after `upgrade` and `connect`. */
export function answerSocket(socket: Duplex, request: IncomingMessage, { status, text }: Answer): void {
  socket.on('error', () => {})
  const fields = { ...fieldsOf(text), connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const body = request.method === 'HEAD' ? '' : text
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Denied'}\r\n${lines.join('')}\r\n${body}`, () => {
    socket.destroy()
  })
}
