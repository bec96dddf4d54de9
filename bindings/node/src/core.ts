// The core, for browsers and edge runtimes: the engine without tokens and without outbound requests, small enough to be sent to a browser.

import * as glue from '../wasm/hostbound.js'
import { type Engine, start } from './engine.js'

let engine: Engine | undefined

/** Instantiates the core, once for all entries. */
export function startCore(module: WebAssembly.Module): Engine {
  return (engine ??= start(glue, module))
}

/** The core, if it runs. */
export function core(): Engine | undefined {
  return engine
}
