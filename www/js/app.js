// The page: its state, what it knows, and the run that is under way. Each state is shown by a view.

import { calm, say, sayProgress, warn } from './announce.js'
import { loadEngine } from './engine.js'
import { Frames } from './frames.js'
import { findLab, LabError, LostError, runLab } from './lab.js'
import { PortList } from './ports.js'
import { RunRecord } from './record.js'
import { FragmentError, fromFragment, isShared } from './share.js'
import { next } from './state.js'
import { count, plain } from './text.js'
import { show } from './view/show.js'
import { loadWords } from './words.js'

/** Whether somebody asked for a change: only then the focus may move. @typedef {'by-user' | 'by-itself'} Cause */

export class App {
  /** @type {import('./state.js').State} */
  state = 'starting'
  /** @type {import('./types.js').LabFacts | null} */
  lab = null
  /** @type {import('./engine.js').PolicyEngine | null} */
  engine = null
  /** @type {PortList | null} */
  ports = null
  /** The last run, whole or not. @type {RunRecord | null} */
  record = null
  /** What went wrong, for people. */
  trouble = ''
  /** @type {import('./share.js').Shared | null} */
  shared = null

  /** @type {AbortController | null} */
  #cancelling = null
  #frames = new Frames()
  /** @type {import('./view/show.js').View | null} */
  #view = null

  async start() {
    addEventListener('hashchange', () => {
      if (isShared(location.hash) && this.state !== 'running') this.#open('by-user')
    })
    addEventListener('pagehide', () => this.#cancelling?.abort())
    await this.#look('by-itself')
  }

  /** Goes where an event leads. @param {string} event @param {Cause} [cause] */
  send(event, cause = 'by-user') {
    const state = next(this.state, event)
    if (state === null) return
    this.state = state
    calm()
    this.#view?.end?.()
    this.#view = show(this, cause === 'by-user')
  }

  /** Looks for the lab again. */
  async again() {
    this.send('again')
    await this.#look('by-user')
  }

  /** Leaves a shared result for this browser's own. */
  async leave() {
    history.replaceState(null, '', location.pathname)
    this.shared = null
    this.send('leave')
    await this.#look('by-user')
  }

  cancel() {
    this.#cancelling?.abort()
  }

  /** Carries a run out, to whatever end. */
  async run() {
    const { lab, ports } = this
    if (lab === null || ports === null) return
    const record = new RunRecord(lab)
    this.record = record
    const cancelling = new AbortController()
    this.#cancelling = cancelling
    this.send('start')
    say('The test has started.')
    try {
      for await (const event of runLab(ports.chosen, cancelling.signal)) this.#take(record, event)
      const found = await findLab()
      record.strays = found.kind === 'lab' ? found.lab.strays : null
      this.send('finish')
      // The focus is on the headline, which is read then.
      say('The test is over.')
    } catch (error) {
      this.#broke(error, cancelling.signal)
    } finally {
      this.#cancelling = null
      this.#frames.closeAll()
    }
  }

  /** @param {RunRecord} record @param {import('./types.js').LabEvent} event */
  #take(record, event) {
    record.take(event)
    if (event.event === 'open') {
      const plan = record.attempts[event.number]?.plan
      this.#frames.open(event.number, event.url, plain(`Attack ${event.number + 1}: ${plan?.strategy} by ${plan?.method} on ${plan?.target}`, 120))
    } else if (event.event === 'close' || event.event === 'case') {
      this.#frames.close(event.number)
    }
    if (event.event === 'case') sayProgress(`${record.over} of ${count(record.total, 'attempt')} done.`)
    this.#view?.update?.()
  }

  /** @param {unknown} error @param {AbortSignal} signal */
  #broke(error, signal) {
    if (signal.aborted) {
      this.send('cancel')
      say('The test was cancelled.')
      return
    }
    this.trouble = plain(error instanceof Error ? error.message : error, 500)
    const isLost = error instanceof LostError
    this.send(isLost ? 'lose' : 'fail')
    warn(isLost ? 'The lab does not answer any more.' : `The test cannot go on: ${this.trouble}`)
    if (!isLost && !(error instanceof LabError)) console.error(error)
  }

  /** Finds out what the page can do here. @param {Cause} cause */
  async #look(cause) {
    try {
      await loadWords()
    } catch {
      return this.send('unreachable', cause)
    }
    if (isShared(location.hash)) return this.#open(cause)
    const found = await findLab()
    if (found.kind === 'other') {
      this.trouble = found.message
      this.send('fail', cause)
      return warn(found.message)
    }
    if (found.kind !== 'lab') return this.send(found.kind, cause)
    try {
      this.engine ??= await loadEngine()
    } catch (error) {
      this.trouble = plain(error instanceof Error ? error.message : error, 300)
      // The engine's files may only be out of reach.
      const { kind } = await findLab()
      return this.send(kind === 'unreachable' ? 'unreachable' : 'engineless', cause)
    }
    this.lab = found.lab
    this.ports ??= new PortList(found.lab.max_ports)
    this.send('found', cause)
  }

  /** Opens the result in the address. @param {Cause} cause */
  #open(cause) {
    try {
      this.shared = fromFragment(location.hash)
      this.send('open', cause)
    } catch (error) {
      if (!(error instanceof FragmentError)) throw error
      this.trouble = error.message
      this.send('break', cause)
      warn('This link holds no result.')
    }
  }
}
