import type { Memory } from './pack.js'

/** What has a buffer in the memory of a wasm module. */
interface Buffered {
  reserve(length: number): number
}

/** The buffer of one guard, seen through a view that is renewed when the engine's memory has grown. */
export class GuardMemory implements Memory {
  readonly #engine: Buffered
  readonly #memory: WebAssembly.Memory
  #view = new Uint8Array()

  constructor(engine: Buffered, memory: WebAssembly.Memory) {
    this.#engine = engine
    this.#memory = memory
  }

  room(length: number): Uint8Array {
    // When memory grows, views of it lose their length.
    if (length > this.#view.length) {
      const size = Math.max(4096, 2 ** Math.ceil(Math.log2(length)))
      const start = this.#engine.reserve(size)
      this.#view = new Uint8Array(this.#memory.buffer, start, size)
    }
    return this.#view
  }
}

const encoder = new TextEncoder()
const NOTHING = new Uint8Array()

/** Puts a body behind a packed head and returns its length. */
export function putBody(body: string | Uint8Array | undefined, head: number, memory: Memory): number {
  const bytes = typeof body === 'string' ? encoder.encode(body) : (body ?? NOTHING)
  memory.room(head + bytes.length).set(bytes, head)
  return bytes.length
}
