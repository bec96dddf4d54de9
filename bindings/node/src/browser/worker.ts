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

import { compileEngine, ENGINE, load, PageEngine } from './engine.js'
import type { PageVerdict } from './error.js'
import { namesOf } from './notice.js'

export type { PageVerdict } from './error.js'

/** How a service worker guards its pages. */
export interface WorkerOptions {
  /** The URL of what `hostbound public` wrote. */
  readonly policy: string | URL
  /** Where the engine is. Default: in this package, next to this module. */
  readonly engine?: string | URL | undefined
  /** Called for whatever is refused; without a verdict if there is no engine to give one. */
  readonly onRefusal?: ((url: string, verdict: PageVerdict | null) => void) | undefined
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
  const { policy, engine = ENGINE, onRefusal } = options
  const scope = globalThis as unknown as WorkerScope
  const keeper = new Keeper(policy, engine)
  scope.addEventListener('install', (event) => event.waitUntil(keeper.ready().then(() => scope.skipWaiting())))
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
  scope.addEventListener('fetch', (event) => {
    const { request } = event
    const isNavigation = request.mode === 'navigate'
    const now = keeper.current
    // Judged at once, an allowed request is the browser's own business: the answer need not pass through here.
    if (now !== undefined && judge(now, request).decision === 'allow') {
      if (isNavigation) event.waitUntil(keeper.refresh())
      return
    }
    event.respondWith(answer(keeper, request, isNavigation, onRefusal))
  })
}

async function answer(keeper: Keeper, request: Request, isNavigation: boolean, onRefusal: WorkerOptions['onRefusal']): Promise<Response> {
  let verdict: PageVerdict | null = null
  try {
    const guard = await keeper.ready()
    verdict = judge(guard, request)
    // The policy may list the name by now.
    if (verdict.decision === 'deny' && isNavigation) verdict = judge(await keeper.reload(), request)
  } catch (error) {
    console.error('hostbound: everything is refused', error)
  }
  if (verdict?.decision === 'allow') return fetch(request)
  onRefusal?.(request.url, verdict)
  return isNavigation ? refusedPage(verdict, keeper.names) : Response.error()
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
  readonly #module: () => Promise<WebAssembly.Module>
  #loading: Promise<PageEngine> | undefined
  #loaded = -FRESH
  #text = ''

  constructor(policy: string | URL, engine: string | URL) {
    this.#policy = policy
    let module: Promise<WebAssembly.Module> | undefined
    const compiled = async (): Promise<WebAssembly.Module> => {
      const { response, keep } = await kept(engine)
      const module = await compileEngine(response.clone())
      await keep()
      return module
    }
    this.#module = () =>
      (module ??= compiled().catch((error: unknown) => {
        module = undefined
        throw error
      }))
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
    try {
      const [module, { response, keep }] = await Promise.all([this.#module(), kept(this.#policy)])
      const text = await response.clone().text()
      if (this.current === undefined || text !== this.#text) {
        this.current = new PageEngine(module, text, String(this.#policy))
        this.#text = text
        this.names = namesOf(text)
      }
      // Not before it is known to be a policy.
      await keep()
      this.#loaded = performance.now()
      return this.current
    } catch (error) {
      if (this.current === undefined) throw error
      console.error('hostbound: the policy stays as it was', error)
      return this.current
    }
  }
}

/** A file from the network, and what keeps it; or as it was last. */
async function kept(url: string | URL): Promise<{ response: Response; keep: () => Promise<void> }> {
  const cache = await caches.open(CACHE)
  try {
    const response = await load(url)
    return { response, keep: () => cache.put(url, response) }
  } catch (error) {
    const response = await cache.match(url)
    if (response === undefined) throw error
    return { response, keep: async () => {} }
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
