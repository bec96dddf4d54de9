/**
 * Hostbound in a page: an app starts under its own name or not at all, and asks for what its policy lists and nothing else.
 *
 * @example
 * ```js
 * import { protect } from 'hostbound/browser'
 *
 * await protect('/hostbound.public.json')
 * await import('./app.js')
 * ```
 *
 * @module
 */

import { guardBeacon } from './browser/beacon.js'
import { guardCache } from './browser/cache.js'
import { guardEventSource, guardWebSocket } from './browser/connections.js'
import { ENGINE, load, namesOf, PageEngine, startEngine } from './browser/engine.js'
import { PageError, type PageVerdict } from './browser/error.js'
import { guardFetch } from './browser/fetch.js'
import { Gate, type Refusal } from './browser/gate.js'
import { notice, show } from './browser/notice.js'
import { guardXhr } from './browser/xhr.js'
import { HostboundError } from './errors.js'

export { PageError, type PageVerdict } from './browser/error.js'
export type { Refusal } from './browser/gate.js'
export { HostboundError, PolicyError, type ErrorCode, type PolicyMistake } from './errors.js'

/** How a page is guarded. */
export interface ProtectOptions {
  /** The service worker that guards what comes before this module: a script that calls `guardWorker` of `hostbound/browser/worker`. It is registered under foreign names too. */
  readonly worker?: string | URL | undefined
  /**
   * Called for whatever is refused. There is also an event `hostbound-refusal` on `window`, with the same in `detail`. What is refused while this runs is not
   * told: a page that is refused cannot send a report.
   */
  readonly onRefusal?: ((refusal: Refusal) => void) | undefined
  /** Whether a page that is refused says so in the place of its body. Default: true. */
  readonly notice?: boolean | undefined
  /** Where the engine is. Default: in this package, next to this module. */
  readonly engine?: string | URL | undefined
}

let gate: Gate | undefined

/**
 * Judges the page by the name that it stands under, and from now on `fetch`, `Cache.add`, `XMLHttpRequest`, `WebSocket`, `EventSource` and
 * `navigator.sendBeacon` by the rules for outbound requests. What is asked for before it is known whether the page may start waits (`fetch`, `Cache.add`) or is refused (all others).
 *
 * @param policy - What `hostbound public` writes: the URL of the file, its text, or the object.
 * @returns The verdict, which is an allow.
 * @throws {@link PageError} if the page stands under a name that the policy does not list, {@link PolicyError} if the policy is refused, {@link HostboundError}
 * `HOSTBOUND_ENGINE` if the engine or the policy cannot be loaded. Then every request of the page is refused, and the app must not be started.
 */
export async function protect(policy: string | URL | object, options: ProtectOptions = {}): Promise<PageVerdict> {
  if (gate !== undefined) throw new HostboundError('HOSTBOUND_OPTION', 'the page is guarded already')
  const { worker, onRefusal, notice: isShown = true, engine = ENGINE } = options
  gate = new Gate(onRefusal)
  for (const guard of [guardFetch, guardCache, guardXhr, guardWebSocket, guardEventSource, guardBeacon]) guard(gate)
  if (worker !== undefined) void register(worker)
  let text = ''
  try {
    const [source] = await Promise.all([sourceOf(policy), load(engine, 'no-cache').then(startEngine)])
    text = source.text
    const pageEngine = new PageEngine(text, source.file)
    const verdict = pageEngine.page()
    if (verdict.decision !== 'allow') throw new PageError(verdict)
    gate.open(pageEngine)
    return verdict
  } catch (thrown) {
    const error = thrown instanceof HostboundError ? thrown : new HostboundError('HOSTBOUND_ENGINE', 'the engine cannot be started', { cause: thrown })
    gate.close(error)
    try {
      if (isShown) show(notice(error, namesOf(text)))
    } catch (thrown) {
      console.error('hostbound: the notice cannot be shown', thrown)
    }
    throw error
  }
}

/** The policy's text, and its name in messages. */
async function sourceOf(policy: string | URL | object): Promise<{ text: string; file: string }> {
  if (typeof policy === 'object' && !(policy instanceof URL)) return { text: JSON.stringify(policy), file: 'policy' }
  if (typeof policy === 'string' && policy.trimStart().startsWith('{')) return { text: policy, file: 'policy' }
  return { text: await (await load(policy, 'reload')).text(), file: String(policy) }
}

/** Where there are no service workers (plain http, private windows) the page goes on without. */
async function register(worker: string | URL): Promise<void> {
  try {
    await navigator.serviceWorker.register(worker, { type: 'module' })
  } catch (error) {
    console.warn('hostbound: the service worker cannot be registered', error)
  }
}
