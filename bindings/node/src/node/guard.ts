import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

import type { Guard } from '../guard.js'
import type { Policy } from '../policy.js'
import { isDenied, statusOf } from '../reason.js'
import type { HttpRequest } from '../request.js'
import type { Identity, Verdict } from '../verdict.js'
import { type Answer, answerResponse, answerSocket, answerStream } from './answer.js'
import { identify, shareIdentity } from './identity.js'
import type { Reporter } from './log.js'
import { protect, type ProtectableServer } from './protect.js'
import { requestOf, requestOfStream } from './read.js'

declare module 'node:http' {
  interface IncomingMessage {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
  }
}

declare module 'node:http2' {
  interface Http2ServerRequest {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
  }

  interface ServerHttp2Stream {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
  }
}

/** A request as Node hands it over. Before a server of HTTP/2 it is a stream. */
export type Message = IncomingMessage | Http2ServerRequest | ServerHttp2Stream

/** What to do beside answering. Errors in hooks are logged and change nothing. */
export interface Hooks {
  /** Called for a request that is denied: the verdict, what was judged, and Node's own object for it. */
  readonly onDeny?: ((verdict: Verdict, request: HttpRequest, message: Message) => void) | undefined
  /** Called, in report mode, for a request that would have been denied. */
  readonly onReport?: ((verdict: Verdict, request: HttpRequest, message: Message) => void) | undefined
  /** Whether requests that are served carry their identity as `hostbound`. Default: true. */
  readonly identity?: boolean | undefined
}

/** Stands before a server, or inside one as middleware. Made by {@link hostbound}. */
export class NodeGuard {
  readonly #guard: Guard
  readonly #reporter: Reporter
  readonly #hooks: Hooks
  /** Requests that were judged and allowed. */
  readonly #admitted = new WeakSet<object>()
  /** Connections on which a request was denied: what follows on them is not served. */
  readonly #closing = new WeakSet<object>()

  /** @internal */
  constructor(guard: Guard, reporter: Reporter, hooks: Hooks) {
    this.#guard = guard
    this.#reporter = reporter
    this.#hooks = hooks
  }

  /** The policy, such as for a {@link Guard} of your own. */
  get policy(): Policy {
    return this.#guard.policy
  }

  /**
   * Puts the guard before a server: of `node:http`, `node:https`, or `node:http2`. From then on no listener of the server,
   * added before or later, meets a request, upgrade, expectation, CONNECT or stream that was not allowed.
   *
   * @returns The server.
   */
  protect<Server extends ProtectableServer>(server: Server): Server {
    return protect(server, this)
  }

  /**
   * Middleware of Connect and Express. Goes before all other; upgrades do not pass through middleware: see
   * {@link NodeGuard.upgrade}. Better is {@link NodeGuard.protect}, which sees everything.
   */
  readonly middleware = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next: (error?: unknown) => void,
  ): void => {
    if (this.admitMessage(request, response)) next()
  }

  /**
   * For the event `upgrade`: true if the upgrade may go on. Else it has been answered and the socket is closed.
   *
   * @example
   * ```js
   * server.on('upgrade', (request, socket, head) => {
   *   if (guard.upgrade(request, socket, head)) webSockets.handleUpgrade(request, socket, head, onConnection)
   * })
   * ```
   */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, _head?: Uint8Array): boolean => {
    return this.#admit(request, request.socket, () => requestOf(request), (answer) => answerSocket(socket, request, answer))
  }

  /** @internal */
  admitMessage(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): boolean {
    const stream = 'stream' in request ? request.stream : undefined
    if (stream !== undefined && this.#admitted.has(stream)) {
      this.#admitted.add(request)
      shareIdentity(stream, request)
      return true
    }
    const connection = stream ?? request.socket
    return this.#admit(request, connection, () => requestOf(request), (answer) => answerResponse(response, request, answer))
  }

  /** @internal */
  admitStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean {
    return this.#admit(stream, stream, () => requestOfStream(stream, headers, rawHeaders), (answer) =>
      answerStream(stream, headers[':method'], answer),
    )
  }

  /** True if the request may be served; else it has been answered. */
  #admit(message: Message, connection: object, read: () => HttpRequest, answer: (answer: Answer) => void): boolean {
    if (this.#admitted.has(message)) return true
    if (this.#closing.has(connection)) return false
    let denial: Answer
    try {
      const request = read()
      const code = this.#guard.inspect(request)
      if (!isDenied(code)) {
        if (code !== 0) this.#tell('onReport', message, request)
        if (this.#hooks.identity !== false) identify(message, request, this.#guard)
        this.#admitted.add(message)
        return true
      }
      denial = { status: statusOf(code), text: this.#guard.clientText() }
      this.#tell('onDeny', message, request)
    } catch (error) {
      this.#reporter.failed('the request could not be judged', error)
      denial = { status: 500, text: 'unavailable\n' }
    }
    this.#closing.add(connection)
    try {
      answer(denial)
    } catch (error) {
      this.#reporter.failed('the denial could not be sent', error)
    }
    return false
  }

  #tell(hook: 'onDeny' | 'onReport', message: Message, request: HttpRequest): void {
    const call = this.#hooks[hook]
    if (call === undefined && !this.#reporter.isOn) return
    const verdict = this.#guard.verdict()
    if (hook === 'onDeny') this.#reporter.denied(verdict, request)
    else this.#reporter.reported(verdict, request)
    try {
      call?.(verdict, request, message)
    } catch (error) {
      this.#reporter.failed(`${hook} threw`, error)
    }
  }
}
