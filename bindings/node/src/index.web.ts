/**
 * Hostbound in browsers, and wherever WebAssembly may be compiled from a URL next to this module.
 *
 * @module
 */

import { startCore } from './core.js'
import type { Engine } from './engine.js'
import { HostboundError } from './errors.js'
import { Policy as BasePolicy } from './policy.js'
import { startToml } from './toml.js'

export * from './common.js'

const loadEngine = once(async () => startCore(await fetchModule(new URL('../wasm/hostbound_bg.wasm', import.meta.url))))
const loadReader = once(async () => startToml(await fetchModule(new URL('../wasm-toml/hostbound_bg.wasm', import.meta.url))))

/** What a service answers as, and to whom. */
export class Policy extends BasePolicy {
  /** @internal */
  protected static override load(): Promise<Engine> {
    return loadEngine()
  }

  /** @internal */
  protected static override loadToml(): Promise<void> {
    return loadReader()
  }
}

async function fetchModule(url: URL): Promise<WebAssembly.Module> {
  const response = await fetch(url)
  if (!response.ok) throw new HostboundError('HOSTBOUND_ENGINE', `${url.pathname} was answered with ${response.status}`)
  return WebAssembly.compile(await response.arrayBuffer())
}

/** Done once, unless it fails: the network may be back the next time. */
function once<Result>(load: () => Promise<Result>): () => Promise<Result> {
  let loading: Promise<Result> | undefined
  return () =>
    (loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    }))
}
