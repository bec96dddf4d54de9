/**
 * Hostbound in Node: the engine, with tokens, is read from the package's folder.
 *
 * @module
 */

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import type { Engine } from './engine.js'
import { loadEngine, loadToml } from './node/modules.js'
import { decoded, Policy as BasePolicy, type PolicyOptions } from './policy.js'

export * from './common.js'

/** What a service answers as, and to whom; also read from files. */
export class Policy extends BasePolicy {
  /** @internal */
  protected static override load(): Promise<Engine> {
    return loadEngine()
  }

  /** @internal */
  protected static override loadToml(): Promise<void> {
    return loadToml()
  }

  /**
   * Reads a policy from a file: JSON if its first character is `{`, else TOML.
   *
   * @throws {@link PolicyError} with every mistake, its line and column; the file system's error if it cannot be read.
   */
  static async fromFile(path: string | URL, options?: PolicyOptions): Promise<Policy> {
    const named = { file: path instanceof URL ? fileURLToPath(path) : path, ...options }
    return this.fromText(decoded(await readFile(path), named), named)
  }
}
