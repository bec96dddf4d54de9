// The engine's modules, read from the package's folder.

import { readFile } from 'node:fs/promises'

import { start } from '../engine.js'
import { startToml } from '../toml.js'

/** Loads the engine. */
export const loadEngine = once(async () => start(await readModule('wasm')))

/** Loads the reader of TOML. */
export const loadToml = once(async () => startToml(await readModule('wasm-toml')))

/** Reads and compiles the module in a folder of the package. */
export async function readModule(folder: string): Promise<WebAssembly.Module> {
  const bytes = await readFile(new URL(`../../${folder}/hostbound_bg.wasm`, import.meta.url))
  return WebAssembly.compile(new Uint8Array(bytes))
}

/** Something that is done at most once. */
export function once(load: () => Promise<void>): () => Promise<void> {
  let loading: Promise<void> | undefined
  return () => (loading ??= load())
}
