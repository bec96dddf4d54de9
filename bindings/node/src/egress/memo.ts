/** The most answers that are kept. */
export const MAX_ANSWERS = 1024

/** The longest question that is kept, in characters. */
export const MAX_QUESTION = 2048

/**
 * What was answered for an origin and the names of headers, as they were written. It holds no rule: an answer is given again for
 * the very same question only. When it is full, all is forgotten.
 */
export class Memo<Answer> {
  /** By names, then by origin: strings that are never joined to one that two questions could share. */
  readonly #answers = new Map<string, Map<string, Answer>>()
  #size = 0

  /** How many answers are kept. */
  get size(): number {
    return this.#size
  }

  /** The answer, if it was kept and is not forgotten. */
  get(origin: string, names: string): Answer | undefined {
    return this.#answers.get(names)?.get(origin)
  }

  /** Keeps an answer, unless its question is too long. */
  set(origin: string, names: string, answer: Answer): void {
    if (origin.length + names.length > MAX_QUESTION) return
    if (this.#size >= MAX_ANSWERS) {
      this.#answers.clear()
      this.#size = 0
    }
    let byOrigin = this.#answers.get(names)
    if (byOrigin === undefined) this.#answers.set(names, (byOrigin = new Map()))
    if (!byOrigin.has(origin)) this.#size += 1
    byOrigin.set(origin, answer)
  }
}
