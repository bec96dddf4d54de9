import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Duplex, Readable } from 'node:stream'

import { HostboundError } from '../errors.js'
import type { Guard, ReplayClaim } from '../guard.js'
import type { Policy } from '../policy.js'
import { isDenied, needsAnswer, needsBody, statusOf } from '../reason.js'
import type { HttpRequest } from '../request.js'
import type { Secrets } from '../secrets.js'
import type { Identity, TokenIdentity, Verdict } from '../verdict.js'
import { type Answer, answerResponse, answerSocket, answerStream } from './answer.js'
import type { Asker } from './asker.js'
import { hold, isGone, isRead, Room } from './hold.js'
import { identify, shareIdentity } from './identity.js'
import type { Reporter } from './log.js'
import { protect, type ProtectableServer } from './protect.js'
import { requestOf, requestOfStream } from './read.js'
import { claimIn, type ReplayStore } from './replay.js'

declare module 'node:http' {
  interface IncomingMessage {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
    /** `hostbound.token`: what a token proved, or null. There beside `hostbound`, if the policy has tokens. */
    readonly auth?: TokenIdentity | null
  }
}

declare module 'node:http2' {
  interface Http2ServerRequest {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
    /** `hostbound.token`: what a token proved, or null. There beside `hostbound`, if the policy has tokens. */
    readonly auth?: TokenIdentity | null
  }

  interface ServerHttp2Stream {
    /** Who was proved to ask. There after Hostbound has allowed the request, unless the option `identity` is false. */
    readonly hostbound?: Identity
    /** `hostbound.token`: what a token proved, or null. There beside `hostbound`, if the policy has tokens. */
    readonly auth?: TokenIdentity | null
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
  /** Whether requests that are served carry their identity, as `hostbound` and `auth`. Default: true. */
  readonly identity?: boolean | undefined
}

/** How bodies are held until the verdict. */
export interface BodyBounds {
  /**
   * The milliseconds in which the whole body of a signed request must come. Else it is answered 408, and the connection (of HTTP/2:
   * the stream) is closed. Default: 30,000.
   */
  readonly bodyTimeout?: number | undefined
  /**
   * The bytes of all bodies that are held at a time: what would be more is answered 503 with `Retry-After`. At least the largest
   * `max_body` of the policy. Default: 64 MiB, or that if it is more.
   */
  readonly bodyMemory?: number | undefined
}

/** What is read again by {@link NodeGuard.reload}. */
export interface HostboundSources {
  /** The path of the policy's file, in TOML or JSON; or a policy; or an object of the shape of a policy's JSON. */
  readonly policy: string | URL | Policy | object
  /**
   * Values of the policy's secrets and key sets, by the name of the environment variable, the path of the file or the name. They win over the
   * environment; what is not here is read from where the policy says.
   */
  readonly secrets?: Secrets | undefined
}

/** Reads policy and secrets, with what has changed. @internal */
export type Loader = (changes?: Partial<HostboundSources>) => Promise<{ policy: Policy; secrets: Secrets; folder: string }>

/** Makes what asks other servers, if the policy can need any. @internal */
export type AskerLoader = (guard: Guard, policy: Policy, folder: string) => Promise<Asker | undefined>

/** A request on its way through the guard. */
interface Incoming {
  readonly message: Message
  readonly connection: object
  readonly read: () => HttpRequest
  readonly answer: (answer: Answer) => void
  /** What ends when the client goes away: the request, the stream or the socket. */
  readonly carrier: Readable
  /** Whether a body can come from it. */
  readonly hasBody: boolean
  /** Asks the client for the body, where it waits to be asked. */
  readonly beforeBody?: (() => void) | undefined
}

/** The largest `max_body`: bodies are held, and copied into the engine. */
const MAX_BODY = 256 * 1024 ** 2

/** The least that the default of `bodyMemory` is. */
const BODY_MEMORY = 64 * 1024 ** 2

/** The default of `bodyTimeout`. */
const BODY_TIMEOUT = 30_000

/** The longest that a timer of Node takes. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

const LATE: Answer = { status: 408, text: 'request_timeout\n' }

const NO_ROOM: Answer = { status: 503, text: 'unavailable\n', header: ['Retry-After', '1'] }

const NO_ANSWER: Answer = { status: 503, text: 'unavailable\n', header: ['Retry-After', '5'] }

const UNAVAILABLE: Answer = { status: 500, text: 'unavailable\n' }

/** Stands before a server, or inside one as middleware. Made by {@link hostbound}. */
export class NodeGuard {
  readonly #guard: Guard
  readonly #reporter: Reporter
  readonly #hooks: Hooks
  /** Requests that were judged and allowed. */
  readonly #admitted = new WeakSet<object>()
  /** Connections on which a request was denied: what follows on them is not served. */
  readonly #closing = new WeakSet<object>()

