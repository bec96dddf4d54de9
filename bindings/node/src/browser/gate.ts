import { dom } from './dom.js'
import type { PageEngine } from './engine.js'
import { PageError, type PageVerdict } from './error.js'
import { HostboundError } from '../errors.js'
import { native } from './natives.js'

/** What a `hostbound-refusal` event tells, and what `onRefusal` gets. In report mode also of what would have been refused: then the verdict is an allow. */
export interface Refusal {
  /** What was asked for; null: the page itself. */
  readonly url: string | null
  /** The verdict; null if there is no engine to give one: then everything is refused. */
  readonly verdict: PageVerdict | null
  /** The same as an error. */
  readonly error: HostboundError
}

/** What every request of the page passes. Closed until there is an engine, and for good if there will be none. */
export class Gate {
  #engine: PageEngine | undefined
  #why = new HostboundError('HOSTBOUND_ENGINE', 'the guard is not ready yet')
  #settle!: () => void
  readonly #onRefusal: ((refusal: Refusal) => void) | undefined
  #isTelling = false
  /** Settled when it is known whether the page may start. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve
  })
  isSettled = false

  constructor(onRefusal?: (refusal: Refusal) => void) {
    this.#onRefusal = onRefusal
  }

  open(engine: PageEngine): void {
    this.#engine = engine
    this.#end()
  }

  /** Nothing passes from now on. */
  close(error: HostboundError): void {
    this.#why = error
    this.#end()
    this.#tell(null, error)
  }

  /** Whoever listens decides nothing: what they throw is reported, and what they ask for that is refused as well is not told. */
  #tell(url: string | null, error: HostboundError): HostboundError {
    if (this.#isTelling) return error
    this.#isTelling = true
    const refusal: Refusal = { url, verdict: error instanceof PageError ? error.verdict : null, error }
    try {
      this.#onRefusal?.(refusal)
    } catch (thrown) {
      native.reportError(thrown)
    }
    try {
      dom.dispatchEvent(window, new native.CustomEvent('hostbound-refusal', { detail: refusal }))
    } finally {
      this.#isTelling = false
    }
    return error
  }

  #end(): void {
    this.isSettled = true
    this.#settle()
  }

  /** Why a request must not be sent, or its answer not be read; undefined if it may. */
  refusal(url: string, headers: string[], from?: string): HostboundError | undefined {
    const verdict = this.#engine?.request(url, headers, from)
    if (verdict?.decision === 'allow') {
      if (verdict.reported.length > 0) this.#tell(url, new PageError(verdict))
      return undefined
    }
    return this.#tell(url, verdict === undefined ? this.#why : new PageError(verdict))
  }
}

/** A URL as the platform reads it in this document; undefined if it is none. */
export function absolute(text: string): URL | undefined {
  try {
    return new native.URL(text, dom.baseUri(document))
  } catch {
    return undefined
  }
}

/** Puts a value where the platform has its own, as it has it. */
export function replace(object: object, key: string, value: unknown): void {
  native.defineProperty(object, key, { ...Object.getOwnPropertyDescriptor(object, key), value })
}

/** The platform's own, but for what the handler says. */
export function wrap<Target extends object>(target: Target, handler: ProxyHandler<Target>): Target {
  // Else whoever gives `Object.prototype` a `get` is handed what is wrapped.
  return new native.Proxy(target, Object.setPrototypeOf(handler, null) as ProxyHandler<Target>)
}
