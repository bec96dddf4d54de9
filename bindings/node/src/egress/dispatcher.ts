// Undici's dispatcher behind the guard: what it dispatches was judged, and where it connects is judged.

import { Agent, type Dispatcher } from 'undici'

import { HostboundError } from '../errors.js'
import type { Connector } from './connect.js'
import type { EgressGuard, Field } from './guard.js'

/** What of undici's `Agent.Options` may be set. What decides where a connection goes is the guard's. */
export type DispatcherOptions = Pick<Agent.Options, (typeof OPTIONS)[number]>

const OPTIONS = [
  'bodyTimeout',
  'clientTtl',
  'connections',
  'headersTimeout',
  'keepAliveMaxTimeout',
  'keepAliveTimeout',
  'keepAliveTimeoutThreshold',
  'maxHeaderSize',
  'maxRequestsPerClient',
  'maxResponseSize',
  'pipelining',
] as const

/** Those that were made here. */
const ours = new WeakSet<object>()

/** A dispatcher that judges each request, and lets `connector` judge each connection. */
export function dispatcherOf(guard: EgressGuard, connector: Connector, options: DispatcherOptions = {}): Dispatcher {
  for (const key of Object.keys(options)) {
    if (OPTIONS.some((option) => option === key)) continue
    const why = 'connections go to the addresses that were judged, not through another dispatcher, agent or proxy'
    throw new HostboundError('HOSTBOUND_OPTION', `\`${key}\` cannot be set: ${why}`)
  }
  const dispatcher = new JudgingAgent(guard, { ...options, connect: connector.connect })
  ours.add(dispatcher)
  return dispatcher
}

/** Not `compose`: it would turn the handlers of undici 7 over to the newer interface and back, for each event. */
class JudgingAgent extends Agent {
  readonly #guard: EgressGuard

  constructor(guard: EgressGuard, options: Agent.Options) {
    super(options)
    this.#guard = guard
  }

  override dispatch(request: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    let judged: Dispatcher.DispatchOptions
    try {
      judged = judge(this.#guard, request)
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      if (handler.onResponseError !== undefined) handler.onResponseError(NO_CONTROLLER, failure)
      else if (handler.onError !== undefined) handler.onError(failure)
      else throw failure
      return true
    }
    return super.dispatch(judged, handler)
  }
}

/**
 * Refuses a dispatcher that does not judge: it would send by its own rules, or through the proxy of the environment.
 *
 * @throws {@link HostboundError} `HOSTBOUND_OPTION`.
 */
export function requireOurs(dispatcher: object): void {
  if (ours.has(dispatcher)) return
  const proxied = /Proxy/.test(dispatcher.constructor.name) ? 'a proxy connects to addresses that were not judged; ' : ''
  throw new HostboundError('HOSTBOUND_OPTION', `\`dispatcher\`: ${proxied}use one of \`egress.dispatcher()\``)
}

/** Variables of the environment that send other clients through a proxy, as far as they are set. */
export function proxiesOfEnvironment(): string[] {
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'NODE_USE_ENV_PROXY']
  return names.filter((name) => (process.env[name] ?? '') !== '')
}

function judge(guard: EgressGuard, request: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  // Read once, and set again below: what is judged is what is sent, whatever a getter gives the second time.
  const { origin = '', path, method, headers } = request
  if (method === 'CONNECT') throw refused('CONNECT opens a tunnel to where nothing was judged')
  // An absolute target names another authority than the one that is connected to (RFC 9112 §3.2.2).
  if (typeof path !== 'string' || !path.startsWith('/')) throw refused('`path` starts with a slash')
  const before = typeof origin === 'string' ? withoutSlash(origin) : origin.origin
  const fields = fieldsOf(headers)
  const { origin: to, host, target } = guard.destination(before, path, fields)
  const sent = {
    ...request,
    origin: to,
    path: target,
    method,
    headers: withoutHost(fields, host),
    // Undici's types do not tell of it; it would change whose certificate is asked for.
    servername: undefined,
  }
  return sent
}

function withoutSlash(origin: string): string {
  return origin.endsWith('/') ? origin.slice(0, -1) : origin
}

/** Header fields in each of the forms that undici takes, as a flat list of names and values. */
function fieldsOf(headers: Dispatcher.DispatchOptions['headers']): Field[] {
  const fields: Field[] = []
  if (headers === undefined || headers === null) return fields
  if (Array.isArray(headers)) {
    for (let index = 0; index < headers.length; index += 2) put(fields, headers[index], headers[index + 1])
  } else if (Symbol.iterator in headers) {
    for (const [name, value] of headers) put(fields, name, value)
  } else {
    for (const [name, value] of Object.entries(headers)) put(fields, name, value)
  }
  return fields
}

function put(fields: Field[], name: unknown, value: unknown): void {
  if (typeof name !== 'string') throw refused('the name of a header is a string')
  if (value !== undefined && value !== null) fields.push(name, value as Field)
}

/** The Host of a request is that of the URL that was judged; undici sets it. */
function withoutHost(fields: readonly Field[], host: string): string[] {
  const kept: Field[] = []
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string
    const value = fields[index + 1] as Field
    if (name.length !== 4 || name.toLowerCase() !== 'host') kept.push(name, value)
    else if (String(value).toLowerCase() !== host) throw refused('the Host of a request is that of its URL')
  }
  // Undici takes lists of values here too, though its types do not say so.
  return kept as string[]
}

function refused(message: string): HostboundError {
  return new HostboundError('HOSTBOUND_OPTION', message)
}

/** For a request that never began. */
const NO_CONTROLLER: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  rawHeaders: null,
  rawTrailers: null,
  abort() {},
  pause() {},
  resume() {},
}
