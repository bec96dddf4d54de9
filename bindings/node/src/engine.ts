import type { WasmGuard, WasmPolicy, WasmSecrets } from '../wasm-node/hostbound.js'

/**
 * A module of the engine that runs: its classes, and the memory that they share. Each policy knows the one that compiled it, and whatever
 * works by the policy works in there: what one module has made means nothing to another.
 *
 * The types are those of Node's module, which has all that the core has.
 */
export interface Engine {
  readonly WasmGuard: typeof WasmGuard
  readonly WasmPolicy: typeof WasmPolicy
  readonly WasmSecrets: typeof WasmSecrets
  /** Its buffer is another one after it has grown. */
  readonly memory: WebAssembly.Memory
}

/** What was generated around a module. */
type Glue = Omit<Engine, 'memory'> & { initSync(options: { module: WebAssembly.Module }): { memory: WebAssembly.Memory } }

/** Instantiates a module; one that runs stays what it is. */
export function start({ initSync, WasmGuard, WasmPolicy, WasmSecrets }: Glue, module: WebAssembly.Module): Engine {
  return { WasmGuard, WasmPolicy, WasmSecrets, memory: initSync({ module }).memory }
}
