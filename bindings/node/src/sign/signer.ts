import type { Dispatcher } from 'undici'

import { HostboundError } from '../errors.js'
import type { Guard, SignedRequest } from '../guard.js'
import type { HttpRequest } from '../request.js'

/** The standard `fetch`, as far as it is used here. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>

/** For `compose` of an undici dispatcher. */
export type Interceptor = (dispatch: Dispatcher['dispatch']) => Dispatcher['dispatch']

/** Signs requests by one section of a policy. Made by `hostboundSigner`. */
export class Signer {
  readonly #guard: Guard
  readonly #section: string
  readonly #keyId: string | undefined
  readonly #fetch: Fetch

  /** @internal */
  constructor(guard: Guard, section: string, keyId: string | undefined, fetch: Fetch) {
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
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { method, headers, redirect, signal, url } = request
    if (redirect === 'follow' && init?.redirect === 'follow') {
      throw new HostboundError('HOSTBOUND_OPTION', '`redirect` is `error` or `manual`: a signature is for one request')
    }
    const { protocol, host, pathname, search } = new URL(url)
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
    const signed = this.sign({
      method,
      scheme: protocol === 'https:' ? 'https' : 'http',
      target: pathname + search,
      headers: [['host', host], ...headers],
      body,
    })
    const all = new Headers(headers)
    for (const [name, value] of signed.headers) all.set(name, value)
    return this.#fetch(`${protocol}//${host}${pathname}${search}`, {
      ...init,
      method,
      headers: all,
      body: body ?? null,
      redirect: redirect === 'manual' ? 'manual' : 'error',
      signal,
    })
  }

  /**
   * Signs what goes through a dispatcher of undici: `new Agent().compose(signer.interceptor)`. Bodies are strings or bytes; a stream
   * cannot be signed before it is sent.
   */
  readonly interceptor: Interceptor = (dispatch) => (options, handler) => {
    const { origin, path, method, headers, body } = options
    const { protocol, host } = new URL(String(origin ?? ''))
    const fields = fieldsOf(headers)
    const named = fields.find(([name]) => name.toLowerCase() === 'host')
    const signed = this.sign({
      method,
      scheme: protocol === 'https:' ? 'https' : 'http',
      target: path,
      headers: named === undefined ? [['host', host], ...fields] : fields,
      body: bytesOf(body),
    })
    return dispatch({ ...options, headers: [...fields, ...signed.headers].flat() }, handler)
  }
}

function bytesOf(body: unknown): Uint8Array | string | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  throw new HostboundError('HOSTBOUND_SIGN', 'the body is neither a string nor bytes: it cannot be signed before it is sent')
}

/** Header fields in each of the forms that undici takes, as pairs. */
function fieldsOf(headers: Dispatcher.DispatchOptions['headers']): [string, string][] {
  if (headers === undefined || headers === null) return []
  let pairs: Iterable<[string, unknown]>
  if (Array.isArray(headers)) {
    const flat = headers as string[]
    pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]] as [string, unknown]] : []))
  } else {
    pairs = Symbol.iterator in headers ? (headers as Iterable<[string, unknown]>) : Object.entries(headers)
  }
  const fields: [string, string][] = []
  for (const [name, value] of pairs) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== null) fields.push([name, String(one)])
  }
  return fields
}
