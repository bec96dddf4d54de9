// `fetch` whose redirects are followed here, so that every hop is judged (Fetch §4.4).

import { type Dispatcher, fetch as undiciFetch, Headers, type RequestInit, type Response } from 'undici'

import { HostboundError } from '../errors.js'
import { requireOurs } from './dispatcher.js'
import { EgressError } from './error.js'
import type { EgressGuard } from './guard.js'

/** The most redirects that are followed (Fetch §4.4). */
const MAX_REDIRECTS = 20

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Headers about a body that is not sent any more (Fetch §4.4). */
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type']

/** A `Request`, of undici or of Node itself. */
export interface RequestLike {
  readonly url: string
  readonly method: string
  readonly headers: Iterable<[string, string]>
  readonly body: unknown
  readonly redirect: string
  readonly signal: AbortSignal
}

/** What `fetch` takes. A string is judged as it is written; the others are as WHATWG parsed them. */
export type FetchInput = string | URL | RequestLike

/** Sends a request, following redirects as `init.redirect` says. */
export async function fetchGuarded(
  guard: EgressGuard,
  own: Dispatcher,
  input: FetchInput,
  init: RequestInit = {},
): Promise<Response> {
  const { url: first, ...request } = requestOf(input, init)
  const dispatcher = request.dispatcher ?? own
  requireOurs(dispatcher)
  let { body = null, method = 'GET' } = request
  const headers = new Headers(request.headers)
  const follows = (request.redirect ?? 'follow') === 'follow'
  let url = first
  let from: string | null = null

  for (let redirects = 0; ; redirects += 1) {
    const verdict = guard.admit({ url, from, headers: [...headers.keys()] }, 'fetch')
    const here = verdict.identity.url
    if (redirects > MAX_REDIRECTS) {
      throw new EgressError('redirect_limit', `redirect_limit: more than ${MAX_REDIRECTS} redirects`, verdict)
    }
    const response = await sent(here, {
      ...request, method, headers, body, dispatcher,
      redirect: follows ? 'manual' : request.redirect ?? 'follow',
      ...(isStream(body) ? { duplex: 'half' as const } : {}),
    })
    const location = response.headers.get('location')
    if (!follows || !REDIRECTS.has(response.status) || location === null) {
      if (redirects > 0) Object.defineProperty(response, 'redirected', { value: true })
      return response
    }
    await response.body?.cancel()
    url = resolved(location, here)
    from = here
    const { status } = response
    if ((status === 303 && method !== 'GET' && method !== 'HEAD') || (status <= 302 && method.toUpperCase() === 'POST')) {
      method = 'GET'
      body = null
      for (const name of BODY_HEADERS) headers.delete(name)
    } else if (isStream(body)) {
      throw new HostboundError('HOSTBOUND_OPTION', 'a body that is a stream cannot follow a redirect')
    }
    if (!isSameOrigin(url, here)) strip(guard, headers, new URL(here).host)
  }
}

/** The URL as it was handed over, and the rest as `init`, which goes before what a `Request` says. */
function requestOf(input: FetchInput, init: RequestInit): RequestInit & { url: string } {
  if (typeof input === 'string') return { ...init, url: input }
  if (input instanceof URL) return { ...init, url: input.href }
  if (typeof input !== 'object' || input === null || typeof input.url !== 'string') {
    throw new HostboundError('HOSTBOUND_OPTION', 'what is fetched is a string, a URL or a Request')
  }
  const { url, method, signal } = input
  const headers = [...input.headers]
  const body = input.body as NonNullable<RequestInit['body']> | null
  const redirect = input.redirect as NonNullable<RequestInit['redirect']>
  return { method, headers, body, redirect, signal, ...init, url }
}

/** Undici's `fetch`, but a refusal is what is thrown, not the cause of a TypeError. */
async function sent(url: string, init: RequestInit): Promise<Response> {
  try {
    return await undiciFetch(url, init)
  } catch (error) {
    if (error instanceof TypeError && error.cause instanceof HostboundError) throw error.cause
    throw error
  }
}

/** An absolute Location is judged as it is written; what is relative, as WHATWG resolves it. */
function resolved(location: string, base: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return location
  // Header values are bytes, one a character; URLs are UTF-8.
  const text = Buffer.from(location, 'latin1').toString('utf8')
  return URL.canParse(text, base) ? new URL(text, base).href : text
}

function isSameOrigin(url: string, other: string): boolean {
  // What no parser can read is refused before it is sent; until then it is another origin.
  return URL.canParse(url) && new URL(url).origin === new URL(other).origin
}

/** Credentials stay with the origin that they were meant for, bound elsewhere or not. */
function strip(guard: EgressGuard, headers: Headers, host: string): void {
  const names = [...headers.keys()].filter((name) => guard.engine.isCredential(name))
  for (const name of names) headers.delete(name)
  headers.delete('host')
  if (names.length > 0) guard.stripped(names, host)
}

function isStream(body: RequestInit['body']): boolean {
  if (typeof body !== 'object' || body === null) return false
  return body instanceof ReadableStream || (Symbol.asyncIterator in body && !(body instanceof Blob))
}
