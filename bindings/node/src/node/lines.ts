/** Takes one line of JSON, without the line feed. */
export type Log = (line: string) => void

/** The most lines a second of those that a stranger can cause. */
const LINES_A_SECOND = 10

/** Writes lines of JSON. A flood of denials must not become a flood of lines: what is over the rate is counted. */
export class Lines {
  readonly #log: Log | undefined
  #second = 0
  #lines = 0
  #suppressed = 0

  constructor(log: Log | undefined) {
    this.#log = log
  }

  /** True if lines go somewhere. */
  get isOn(): boolean {
    return this.#log !== undefined
  }

  /** Writes a line. */
  write(line: object): void {
    try {
      this.#log?.(JSON.stringify(line))
    } catch {
      // A log that fails must not decide who is served.
    }
  }

  /** Writes a line, unless there were too many in this second. */
  writeSome(line: object): void {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#lines = 0
    }
    if (this.#lines >= LINES_A_SECOND) {
      this.#suppressed += 1
      return
    }
    this.#lines += 1
    const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed
    this.#suppressed = 0
    this.write({ ...line, suppressed })
  }
}