  /** Streams of HTTP/2 whose client has been asked for the body. */
  readonly #asked = new WeakSet<object>()

  readonly #load: Loader
  readonly #loadAsker: AskerLoader
  #asker: Asker | undefined
  readonly #store: ReplayStore | undefined
  readonly #bounds: BodyBounds
  readonly #room = new Room()

  /** @internal */
  constructor(guard: Guard, reporter: Reporter, hooks: Hooks, load: Loader, loadAsker: AskerLoader, store?: ReplayStore, bounds: BodyBounds = {}) {
    this.#guard = guard
    this.#reporter = reporter
    this.#hooks = hooks
    this.#load = load
    this.#loadAsker = loadAsker
    this.#store = store
    this.#bounds = bounds
    const { bodyTimeout = BODY_TIMEOUT, bodyMemory = BODY_MEMORY } = bounds
    if (!Number.isSafeInteger(bodyTimeout) || bodyTimeout < 1 || bodyTimeout > LONGEST_TIMEOUT) {
      throw new HostboundError('HOSTBOUND_OPTION', `\`bodyTimeout\` is a number of milliseconds, from 1 to ${LONGEST_TIMEOUT}`)
    }
    if (!Number.isSafeInteger(bodyMemory) || bodyMemory < 1) {
      throw new HostboundError('HOSTBOUND_OPTION', '`bodyMemory` is a number of bytes, at least 1')
    }
    this.#acceptable(guard.policy)
  }

  /** What a policy may not ask of this face. */
  #acceptable({ needsSharedReplay, maxBody }: Policy): void {
    if (needsSharedReplay && this.#store === undefined) {
      throw new HostboundError('HOSTBOUND_OPTION', 'the policy asks for a shared replay store (`replay = "shared"`): give one in `replay`')
    }
    if (maxBody > MAX_BODY) {
      throw new HostboundError('HOSTBOUND_OPTION', `bodies are held until the verdict: \`max_body\` is at most ${MAX_BODY / 1024 ** 2}MiB here`)
    }
    const { bodyMemory } = this.#bounds
    if (bodyMemory !== undefined && bodyMemory < maxBody) {
      throw new HostboundError('HOSTBOUND_OPTION', `\`bodyMemory\` is less than the \`max_body\` of the policy, ${maxBody} bytes`)
    }
  }

  /**
   * Reads policy and secrets again, as after a rotation of keys: from where they came, or as given. Requests are judged by what was
   * read once it is read; nonces that were used stay used, as {@link Guard.reload} says.
   *
   * @throws what {@link hostbound} throws; then nothing has changed.
   */
  async reload(changes?: Partial<Pick<HostboundSources, 'policy' | 'secrets'>>): Promise<void> {
    const { policy, secrets, folder } = await this.#load(changes)
    this.#acceptable(policy)
    const asker = await this.#loadAsker(this.#guard, policy, folder)
    try {
      this.#guard.reload(policy, { secrets })
    } catch (error) {
      asker?.close()
      throw error
    }
    this.#askBy(asker)
    this.#reporter.started(policy)
  }

  /** Begins to ask other servers. @internal */
  async begin(folder: string): Promise<void> {
    this.#askBy(await this.#loadAsker(this.#guard, this.#guard.policy, folder))
  }

