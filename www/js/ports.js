// The list of ports that a run is about: what is known, what was added, what is chosen.

import { SERVICES } from './services.js'

/** What keeps a text from becoming a port of the list; the message says what to change. */
export class PortError extends Error {
  name = 'PortError'
}

/** Which ports are offered, and which of them are chosen. */
export class PortList {
  /** @type {Set<number>} */
  #chosen
  /** In the order in which they came. @type {number[]} */
  #added = []
  #limit

  /** @param {number} limit how many may be chosen */
  constructor(limit) {
    this.#limit = limit
    this.#chosen = new Set(SERVICES.slice(0, limit).map(({ port }) => port))
  }

  get limit() {
    return this.#limit
  }

  /** The ports that were added, in the order in which they came. */
  get added() {
    return [...this.#added]
  }

  /** The ports that are chosen, smallest first. */
  get chosen() {
    return [...this.#chosen].sort((one, other) => one - other)
  }

  /** @param {number} port */
  has(port) {
    return this.#chosen.has(port)
  }

  /**
   * @param {number} port one that is offered
   * @param {boolean} isChosen
   * @throws {PortError} when the list is full
   */
  choose(port, isChosen) {
    if (!isChosen) this.#chosen.delete(port)
    else {
      this.#checkRoom(port)
      this.#chosen.add(port)
    }
  }

  /** Chooses all that is offered, as many as there is room for, or nothing. @param {boolean} isChosen */
  chooseAll(isChosen) {
    const offered = [...this.#added, ...SERVICES.map(({ port }) => port)]
    this.#chosen = new Set(isChosen ? offered.slice(0, this.#limit) : [])
  }

  /**
   * Adds a port and chooses it; one that is offered already is chosen.
   *
   * @param {string} text as somebody typed it
   * @returns {number}
   * @throws {PortError}
   */
  add(text) {
    const port = parsePort(text)
    if (this.#chosen.has(port)) throw new PortError(`Port ${port} is in the list already.`)
    this.#checkRoom(port)
    const isOffered = this.#added.includes(port) || SERVICES.some((service) => service.port === port)
    if (!isOffered) this.#added.push(port)
    this.#chosen.add(port)
    return port
  }

  /** @param {number} port one that was added */
  remove(port) {
    this.#added = this.#added.filter((other) => other !== port)
    this.#chosen.delete(port)
  }

  /** @param {number} port */
  #checkRoom(port) {
    if (this.#chosen.size < this.#limit || this.#chosen.has(port)) return
    throw new PortError(`At most ${this.#limit} ports are tested in one run: take one off the list first.`)
  }
}

/**
 * @param {string} text
 * @returns {number} 1 to 65535
 * @throws {PortError}
 */
export function parsePort(text) {
  const trimmed = text.trim()
  if (trimmed === '') throw new PortError('Type a port, a number from 1 to 65535.')
  if (!/^[0-9]{1,10}$/.test(trimmed)) throw new PortError('A port is a whole number, as 3000. Addresses and names are not needed: only this machine is tested.')
  const port = Number(trimmed)
  if (port < 1 || port > 65535) throw new PortError(`There is no port ${port}: they go from 1 to 65535.`)
  return port
}
