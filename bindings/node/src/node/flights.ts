/** The default of how many flights there are at a time. */
const MAX_FLIGHTS = 64

/** Work that is done once for all who ask for it at the same time. What comes of it is kept nowhere. */
export class Flights<Key, Result> {
  readonly #full: Result
  readonly #limit: number
  /** INVARIANT: at most `#limit`, and none that has settled. */
  readonly #inAir = new Map<Key, Promise<Result>>()

  /** `full` is what those get for whom there is no room. */
  constructor(full: Result, limit: number = MAX_FLIGHTS) {
    this.#full = full
    this.#limit = limit
  }

  /** How many flights are in the air. */
  get size(): number {
    return this.#inAir.size
  }

  /**
   * Joins the flight for `key` (the same by `Map`), or starts one. All who joined share its result, or its error. Beyond the limit
   * nothing is started.
   */
  run(key: Key, start: () => Promise<Result>): Promise<Result> {
    const known = this.#inAir.get(key)
    if (known !== undefined) return known
    if (this.#inAir.size >= this.#limit) return Promise.resolve(this.#full)
    // `start` is called after the entry is there: one that throws at once must not leave it behind.
    const flight = Promise.resolve().then(start).finally(() => this.#inAir.delete(key))
    this.#inAir.set(key, flight)
    return flight
  }
}
