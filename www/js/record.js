// What is known of a run: collected as its events come, whole or not.

/** One attempt: planned, and what it came to. */
export class Attempt {
  /** @type {import('./types.js').CaseResult | null} */
  result = null
  isOpen = false

  /** @param {number} number @param {import('./types.js').Case} plan */
  constructor(number, plan) {
    this.number = number
    this.plan = plan
  }
}

/** A run, from its first event on. */
export class RunRecord {
  started = new Date()
  /** @type {import('./types.js').Target[]} */
  targets = []
  /** @type {Attempt[]} */
  attempts = []
  /** The whole run; null until it is over. @type {import('./types.js').Run | null} */
  run = null
  /** @type {import('./types.js').Advice[]} */
  advice = []
  /** The lab's own report. @type {string | null} */
  html = null

  /** Names outside of the lab that the browser asked for; null: not known. @type {string[] | null} */
  strays = null

  /** @param {import('./types.js').LabFacts} lab */
  constructor(lab) {
    this.lab = lab
  }

  /** @param {import('./types.js').LabEvent} event */
  take(event) {
    switch (event.event) {
      case 'targets':
        this.targets = event.targets
        return
      case 'plan':
        this.attempts = event.cases.map((plan, number) => new Attempt(number, plan))
        return
      case 'open':
      case 'close':
        this.#attempt(event.number).isOpen = event.event === 'open'
        return
      case 'case': {
        const attempt = this.#attempt(event.number)
        attempt.result = event.result
        attempt.isOpen = false
        return
      }
      case 'done':
        this.run = event.run
        this.advice = event.advice
        this.html = event.html
    }
  }

  get total() {
    return this.attempts.length
  }

  get over() {
    return this.attempts.filter(({ result }) => result !== null).length
  }

  /** What there is of a run that is not whole, for export. */
  partial() {
    return {
      format: this.lab.format,
      hostbound: this.lab.hostbound,
      started: this.started.toISOString(),
      partial: true,
      browser: this.lab.browser,
      targets: this.targets,
      planned: this.total,
      cases: this.attempts.flatMap(({ result }) => (result === null ? [] : [result])),
    }
  }

  /** @param {number} number */
  #attempt(number) {
    const attempt = this.attempts[number]
    if (attempt === undefined) throw new RangeError(`the lab speaks of attempt ${number}, which is not in its plan`)
    return attempt
  }
}
