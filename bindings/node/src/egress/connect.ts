// A connection to a destination: one look-up, all of its addresses judged, and only these are connected to.

import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'

import { buildConnector, errors } from 'undici'

import { HostboundError } from '../errors.js'
import { EgressError } from './error.js'
import type { Allowed, EgressGuard } from './guard.js'
import { type LookUp, lookUp } from './lookup.js'
import { presentedPins } from './pins.js'

/** How long the other end may be silent before TCP asks, in milliseconds; undici's own default. */
const KEEP_ALIVE_DELAY = 60_000

/** Makes connections for undici's pools. */
export class Connector {
  readonly #guard: EgressGuard
  readonly #resolver: LookUp
  readonly #timeout: number
  /** By origin: the files are read once. */
  readonly #contexts = new Map<string, SecureContext>()

  constructor(guard: EgressGuard, resolver: LookUp, timeout: number) {
    this.#guard = guard
    this.#resolver = resolver
    this.#timeout = timeout
  }

  /** Undici's hook. The name in `servername` is not used: it follows a Host header, and the host that was judged is the URL's. */
  readonly connect: buildConnector.connector = ({ protocol, host, hostname, port }, callback) => {
    const url = `${protocol}//${host ?? (port === '' ? hostname : `${hostname}:${port}`)}/`
    this.#open(url).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    )
  }

  async #open(url: string): Promise<Socket | TLSSocket> {
    const deadline = performance.now() + this.#timeout
    const { host, port } = this.#guard.admit({ url }, 'look-up').identity
    const { addresses, cause } = await this.#addresses(host, deadline)
    // INVARIANT: what is connected to below is this list, and nothing is looked up again.
    const verdict = this.#guard.admit({ url, addresses }, 'connection', cause)
    const socket = await connectToOne(addresses, port, deadline)
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY)
    if (!url.startsWith('https:')) return socket
    return this.#secure(socket, url, verdict, addresses, deadline)
  }

  /** A literal is its own address; a look-up that fails gives none, and that is judged too. */
  async #addresses(host: string, deadline: number): Promise<{ addresses: readonly string[]; cause?: unknown }> {
    if (isIP(host) !== 0) return { addresses: [host] }
    try {
      return { addresses: await before(deadline, `the look-up of \`${host}\``, lookUp(this.#resolver, host)) }
    } catch (error) {
      if (error instanceof HostboundError) throw error
      return { addresses: [], cause: error }
    }
  }

  async #secure(
    tcp: Socket,
    url: string,
    verdict: Allowed,
    addresses: readonly string[],
    deadline: number,
  ): Promise<TLSSocket> {
    const { host } = verdict.identity
    let socket: TLSSocket | undefined
    try {
      const isName = isIP(host) === 0
      socket = connectTls({
        socket: tcp,
        host,
        // RFC 6066 §3: no literals.
        servername: isName ? host : '',
        ALPNProtocols: ['http/1.1'],
        // NODE_TLS_REJECT_UNAUTHORIZED must not decide.
        rejectUnauthorized: true,
        secureContext: this.#context(url),
      })
      await before(deadline, `TLS with \`${host}\``, once(socket, 'secureConnect', verdict))
      if (this.#guard.engine.hasPins(url)) {
        this.#guard.admit({ url, addresses, pins: presentedPins(socket) }, 'connection')
      }
      return socket
    } catch (error) {
      socket?.destroy()
      tcp.destroy()
      throw error
    }
  }

  #context(url: string): SecureContext {
    const known = this.#contexts.get(url)
    if (known !== undefined) return known
    const { engine } = this.#guard
    const ca = fileAt(engine.certificateAuthorities(url))
    const client = fileAt(engine.clientCertificate(url))
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(client === undefined ? {} : { cert: client, key: client }),
    })
    this.#contexts.set(url, context)
    return context
  }
}

function fileAt(path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new HostboundError('HOSTBOUND_OPTION', `cannot read \`${path}\`, which the policy names`, { cause })
  }
}

/** Connects to the first address that answers. Each gets an equal share of what time is left. */
async function connectToOne(addresses: readonly string[], port: number, deadline: number): Promise<Socket> {
  let failure: unknown
  for (const [index, address] of addresses.entries()) {
    const now = performance.now()
    const share = now + (deadline - now) / (addresses.length - index)
    const socket = connectTcp({ host: address, port, noDelay: true, lookup: neverLookUp })
    try {
      await before(share, `the connection to ${address}`, once(socket, 'connect'))
      return socket
    } catch (error) {
      socket.destroy()
      failure = error
    }
  }
  throw failure
}

/** Addresses are connected to, never names. */
function neverLookUp(): never {
  throw new HostboundError('HOSTBOUND_ENGINE', 'a second look-up')
}

/** Waits for an event or the error before it. */
function once(socket: Socket, event: 'connect'): Promise<void>
function once(socket: Socket, event: 'secureConnect', verdict: Allowed): Promise<void>
function once(socket: Socket, event: string, verdict?: Allowed): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off(event, onEvent).off('error', settle).off('close', onClose)
      // What comes later is for whoever holds the socket; before that nobody may be left without a listener.
      if (error === undefined) return resolve()
      socket.on('error', () => {})
      reject(verdict === undefined ? error : tlsError(error, verdict))
    }
    const onEvent = (): void => settle()
    const onClose = (): void => settle(new Error('the connection was closed'))
    socket.on(event, onEvent).on('error', settle).on('close', onClose)
  })
}

function tlsError(cause: Error, verdict: Allowed): EgressError {
  const why = 'code' in cause ? String(cause.code) : cause.message
  return new EgressError('tls_failed', `tls_failed: TLS with \`${verdict.identity.host}\`: ${why}`, verdict, { cause })
}

/** What `promise` gives, or an error at the deadline, in milliseconds of `performance.now()`. */
async function before<Value>(deadline: number, what: string, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const left = Math.max(0, deadline - performance.now())
    timer = setTimeout(() => reject(new errors.ConnectTimeoutError(`${what} took too long`)), left)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
