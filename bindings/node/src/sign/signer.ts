import { stringify } from 'node:querystring'

import type { Dispatcher } from 'undici'

import { HostboundError } from '../errors.js'
import type { Guard, SignedRequest } from '../guard.js'
import type { HttpRequest } from '../request.js'

/** The standard `fetch`, as far as it is used here; that of `hostbound/egress` is one. */
export type Fetch<Answer = Response> = (input: string, init: SignedInit) => Promise<Answer>

/** With what a signed request is sent, beside what else its caller gave. */
export interface SignedInit {
  method: string
  headers: [string, string][]
  body: Uint8Array<ArrayBuffer> | null
  redirect: 'error' | 'manual'
  integrity: string
  signal: AbortSignal
}

/** For `compose` of an undici dispatcher. */
export type Interceptor = (dispatch: Dispatcher['dispatch']) => Dispatcher['dispatch']

/**
 * Signs requests by one section of a policy. Made by `hostboundSigner`. `Answer` is what its `fetch` gives: that of undici has a type of
 * its own.
 */
export class Signer<Answer = Response> {
  readonly #guard: Guard
  readonly #section: string
  readonly #keyId: string | undefined
  readonly #fetch: Fetch<Answer>

  /** @internal */
  constructor(guard: Guard, section: string, keyId: string | undefined, fetch: Fetch<Answer>) {
    this.#guard = guard
    this.#section = section
    this.#keyId = keyId
    this.#fetch = fetch
  }

  /**
   * The headers that sign a request as it will be sent: method, target, Host and body just so.
   *
   * @throws {@link HostboundError} `HOSTBOUND_SIGN` if it cannot be signed.
   */
  sign(request: HttpRequest, nonce?: string): SignedRequest {
    return this.#guard.sign(request, { section: this.#section, keyId: this.#keyId, nonce })
  }

  /**
   * `fetch`, signed. The body is read as a whole. Redirects are errors, unless `redirect` is `manual`: a signature is for one
   * request and one host.
   *
   * @throws {@link HostboundError} `HOSTBOUND_SIGN` if the request cannot be signed; else what `fetch` throws.
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Answer> => {
    const request = new Request(input, init)
    const { method, headers, integrity, redirect, signal, url } = request
    if (redirect === 'follow' && init?.redirect === 'follow') {
      throw new HostboundError('HOSTBOUND_OPTION', '`redirect` is `error` or `manual`: a signature is for one request')
    }
    const { protocol, host, pathname, search } = new URL(url)
    const body = await bodyOf(request)
    const signed = this.sign({
      method,
      scheme: protocol === 'https:' ? 'https' : 'http',
      target: pathname + search,
      headers: [['host', host], ...headers],
      body,
    })
    return this.#fetch(`${protocol}//${host}${pathname}${search}`, {
      ...init,
      method,
      headers: [...headers, ...signed.headers.map(([name, value]): [string, string] => [name, value])],
      body: body ?? null,
      redirect: redirect === 'manual' ? 'manual' : 'error',
      integrity,
      signal,
    })
  }

  /**
   * Signs what goes through a dispatcher of undici: `new Agent().compose(signer.interceptor)`. Bodies are strings or bytes; a stream
   * cannot be signed before it is sent. Interceptors that retry or follow redirects go behind it in `compose`: each request is signed
   * anew.
   */
  readonly interceptor: Interceptor = (dispatch) => (options, handler) => {
    const { method, headers, body, query, ...rest } = options
    const { protocol, host } = originOf(options)
    const path = pathOf(options)
    const fields = fieldsOf(headers)
    const named = fields.find(([name]) => name.toLowerCase() === 'host')
    const signed = this.sign({
      method,
      scheme: protocol === 'https:' ? 'https' : 'http',
      target: path,
      headers: named === undefined ? [['host', host], ...fields] : fields,
      body: bytesOf(body),
    })
    return dispatch({ ...rest, method, path, body, headers: [...fields, ...signed.headers].flat() } as typeof options, handler)
  }
}

/** The body of a request as bytes, unless it is aborted before it has come to its end. */
async function bodyOf({ body, signal }: Request): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (body === null) return undefined
  return new Uint8Array(await new Response(body.pipeThrough(new TransformStream(), { signal })).arrayBuffer())
}

function originOf({ origin }: Dispatcher.DispatchOptions): URL {
  const text = String(origin ?? '')
  if (URL.canParse(text)) return new URL(text)
  throw refusal('the request has no `origin`, as through a `Client`: its host is not known before it is sent')
}

/** The target, as undici puts it together after its interceptors. */
function pathOf({ path, query }: Dispatcher.DispatchOptions): string {
  if (query === undefined || query === null) return path
  if (/[?#]/.test(path)) throw refusal('the request has a `query`, and one in its `path` already')
  const text = stringify(query)
  return text === '' ? path : `${path}?${text}`
}

function bytesOf(body: unknown): Uint8Array | string | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  throw refusal('the body is neither a string nor bytes: it cannot be signed before it is sent')
}

/** Header fields in each of the forms that undici takes, as pairs. */
function fieldsOf(headers: Dispatcher.DispatchOptions['headers']): [string, string][] {
  if (headers === undefined || headers === null) return []
  let pairs: Iterable<readonly unknown[]>
  if (Array.isArray(headers)) {
    const flat: unknown[] = headers
    pairs = Array.from({ length: Math.ceil(flat.length / 2) }, (_, index) => flat.slice(2 * index, 2 * index + 2))
  } else {
    pairs = Symbol.iterator in headers ? (headers as Iterable<readonly unknown[]>) : Object.entries(headers)
  }
  const fields: [string, string][] = []
  for (const pair of pairs) {
    const [name, value] = pair
    if (pair.length !== 2 || typeof name !== 'string') throw refusal('the headers are not names, each with a value')
    // As undici has it: what is undefined is not sent, what is null is sent empty.
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) fields.push([name, textOf(name, one)])
  }
  return fields
}

function textOf(name: string, value: unknown): string {
  if (value === null) return ''
  if (['object', 'function', 'symbol'].includes(typeof value)) throw refusal(`the value of the header \`${name}\` is no text`)
  return String(value)
}

function refusal(message: string): HostboundError {
  return new HostboundError('HOSTBOUND_SIGN', message)
}
