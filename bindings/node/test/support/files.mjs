import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { casesOf, FILES } from './vectors.mjs'

/** A path in the repository. */
export function inRepository(path) {
  return fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
}

export function readJson(path) {
  return JSON.parse(readFileSync(inRepository(path), 'utf8'))
}

/** Every case of every file of vectors. */
export function vectors() {
  return FILES.flatMap((name) => casesOf(readJson(`tests/vectors/${name}.json`)))
}
