import type { EventEmitter } from 'node:events'
import { IncomingMessage, Server as HttpServer, type ServerResponse } from 'node:http'
import type {
  Http2SecureServer,
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'

import { HostboundError } from '../errors.js'
import type { NodeGuard } from './guard.js'

/** A server of `node:http`, `node:https` or `node:http2`. */
export type ProtectableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** By server, the guard that stands before it. */
const guards = new WeakMap<object, NodeGuard>()

/**
 * Puts a guard before a server, in the one place that every request passes whoever listens: the server's `emit`.
 *
 * @throws {@link HostboundError} `HOSTBOUND_OPTION` if it is no server, or has another guard.
 */
export function protect<Server extends ProtectableServer>(server: Server, guard: NodeGuard): Server {
  const earlier = guards.get(server)
  if (earlier === guard) return server
  if (earlier !== undefined) throw new HostboundError('HOSTBOUND_OPTION', 'the server has another guard already')
  if (!isServer(server)) {
    const message = '`protect` takes a server of node:http, node:https or node:http2; an app goes in one: `protect(createServer(app))`'
    throw new HostboundError('HOSTBOUND_OPTION', message)
  }
  guards.set(server, guard)

  const emit = server.emit
  server.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
    let answer = true
    whenAdmitted(guard, event, args, (asEvent) => {
      answer = Reflect.apply(emit, this, [asEvent ?? event, ...args]) as boolean
    })
    return answer
  }
  listen(server)
  return server
}

/** Emits, at once or later, what was allowed. */
function whenAdmitted(guard: NodeGuard, event: string | symbol, args: unknown[], emit: (asEvent?: string) => void): void {
  switch (event) {
    case 'request':
    case 'checkExpectation':
      guard.whenAdmitted(args[0] as Request, args[1] as Response, undefined, () => emit())
      return
    case 'checkContinue': {
      // Whoever had to ask for the body before the verdict has told the client to go on: for the application it is a request.
      let isAsked = guard.hasAsked(args[0] as Request)
      const ask = (): void => {
        isAsked = true
        ;(args[1] as Response).writeContinue()
      }
      guard.whenAdmitted(args[0] as Request, args[1] as Response, ask, () => emit(isAsked ? 'request' : undefined))
      return
    }
    case 'upgrade':
      guard.whenUpgraded(args[0] as IncomingMessage, args[1] as Duplex, () => emit())
      return
    case 'connect':
      // HTTP/1 hands over a socket, HTTP/2 a response.
      if (args[0] instanceof IncomingMessage) guard.whenUpgraded(args[0], args[1] as Duplex, () => emit())
      else guard.whenAdmitted(args[0] as Request, args[1] as Response, undefined, () => emit())
      return
    case 'stream':
      guard.whenStreamAdmitted(args[0] as ServerHttp2Stream, args[1] as IncomingHttpHeaders, args[3] as string[], () => emit())
      return
    default:
      emit()
  }
}

/**
 * Listens where Node, without a listener, acts on its own before the verdict: it would send `100 Continue` or 417, and close a
 * connection that asks for CONNECT without an answer.
 */
function listen(server: EventEmitter): void {
  const onContinue = (request: Request, response: Response): void => {
    if (server.listenerCount('checkContinue') > 1) return
    response.writeContinue()
    server.emit('request', request, response)
  }
  server.on('checkContinue', onContinue)
  const onExpectation = (_request: Request, response: Response): void => {
    if (server.listenerCount('checkExpectation') > 1) return
    // What Node answers by itself when nobody listens (RFC 9110 §10.1.1).
    response.statusCode = 417
    response.end()
  }
  server.on('checkExpectation', onExpectation)
  // Of HTTP/2 a listener would have to answer. The engine denies every CONNECT of HTTP/1: it never comes to this one.
  if (!isHttp2(server)) server.on('connect', () => {})
}

/** An Express app and many other objects emit events too; guarding those would guard nothing. */
function isServer(server: unknown): boolean {
  if (server instanceof HttpServer || server instanceof HttpsServer) return true
  return server instanceof NetServer && isHttp2(server)
}

function isHttp2(server: EventEmitter): boolean {
  return 'updateSettings' in server
}