  #askBy(asker: Asker | undefined): void {
    this.#asker?.close()
    this.#asker = asker
  }

  /** Ends the connections over which keys are fetched. Requests that need new ones are answered 503 from then on. */
  close(): void {
    this.#askBy(undefined)
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
    this.whenAdmitted(request, response, undefined, () => next())
  }

  /**
   * For the event `upgrade`: true if the upgrade may go on. Else it has been answered and the socket is closed. Upgrades
   * on routes that require a signature, with a replay store that is not in memory, or a token about which another server must be asked, need
   * {@link NodeGuard.protect}: here they are refused.
   *
   * @example
   * ```js
   * server.on('upgrade', (request, socket, head) => {
   *   if (guard.upgrade(request, socket, head)) webSockets.handleUpgrade(request, socket, head, onConnection)
   * })
   * ```
   */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, _head?: Uint8Array): boolean => {
    let isAdmitted = false
    let isOver = false
    this.whenUpgraded(request, socket, () => {
      if (isOver) answerSocket(socket, request, UNAVAILABLE)
      else isAdmitted = true
    })
    isOver = true
    return isAdmitted
  }

  /** Goes on, at once or later, if the upgrade may; else it is answered. @internal */
  whenUpgraded(request: IncomingMessage, socket: Duplex, next: () => void): void {
    this.#admit(
      {
        message: request,
        connection: request.socket,
        read: () => requestOf(request),
        answer: (answer) => answerSocket(socket, request, answer),
        carrier: socket,
        // What follows the head of an upgrade is no body of HTTP.
        hasBody: false,
      },
      next,
    )
  }

  /** Goes on, at once or later, if the message may be served; else it is answered. @internal */
  whenAdmitted(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    beforeBody: (() => void) | undefined,
    next: () => void,
  ): void {
    const stream = 'stream' in request ? request.stream : undefined
    if (stream !== undefined && this.#admitted.has(stream)) {
      this.#admitted.add(request)
      shareIdentity(stream, request)
      next()
      return
    }
    this.#admit(
      {
        message: request,
        connection: stream ?? request.socket,
        read: () => requestOf(request),
        answer: (answer) => answerResponse(response, request, answer),
        carrier: stream ?? request,
        hasBody: request.method !== 'CONNECT',
        beforeBody,
      },
      next,
    )
  }

  /** True if the guard has told the client of a request to go on with its body. @internal */
  hasAsked(request: IncomingMessage | Http2ServerRequest): boolean {
    return 'stream' in request && this.#asked.has(request.stream)
  }

  /** Goes on, at once or later, if the stream may be served; else it is answered. @internal */
  whenStreamAdmitted(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    next: () => void,
  ): void {
    // While the stream is held back nobody else hears of its trailers.
    const trailers: unknown[][] = []
    const onTrailers = (...fields: unknown[]): unknown => trailers.push(fields)
    stream.on('trailers', onTrailers)
    const serve = (): void => {
      stream.off('trailers', onTrailers)
      next()
      for (const fields of trailers) stream.emit('trailers', ...fields)
    }
    const ask = (): void => {
      this.#asked.add(stream)
      stream.additionalHeaders({ ':status': 100 })
    }
    this.#admit(
      {
        message: stream,
        connection: stream,
        read: () => requestOfStream(stream, headers, rawHeaders),
        answer: (answer) => answerStream(stream, headers[':method'], answer),
        carrier: stream,
        // What follows a CONNECT is the tunnel's (RFC 8441 §5).
        hasBody: headers[':method'] !== 'CONNECT',
        beforeBody: headers.expect === '100-continue' ? ask : undefined,
      },
      serve,
    )
  }

  #admit(incoming: Incoming, next: () => void): void {
    const { message, connection } = incoming
    if (this.#admitted.has(message)) {
      next()
      return
    }
    if (this.#closing.has(connection)) {
      incoming.carrier.on('error', ignore)
      return
    }
    let request: HttpRequest
    let code: number
    try {
      request = this.#timed(incoming.read())
      code = this.#guard.inspect(request)
    } catch (error) {
      this.#failed(incoming, error)
      return
    }
    if (needsAnswer(code)) this.#admitAsked(incoming, request, next)
    else this.#admitInspected(incoming, request, code, next)
  }

  #admitInspected(incoming: Incoming, request: HttpRequest, code: number, next: () => void): void {
    if (needsBody(code)) this.#admitSigned(incoming, request, next)
    else if (this.#concluded(incoming, request, code)) next()
  }

  /** What another server has to be asked about a token. */
  #admitAsked(incoming: Incoming, request: HttpRequest, next: () => void): void {
    const { carrier } = incoming
    carrier.on('error', ignore)
    const asker = this.#asker
    const question = this.#guard.question()
    if (asker === undefined || question === undefined) {
      this.#deny(incoming, NO_ANSWER)
      return
    }
    void asker.ask(question).then((found) => {
      // Outside of every promise: what the application throws is its own, as without a guard.
      process.nextTick(() => {
        if (this.#isOver(incoming)) return
        // The time has gone on, and another policy may be in force.
        const again = this.#timed({ ...request, ...found })
        let code: number
        try {
          code = this.#guard.inspect(again)
        } catch (error) {
          this.#failed(incoming, error)
          return
        }
        if (needsAnswer(code)) {
          // The policy was changed in the meantime.
          this.#deny(incoming, NO_ANSWER)
          return
        }
        this.#admitInspected(incoming, again, code, () => {
          carrier.off('error', ignore)
          next()
        })
      })
    })
  }

  /** Only signatures and tokens are judged by the time. */
  #timed(request: HttpRequest): HttpRequest {
    const { signatures, tokens } = this.#guard.policy
    if (signatures.length === 0 && tokens.length === 0) return request
    const now = Math.floor(Date.now() / 1000)
    this.#asker?.refresh(now)
    return { ...request, now }
  }

  /** What the head of a request leaves open: its body, if it can have one, and its nonce. */
  #admitSigned(incoming: Incoming, request: HttpRequest, next: () => void): void {
    const { carrier, hasBody } = incoming
    // An error that nobody hears ends the process: the application listens when it has the message, and not before.
    carrier.on('error', ignore)
    const serve = (): void => {
      carrier.off('error', ignore)
      next()
    }
    if (!hasBody) {
      this.#judgeWhole(incoming, request, (isServed) => isServed && serve())
      return
    }
    if (isRead(carrier)) {
      const message = 'the body was read before Hostbound saw it: put the guard before every body parser, or use `protect`'
      this.#failed(incoming, new HostboundError('HOSTBOUND_OPTION', message))
      return
    }
    if (this.#isOver(incoming)) return
    const limit = this.#guard.bodyLimit() ?? 0
    incoming.beforeBody?.()
    let taken = 0
    const take = (bytes: number): boolean => {
      const isTaken = this.#room.take(bytes, this.#roomFor())
      if (isTaken) taken += bytes
      return isTaken
    }
    const free = (): void => this.#room.free(taken)
    const { bodyTimeout: timeout = BODY_TIMEOUT } = this.#bounds
    void hold(carrier, { limit, timeout, take }).then(
      (held) => {
        if (held.kind === 'gone') {
          free()
          return
        }
        if (held.kind === 'late' || held.kind === 'no-room') {
          free()
          this.#deny(incoming, held.kind === 'late' ? LATE : NO_ROOM)
          carrier.resume()
          return
        }
        this.#judgeWhole(incoming, { ...request, body: held.body }, (isServed) => {
          // Outside of every promise: what the application throws is its own, as without a guard.
          process.nextTick(() => {
            free()
            const isOver = this.#isOver(incoming)
            if (held.kind === 'whole') held.release()
            if (isServed && !isOver) serve()
            // Nobody reads it; of a stream of HTTP/2 the end must be told all the same.
            else carrier.resume()
          })
        })
      },
      (error: unknown) => this.#failed(incoming, error),
    )
  }

  /** The bytes that all held bodies may have. */
  #roomFor(): number {
    return this.#bounds.bodyMemory ?? Math.max(BODY_MEMORY, this.#guard.policy.maxBody)
  }

  /** True if the client has gone, or the connection ends with an earlier denial: then nothing is judged or served any more. */
  #isOver({ carrier, connection }: Incoming): boolean {
    return isGone(carrier) || this.#closing.has(connection)
  }

  /** Settles at once with a store in memory, else when the store has answered. */
  #judgeWhole(incoming: Incoming, request: HttpRequest, settle: (isServed: boolean) => void): void {
    if (this.#isOver(incoming)) {
      settle(false)
      return
    }
    const attempt = (judge: () => number): void => {
      let isServed = false
      try {
        isServed = this.#concluded(incoming, request, judge())
      } catch (error) {
        this.#failed(incoming, error)
      }
      settle(isServed)
    }
    const store = this.#store
    let claim: ReplayClaim | undefined
    try {
      claim = store === undefined ? undefined : this.#guard.claim(request)
    } catch (error) {
      this.#failed(incoming, error)
      settle(false)
      return
    }
    if (store === undefined || claim === undefined) {
      attempt(() => this.#guard.judge(request))
      return
    }
    void claimIn(store, claim, (error) => this.#reporter.failed('the replay store failed', error)).then((outcome) => {
      process.nextTick(() => {
        if (this.#isOver(incoming)) settle(false)
        else attempt(() => this.#guard.answer(request, outcome))
      })
    })
  }

  /** True if the request that was judged last may be served; else it is answered. */
  #concluded(incoming: Incoming, request: HttpRequest, code: number): boolean {
    const { message } = incoming
    try {
      if (!isDenied(code)) {
        // Before a hook runs, that could read an identity which is judged only then.
        if (this.#hooks.identity !== false) identify(message, request, this.#guard)
        if (code !== 0) this.#tell('onReport', message, request)
        this.#admitted.add(message)
        return true
      }
      const denial = { status: statusOf(code), text: this.#guard.clientText(), header: this.#guard.clientHeader() }
      this.#tell('onDeny', message, request)
      this.#deny(incoming, denial)
    } catch (error) {
      this.#failed(incoming, error)
    }
    return false
  }

  #failed(incoming: Incoming, error: unknown): void {
    this.#reporter.failed('the request could not be judged', error)
    this.#deny(incoming, UNAVAILABLE)
  }

  #deny({ connection, answer }: Incoming, denial: Answer): void {
    this.#closing.add(connection)
    try {
      answer(denial)
    } catch (error) {
      this.#reporter.failed('the denial could not be sent', error)
    }
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

function ignore(): void {}
