// What judges outbound requests: a part of Node's engine, since its URL parser is more than browsers should load.

import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { WasmEgress } from '../../wasm-node/hostbound.js'
import { fromEngine, HostboundError } from '../errors.js'
import { Policy } from '../index.node.js'
import { compiledOf } from '../policy.js'
import type { Mode } from '../verdict.js'
import type { EgressRequest, EgressVerdict } from './verdict.js'

/** A policy, ready to judge outbound requests. */
export class EgressEngine {
  readonly #engine: WasmEgress
  /** The folder that paths in the policy are relative to. */
  readonly folder: string
  /** The policy's name, or null. */
  readonly name: string | null
  /** Whether it denies or only reports. */
  readonly mode: Mode
  /** `sha256:` and 64 hex digits. */
  readonly digest: string
  readonly #plainTarget = new RegExp(WasmEgress.plainTarget())
  readonly #longestPlainTarget = WasmEgress.longestPlainTarget()

  /** INVARIANT: a `Policy` of Node's entry, whose engine has the class. */
  private constructor(policy: Policy, folder: string) {
    this.#engine = new WasmEgress(compiledOf(policy))
    this.folder = folder
    this.name = policy.name
    this.mode = policy.mode
    this.digest = policy.digest
  }

  /** Reads a policy: a path, or an object of the shape of its JSON; or takes one that was read. `folder` is that of the paths in the latter two. */
  static async load(policy: string | URL | Policy | object, folder: string = process.cwd()): Promise<EgressEngine> {
    if (policy instanceof Policy) return new this(policy, folder)
    if (typeof policy === 'string' || policy instanceof URL) {
      const path = policy instanceof URL ? fileURLToPath(policy) : policy
      return new this(await Policy.fromFile(path), dirname(resolve(path)))
    }
    if (typeof policy !== 'object' || policy === null) {
      throw new HostboundError('HOSTBOUND_OPTION', '`policy` is a path or an object')
    }
    return new this(await Policy.fromObject(policy), folder)
  }

  /** The verdict on an outbound request. */
  judge(request: EgressRequest): EgressVerdict {
    let verdict: string
    try {
      verdict = this.#engine.judgeEgress(JSON.stringify(request))
    } catch (error) {
      throw fromEngine(error)
    }
    return JSON.parse(verdict) as EgressVerdict
  }

  /**
   * True for a path and query that change no verdict: what the engine allows as it is written, with nothing reported, it allows
   * with any other such target and the same origin and headers. The expression is the engine's.
   */
  isPlainTarget(target: string): boolean {
    return target.length <= this.#longestPlainTarget && this.#plainTarget.test(target)
  }

  /** True if the URL's destination has pins. */
  hasPins(url: string): boolean {
    return this.#engine.pins(url).length > 0
  }

  /** The path of the certificate authorities of the URL's destination. */
  certificateAuthorities(url: string): string | undefined {
    return this.#path(this.#engine.certificateAuthorities(url))
  }

  /** The path of the client certificate and key for the URL's destination. */
  clientCertificate(url: string): string | undefined {
    return this.#path(this.#engine.clientCertificate(url))
  }

  /** True if a header carries a credential. */
  isCredential(header: string): boolean {
    return this.#engine.isCredential(header)
  }

  #path(path: string | undefined): string | undefined {
    return path === undefined ? undefined : resolve(this.folder, path)
  }
}
