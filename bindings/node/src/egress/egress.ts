import type { Dispatcher, RequestInit, Response } from 'undici'

import type { Connector } from './connect.js'
import { type DispatcherOptions, dispatcherOf } from './dispatcher.js'
import { type FetchInput, fetchGuarded } from './fetch.js'
import type { EgressGuard } from './guard.js'
import type { EgressRequest, EgressVerdict } from './verdict.js'

/** What of a request `judgeUrl` takes beside the URL. */
export type JudgedWith = Pick<EgressRequest, 'from' | 'headers'>

/** Sends requests where the policy lets them go. Made by `hostboundEgress`. */
export class Egress {
  readonly #guard: EgressGuard
  readonly #connector: Connector
  #dispatcher: Dispatcher | undefined

  /** @internal */
  constructor(guard: EgressGuard, connector: Connector) {
    this.#guard = guard
    this.#connector = connector
  }

  /** The policy's digest: `sha256:` and 64 hex digits. */
  get digest(): string {
    return this.#guard.engine.digest
  }

  /**
   * The verdict on a URL before any look-up, such as for one that somebody typed in. It does not say that the request will be
   * allowed: addresses are judged when they are known.
   */
  judgeUrl(url: string, { from = null, headers = [] }: JudgedWith = {}): EgressVerdict {
    return this.#guard.engine.judge({ url, from, headers })
  }

  /** The verdict on an outbound request in the form of the contract, for what looks up and connects by itself. */
  judge(request: EgressRequest): EgressVerdict {
    return this.#guard.engine.judge(request)
  }

  /**
   * A dispatcher for undici's `request`, `stream`, `fetch`, `WebSocket`, with pools of its own. Each request is judged, each
   * connection is looked up once and goes to an address that was judged, and refusals are {@link EgressError}s. Proxies of the
   * environment are not used. Redirects that others follow through it are judged as new requests: prefer {@link Egress.fetch}.
   *
   * @throws {@link HostboundError} `HOSTBOUND_OPTION` for options that would decide where a connection goes.
   */
  dispatcher(options?: DispatcherOptions): Dispatcher {
    return dispatcherOf(this.#guard, this.#connector, options)
  }

  /**
   * Undici's `fetch` through a dispatcher of this guard. Every redirect is judged; at one to another origin the headers that
   * carry credentials are removed, and their names are logged.
   *
   * @throws {@link EgressError} for a request or a redirect that is refused; else what `fetch` throws.
   */
  readonly fetch = async (input: FetchInput, init?: RequestInit): Promise<Response> => {
    this.#dispatcher ??= this.dispatcher()
    return fetchGuarded(this.#guard, this.#dispatcher, input, init)
  }

  /** Ends the connections of {@link Egress.fetch} once they are idle. */
  async close(): Promise<void> {
    const dispatcher = this.#dispatcher
    this.#dispatcher = undefined
    await dispatcher?.close()
  }
}
