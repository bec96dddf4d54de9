/**
 * Hostbound in a service worker: from the second visit on it judges what a page asks for before the page's own guard is loaded, and what no script asks for,
 * such as images and styles.
 *
 * @example
 * ```js
 * import { guardWorker } from 'hostbound/browser/worker'
 *
 * guardWorker({ policy: '/hostbound.public.json' })
 * ```
 *
 * @module
 */

import { ENGINE, load, namesOf, PageEngine, startEngine } from './engine.js'
import type { PageVerdict } from './error.js'

export type { PageVerdict } from './error.js'

/** How a service worker guards its pages. */
export interface WorkerOptions {
  /** The URL of what `hostbound public` wrote. */
  readonly policy: string | URL
  /** Where the engine is. Default: in this package, next to this module. */
  readonly engine?: string | URL | undefined
  /** Called for whatever is refused, and in report mode for what would have been; without a verdict if there is no engine to give one. */
  readonly onRefusal?: ((url: string, verdict: PageVerdict | null) => void) | undefined
  /** Answers what is allowed, in the place of `fetch` listeners of the app. Default: the network. */
  readonly respond?: ((request: Request) => Response | Promise<Response>) | undefined
}

/** What a service worker has that other scopes have not; TypeScript's own types for it cannot stand beside those of pages. */
interface WorkerScope {
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', listener: (event: LifetimeEvent) => void): void
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void
}

interface LifetimeEvent {
  waitUntil(promise: Promise<unknown>): void
}

interface FetchEvent extends LifetimeEvent {
  readonly request: Request
  respondWith(response: Response | Promise<Response>): void
}

/** Engine and policy as they were last, for when the network is away. */
const CACHE = 'hostbound'

/** How long a policy that was fetched is not fetched again, in milliseconds. */
const FRESH = 10_000

/**
 * Guards the pages of the service worker that this is called in, which must happen when its script is first run. Pages under a foreign name are answered with
 * 421, their requests end in an error, and so do requests that the policy does not list. Everything does if neither network nor cache have engine and policy.
 */
export function guardWorker(options: WorkerOptions): void {
  const { policy, engine = ENGINE, respond } = options
  const scope = globalThis as unknown as WorkerScope
  const keeper = new Keeper(policy, engine)
  scope.addEventListener('install', (event) => event.waitUntil(keeper.ready().then(() => scope.skipWaiting())))
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
  scope.addEventListener('fetch', (event) => {
    const { request } = event
    const isNavigation = request.mode === 'navigate'
    let verdict
    try {
      verdict = keeper.current === undefined ? undefined : judge(keeper.current, request)
    } catch (error) {
      console.error('hostbound: a request cannot be judged', error)
      event.respondWith(Response.error())
      return
    }
    if (verdict?.decision !== 'allow') {
      event.respondWith(answer(keeper, request, isNavigation, options))
      return
    }
    tell(options, request, verdict)
    if (isNavigation) event.waitUntil(keeper.refresh())
    // Judged at once, an allowed request is the browser's own business: the answer need not pass through here.
    if (respond !== undefined) event.respondWith(responded(respond, request))
  })
}

async function answer(keeper: Keeper, request: Request, isNavigation: boolean, options: WorkerOptions): Promise<Response> {
  let verdict: PageVerdict | null = null
  try {
    verdict = judge(await keeper.ready(), request)
    // The policy may list it by now.
    if (verdict.decision === 'deny') verdict = judge(await (isNavigation ? keeper.reload() : keeper.refresh()), request)
  } catch (error) {
    console.error('hostbound: everything is refused', error)
  }
  tell(options, request, verdict)
  if (verdict?.decision === 'allow') return responded(options.respond ?? fetch, request)
  return isNavigation ? refusedPage(verdict, keeper.names) : Response.error()
}

async function responded(respond: (request: Request) => Response | Promise<Response>, request: Request): Promise<Response> {
  return respond(request)
}

/** Whoever listens decides nothing: what they throw is reported. */
function tell({ onRefusal }: WorkerOptions, { url }: Request, verdict: PageVerdict | null): void {
  if (verdict?.decision === 'allow' && verdict.reported.length === 0) return
  try {
    onRefusal?.(url, verdict)
  } catch (error) {
    reportError(error)
  }
}

