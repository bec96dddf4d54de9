import { HostboundError } from '../errors.js'
import { Lines, type Log } from '../node/lines.js'
import { type Destination, destinationOf } from './destination.js'
import type { EgressEngine } from './engine.js'
import { EgressError } from './error.js'
import { Memo } from './memo.js'
import type { EgressIdentity, EgressReason, EgressRequest, EgressVerdict } from './verdict.js'

/** Called for a request that is refused. Errors in it are logged and change nothing. */
export type OnDeny = (verdict: EgressVerdict, request: EgressRequest) => void

/** When a request is judged: by `fetch`, before it is dispatched, before anything is looked up for it, when its addresses are known. */
export type Stage = 'fetch' | 'request' | 'look-up' | 'connection'

/** A request is judged at several stages; in report mode each reason is logged at one of them. */
const REPORTED_AT: Record<EgressReason, Exclude<Stage, 'look-up'>> = {
  url_malformed: 'request',
  scheme_not_allowed: 'request',
  userinfo_not_allowed: 'request',
  port_not_allowed: 'request',
  destination_not_allowed: 'request',
  address_missing: 'connection',
  address_not_allowed: 'connection',
  redirect_not_allowed: 'fetch',
  credentials_not_allowed: 'request',
  pin_mismatch: 'connection',
}

/** The name or the value of a header, in a flat list of them in turn. */
export type Field = string | string[]

/** A verdict that allows. */
export type Allowed = EgressVerdict & { readonly identity: EgressIdentity }

/** Judges, and tells the log and the hook what was refused. */
export class EgressGuard {
  readonly engine: EgressEngine
  readonly #lines: Lines
  readonly #onDeny: OnDeny | undefined
  /** The Host of requests that the engine allowed. INVARIANT: with a plain target the answer depends on the policy and the question alone. */
  readonly #hosts = new Memo<string>()

  constructor(engine: EgressEngine, log: Log | undefined, onDeny: OnDeny | undefined) {
    if (onDeny !== undefined && typeof onDeny !== 'function') {
      throw new HostboundError('HOSTBOUND_OPTION', '`onDeny` is a function')
    }
    this.engine = engine
    this.#lines = new Lines(log)
    this.#onDeny = onDeny
  }

  started(ignoredProxies: readonly string[]): void {
    const { name, mode, digest } = this.engine
    const proxies_ignored = ignoredProxies.length === 0 ? undefined : ignoredProxies
    this.#lines.write({ hostbound: 'start', face: 'egress', name, mode, policy: digest, proxies_ignored })
  }

  /**
   * The verdict on a request that may be sent.
   *
   * @throws {@link EgressError} if it may not.
   */
  admit(request: EgressRequest, stage: Stage, cause?: unknown): Allowed {
    const verdict = this.engine.judge(request)
    if (isAllowed(verdict)) {
      const [report] = verdict.reported
      if (report !== undefined && REPORTED_AT[report.reason] === stage) this.#write('report', report, verdict.policy)
      return verdict
    }
    const { reason, rule, detail } = verdict
    this.#write('deny', { reason, rule, detail }, verdict.policy)
    try {
      this.#onDeny?.(verdict, request)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#lines.write({ hostbound: 'error', what: 'onDeny', detail: message })
    }
    const where = rule === null ? '' : ` (${rule})`
    // A verdict that denies has a reason.
    throw new EgressError(reason as EgressReason, `${reason}: ${detail}${where}`, verdict, cause === undefined ? {} : { cause })
  }

  /**
   * Where a request goes that is about to be dispatched. What the engine allowed before is not asked again.
   *
   * @throws {@link EgressError} if it may not be sent.
   */
  destination(origin: string, target: string, fields: readonly Field[]): Destination {
    // With their lengths, since a name that is none may have any character.
    let names = ''
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index] as string
      names += `${name.length}:${name}`
    }
    const isPlain = this.engine.isPlainTarget(target)
    const host = isPlain ? this.#hosts.get(origin, names) : undefined
    if (host !== undefined) return { origin, host, target }

    const headers = fields.filter((_, index) => index % 2 === 0) as string[]
    const url = origin + target
    const { identity, reported } = this.admit({ url, headers }, 'request')
    const destination = destinationOf(identity.url)
    const isAsWritten = identity.url === url && destination.origin === origin
    if (isPlain && isAsWritten && reported.length === 0) this.#hosts.set(origin, names, destination.host)
    return destination
  }

  /** The names, never the values, of headers that were removed at a redirect to another origin. */
  stripped(headers: readonly string[], host: string): void {
    this.#lines.writeSome({ hostbound: 'strip', headers, host, policy: this.engine.digest })
  }

  #write(event: string, { reason, rule, detail }: Failure, policy: string): void {
    this.#lines.writeSome({ hostbound: event, face: 'egress', reason, rule, detail, policy })
  }
}

type Failure = Pick<EgressVerdict, 'reason' | 'rule' | 'detail'>

function isAllowed(verdict: EgressVerdict): verdict is Allowed {
  return verdict.decision === 'allow' && verdict.identity !== null
}
