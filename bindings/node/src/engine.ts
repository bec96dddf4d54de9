import { initSync } from '../wasm/hostbound.js'
import { HostboundError } from './errors.js'

let memory: WebAssembly.Memory | undefined

/** Instantiates the engine, once for all entries. */
export function start(module: WebAssembly.Module): void {
  memory ??= initSync({ module }).memory
}

/** True if the engine runs. */
export function isStarted(): boolean {
  return memory !== undefined
}

/** The engine's memory. Its buffer is another one after it has grown. */
export function engineMemory(): WebAssembly.Memory {
  if (memory === undefined) throw new HostboundError('HOSTBOUND_ENGINE', 'the engine is not loaded')
  return memory
}
