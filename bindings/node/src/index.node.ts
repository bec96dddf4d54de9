/**
 * Hostbound in Node: the engine is read from the package's folder.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { WasmPolicy } from '../wasm/hostbound.js'
import { start } from './engine.js'
import { decoded, Policy as BasePolicy, type PolicyOptions } from './policy.js'

export * from './common.js'

let loading: Promise<void> | undefined

/** What a service answers as, and to whom; also read from files. */
export class Policy extends BasePolicy {
  /** @internal */
  protected static override load(): Promise<void> {
    loading ??= readEngine()
    return loading
  }

  /**
   * Reads a policy from a file: JSON if its first character is `{`, else TOML.
   *
   * @throws {@link PolicyError} with every mistake, its line and column; the file system's error if it cannot be read.
   */
  static async fromFile(path: string | URL, options?: PolicyOptions): Promise<Policy> {
    await this.load()
    const named = { file: path instanceof URL ? fileURLToPath(path) : path, ...options }
    return this.compile(WasmPolicy.fromText, decoded(await readFile(path), named), named)
  }
}

async function readEngine(): Promise<void> {
  const bytes = await readFile(new URL('../wasm/hostbound_bg.wasm', import.meta.url))
  start(await WebAssembly.compile(new Uint8Array(bytes)))
}
