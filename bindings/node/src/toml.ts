import { initSync, WasmToml } from '../wasm-toml/hostbound.js'

let isStarted = false

/** Instantiates the reader of TOML, once for all entries. */
export function startToml(module: WebAssembly.Module): void {
  if (!isStarted) initSync({ module })
  isStarted = true
}

/** True if the reader of TOML runs. */
export function isTomlStarted(): boolean {
  return isStarted
}

/** The tree of a document, for the engine. Throws what the engine would. */
export function readToml(text: string, file: string): Uint8Array {
  return WasmToml.read(text, file)
}
