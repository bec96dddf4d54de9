// The verdicts in the log of an Envoy, by the id of their request.

const LINE = /\]\[(warning|info)\]\[wasm\].*hostbound: (\{.*\})$/

export class Verdicts {
  #byId = new Map()

  /** Reads a line of the log. */
  hear(line) {
    const [, level, json] = LINE.exec(line) ?? []
    if (json === undefined) return
    const verdict = JSON.parse(json)
    this.#byId.set(verdict.id, { level, verdict })
  }

  /** The verdict on the request with this id, and the level at which it was logged. */
  of(id) {
    return this.#byId.get(id)
  }
}
