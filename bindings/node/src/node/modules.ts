// The engine's modules, read from the package's folder.

import { readFile } from 'node:fs/promises'

import * as glue from '../../wasm-node/hostbound.js'
import { start } from '../engine.js'
import { startToml } from '../toml.js'
import { NodeVerifier } from './verify.js'

/** Loads the engine: Node's own module, which also judges tokens and outbound requests. */
export const loadEngine = once(async () => start(glue, await readModule('wasm-node'), () => new NodeVerifier()))

/** Loads the reader of TOML. */
export const loadToml = once(async () => startToml(await readModule('wasm-toml')))

/** Reads and compiles the module in a folder of the package. */
async function readModule(folder: string): Promise<WebAssembly.Module> {
  const bytes = await readFile(new URL(`../../${folder}/hostbound_bg.wasm`, import.meta.url))
  return WebAssembly.compile(new Uint8Array(bytes))
}

/** Something that is done at most once. */
function once<Result>(load: () => Promise<Result>): () => Promise<Result> {
  let loading: Promise<Result> | undefined
  return () => (loading ??= load())
}
