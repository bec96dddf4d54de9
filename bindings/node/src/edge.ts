/**
 * Hostbound where WebAssembly may not be compiled from bytes (Workers and the like): the module is handed over.
 *
 * @example
 * ```js
 * import { Guard, initialize, Policy } from 'hostbound/edge'
 * import engine from 'hostbound/hostbound.wasm'
 *
 * initialize(engine)
 * const guard = new Guard(await Policy.fromObject(policy))
 * ```
 *
 * @module
 */

import { core, startCore } from './core.js'
import type { Engine } from './engine.js'
import { HostboundError } from './errors.js'
import { Policy as BasePolicy } from './policy.js'
import { isTomlStarted, startToml } from './toml.js'

export * from './common.js'

/**
 * Hands over the engine. Once is enough; later calls do nothing.
 *
 * @param module - The default export of `hostbound/hostbound.wasm`.
 * @param toml - The default export of `hostbound/hostbound-toml.wasm`, for policies in TOML.
 * @throws {@link HostboundError} `HOSTBOUND_ENGINE` if it is no compiled module.
 */
export function initialize(module: WebAssembly.Module, toml?: WebAssembly.Module): void {
  if (!(module instanceof WebAssembly.Module) || (toml !== undefined && !(toml instanceof WebAssembly.Module))) {
    throw new HostboundError('HOSTBOUND_ENGINE', '`initialize` takes a WebAssembly.Module')
  }
  startCore(module)
  if (toml !== undefined) startToml(toml)
}

/** What a service answers as, and to whom. Needs {@link initialize} first. */
export class Policy extends BasePolicy {
  /** @internal */
  protected static override async load(): Promise<Engine> {
    const engine = core()
    if (engine === undefined) throw new HostboundError('HOSTBOUND_ENGINE', 'call `initialize` first')
    return engine
  }

  /** @internal */
  protected static override async loadToml(): Promise<void> {
    if (isTomlStarted()) return
    throw new HostboundError('HOSTBOUND_ENGINE', 'for TOML hand `hostbound/hostbound-toml.wasm` to `initialize` too, or compile the policy to JSON')
  }
}
