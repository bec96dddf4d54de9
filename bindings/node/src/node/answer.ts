// How a denied request is answered: the status, one or two lines of text, and the end of the connection.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

/** What the client gets. */
export interface Answer {
  readonly status: number
  readonly text: string
  /** `WWW-Authenticate` or `Retry-After`. */
  readonly header?: readonly [name: string, value: string] | undefined
}

function fieldsOf({ text, header }: Answer): Record<string, string | number> {
  const fields = { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }
  return header === undefined ? fields : { ...fields, [header[0].toLowerCase()]: header[1] }
}

/** Answers a message that has a response. What was set on the response is dropped. */
export function answerResponse(
  response: ServerResponse | Http2ServerResponse,
  request: IncomingMessage | Http2ServerRequest,
  answer: Answer,
): void {
  const { status, text } = answer
  if ('stream' in response) {
    answerStream(response.stream, request.method, answer)
    return
  }
  if (response.headersSent) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  // The body was not read: only the end of the connection tells where the next request would start.
  response.writeHead(status, { ...fieldsOf(answer), connection: 'close' })
  response.end(request.method === 'HEAD' ? undefined : text)
}

/** Answers a stream of HTTP/2 and ends it. */
export function answerStream(stream: ServerHttp2Stream, method: string | undefined, answer: Answer): void {
  const { status, text } = answer
  // The peer may end the stream while it is being refused.
  stream.on('error', () => {})
  if (stream.destroyed || stream.closed || stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL)
    return
  }
  stream.respond({ ':status': status, ...fieldsOf(answer) }, { endStream: method === 'HEAD' })
  if (method !== 'HEAD') stream.end(text)
  // Whatever is left of the body is not wanted (RFC 9113 §8.1).
  stream.close(constants.NGHTTP2_NO_ERROR)
}

/** Answers on a socket that Node's HTTP server has let go of: after `upgrade` and `connect`. */
export function answerSocket(socket: Duplex, request: IncomingMessage, answer: Answer): void {
  const { status, text } = answer
  socket.on('error', () => {})
  const fields = { ...fieldsOf(answer), connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const body = request.method === 'HEAD' ? '' : text
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Denied'}\r\n${lines.join('')}\r\n${body}`, () => {
    socket.destroy()
  })
}
