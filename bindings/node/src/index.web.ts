/**
 * Hostbound in browsers, and wherever WebAssembly may be compiled from a URL next to this module.
 *
 * @module
 */

import { start } from './engine.js'
import { HostboundError } from './errors.js'
import { Policy as BasePolicy } from './policy.js'

export * from './common.js'

let loading: Promise<void> | undefined

/** What a service answers as, and to whom. */
export class Policy extends BasePolicy {
  /** @internal */
  protected static override load(): Promise<void> {
    loading ??= fetchEngine().catch((error: unknown) => {
      // The network may be back the next time.
      loading = undefined
      throw error
    })
    return loading
  }
}

async function fetchEngine(): Promise<void> {
  const url = new URL('../wasm/hostbound_bg.wasm', import.meta.url)
  const response = await fetch(url)
  if (!response.ok) throw new HostboundError('HOSTBOUND_ENGINE', `${url.pathname} was answered with ${response.status}`)
  start(await WebAssembly.compile(await response.arrayBuffer()))
}
