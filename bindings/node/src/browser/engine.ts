import { initSync, WasmPage } from '../../wasm-web/hostbound.js'
import { fromEngine, HostboundError } from '../errors.js'
import type { PageVerdict } from './error.js'
import { native } from './natives.js'

/** Where the engine lies in this package. */
export const ENGINE = new URL('../../wasm-web/hostbound_bg.wasm', import.meta.url)

/** Judges the page, or the service worker, that it runs in, and what that asks for. */
export class PageEngine {
  readonly #page: WasmPage

  /**
   * @param policy - JSON, as `hostbound public` writes it.
   * @throws `PolicyError` if the policy is refused.
   */
  constructor(policy: string, file: string) {
    try {
      this.#page = new WasmPage(policy, file)
    } catch (error) {
      throw fromEngine(error)
    }
  }

  /** The verdict on the page itself. */
  page(): PageVerdict {
    return native.parseJson(this.#page.page()) as PageVerdict
  }

  /** The verdict on a request: its URL as the browser writes it, the names of the headers that it sets, and the URL that redirected there. */
  request(url: string, headers: string[], from?: string): PageVerdict {
    return native.parseJson(this.#page.request(url, from, headers)) as PageVerdict
  }
}

/** The names that a policy in JSON lists. */
export function namesOf(policy: string): string[] {
  try {
    const { hosts } = JSON.parse(policy) as { hosts?: { allow?: unknown } }
    return Array.isArray(hosts?.allow) ? hosts.allow.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}

/**
 * What a file holds. `no-cache`: from the browser's cache if the server says that this is current. `reload`: from the network, whatever servers that had the
 * name before have left in the cache.
 */
export async function load(url: string | URL, cache: 'no-cache' | 'reload'): Promise<Response> {
  let response
  try {
    response = await native.fetch.call(globalThis, url, { cache })
  } catch (error) {
    throw new HostboundError('HOSTBOUND_ENGINE', `${String(url)} cannot be loaded`, { cause: error })
  }
  if (!response.ok) throw new HostboundError('HOSTBOUND_ENGINE', `${String(url)} was answered with ${response.status}`)
  return response
}

/** Starts the engine from its file; one that runs already stays. Until then there is no `PageEngine`. */
export async function startEngine(response: Response): Promise<void> {
  initSync({ module: await WebAssembly.compile(await response.arrayBuffer()) })
}
