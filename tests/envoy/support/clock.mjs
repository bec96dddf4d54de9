// A wall clock that a test sets, for programs that are started with `env`. See clock.c.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('clock.c', import.meta.url))

/** The library that makes programs look at a clock of a test, built into a folder. */
export function clockLibrary(folder) {
  const library = join(folder, 'clock.so')
  execFileSync('clang', ['-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', library, SOURCE])
  return library
}

export class Clock {
  #file
  #bytes = new BigInt64Array(1)

  /** A clock in a file of its own. */
  constructor(library, path, seconds) {
    this.#file = openSync(path, 'w+')
    this.env = { LD_PRELOAD: library, HOSTBOUND_CLOCK: path }
    this.set(seconds)
  }

  /** From now on it is so many seconds after 1970. */
  set(seconds) {
    this.#bytes[0] = BigInt(seconds)
    writeSync(this.#file, this.#bytes, 0, 8, 0)
  }

  close() {
    closeSync(this.#file)
  }
}