function judge(guard: PageEngine, { url, headers }: Request): PageVerdict {
  return guard.request(url, [...headers.keys()])
}

/** Holds the engine, and a policy that is not older than it must be. */
class Keeper {
  /** What judges, if it is loaded. */
  current: PageEngine | undefined
  /** The names that the policy lists. */
  names: readonly string[] = []
  readonly #policy: string | URL
  readonly #engine: string | URL
  #starting: Promise<void> | undefined
  #loading: Promise<PageEngine> | undefined
  #loaded = -FRESH
  #text = ''

  constructor(policy: string | URL, engine: string | URL) {
    this.#policy = policy
    this.#engine = engine
  }

  /** The guard, once it is there. */
  async ready(): Promise<PageEngine> {
    return this.current ?? this.reload()
  }

  /** The guard by a policy of these seconds. */
  async refresh(): Promise<PageEngine> {
    return this.current !== undefined && performance.now() - this.#loaded < FRESH ? this.current : this.reload()
  }

  /** The guard by the policy as it is now, or as it was before if that cannot be had. */
  async reload(): Promise<PageEngine> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  async #load(): Promise<PageEngine> {
    const fetched = load(this.#policy, 'reload')
    // It is awaited once there is an engine.
    fetched.catch(() => {})
    try {
      await this.#start()
      this.current = await latest(this.#policy, fetched, (response) => this.#read(response))
      this.#loaded = performance.now()
      return this.current
    } catch (error) {
      if (this.current === undefined) throw error
      console.error('hostbound: the policy stays as it was', error)
      return this.current
    }
  }

  /** The engine must fit the modules of this worker, which the browser keeps as they were installed: the one that was kept with them does. */
  async #start(): Promise<void> {
    this.#starting ??= latest(this.#engine, load(this.#engine, 'no-cache'), startEngine)
    try {
      await this.#starting
    } catch (error) {
      this.#starting = undefined
      throw error
    }
  }

  async #read(response: Response): Promise<PageEngine> {
    const text = await response.text()
    if (this.current !== undefined && text === this.#text) return this.current
    const guard = new PageEngine(text, String(this.#policy))
    this.#text = text
    this.names = namesOf(text)
    return guard
  }
}

/** What a file comes to that is being fetched, of which a copy is kept then; or, if it cannot be had or is of no use, what the copy does that was last. */
async function latest<Used>(url: string | URL, fetched: Promise<Response>, use: (response: Response) => Promise<Used>): Promise<Used> {
  try {
    const response = await fetched
    const used = await use(response.clone())
    await keep(url, response)
    return used
  } catch (error) {
    const copy = await kept(url)
    if (copy === undefined) throw error
    console.warn(`hostbound: ${String(url)} is taken as it was kept`, error)
    return use(copy)
  }
}

/** Without a copy there is nothing for when the network is away, but what is here is no worse for it. */
async function keep(url: string | URL, response: Response): Promise<void> {
  try {
    const cache = await caches.open(CACHE)
    await cache.put(url, response)
  } catch (error) {
    console.warn(`hostbound: ${String(url)} cannot be kept`, error)
  }
}

async function kept(url: string | URL): Promise<Response | undefined> {
  try {
    const cache = await caches.open(CACHE)
    return await cache.match(url)
  } catch {
    return undefined
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function refusedPage(verdict: PageVerdict | null, names: readonly string[]): Response {
  const lines =
    verdict === null
      ? ['Whether it may start under this name could not be found out, so it was not started.']
      : [`It was opened as ${location.host}, a name that it does not answer to.`, `It answers to: ${names.join(', ')}.`, `${verdict.reason ?? ''} (${verdict.rule ?? 'hosts'})`]
  const paragraphs = lines.map((line) => `<p>${line.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '')}</p>`)
  const title = 'This page was not started'
  return new Response(`<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><main role="alert"><h1>${title}</h1>${paragraphs.join('')}</main>`, {
    status: verdict === null ? 503 : (verdict.status ?? 421),
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'", 'cache-control': 'no-store' },
  })
}
