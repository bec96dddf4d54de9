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
  constructor(module: WebAssembly.Module, policy: string, file: string) {
    initSync({ module })
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

/** What a file holds, not from the browser's cache unless the server says that it is current. */
export async function load(url: string | URL): Promise<Response> {
  let response
  try {
    response = await native.fetch.call(globalThis, url, { cache: 'no-cache' })
  } catch (error) {
    throw new HostboundError('HOSTBOUND_ENGINE', `${String(url)} cannot be loaded`, { cause: error })
  }
  if (!response.ok) throw new HostboundError('HOSTBOUND_ENGINE', `${String(url)} was answered with ${response.status}`)
  return response
}

export async function compileEngine(response: Response): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await response.arrayBuffer())
}
