import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { inRepository } from './files.mjs'

/** The command `hostbound`: the one that HOSTBOUND_CLI names, or the one that is built; undefined if there is none. */
export function commandOf() {
  const built = join(process.env.CARGO_TARGET_DIR ?? inRepository('target'), 'release/hostbound')
  return [process.env.HOSTBOUND_CLI, built].find((path) => path && existsSync(path))
}
