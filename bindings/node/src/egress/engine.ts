// The engine that judges outbound requests: a module of its own, since its URL parser is more than browsers should load.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { initSync, WasmEgress, WasmPolicy } from '../../wasm-egress/hostbound.js'
import { fromEngine, HostboundError } from '../errors.js'
import { loadToml, once, readModule } from '../node/modules.js'
import { decoded, depthOver, MAX_DEPTH, refusal } from '../policy.js'
import { readToml } from '../toml.js'
import type { Mode } from '../verdict.js'
import type { EgressRequest, EgressVerdict } from './verdict.js'

/** Loads the engine for outbound requests. */
const loadEngine = once(async () => void initSync({ module: await readModule('wasm-egress') }))

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

  private constructor(policy: WasmPolicy, folder: string) {
    this.#engine = new WasmEgress(policy)
    this.folder = folder
    this.name = policy.name ?? null
    this.mode = policy.mode as Mode
    this.digest = policy.digest
  }

  /** Reads a policy: a path, or an object of the shape of its JSON. */
  static async load(policy: string | URL | object): Promise<EgressEngine> {
    await loadEngine()
    if (typeof policy === 'string' || policy instanceof URL) {
      const path = policy instanceof URL ? fileURLToPath(policy) : policy
      const text = decoded(await readFile(path), { file: path })
      return this.#compile(await reader(text, path), dirname(resolve(path)))
    }
    if (typeof policy !== 'object' || policy === null) {
      throw new HostboundError('HOSTBOUND_OPTION', '`policy` is a path or an object')
    }
    if (depthOver(policy, MAX_DEPTH)) throw refusal('syntax', `more than ${MAX_DEPTH} levels of nesting`)
    return this.#compile(() => WasmPolicy.fromObject(policy, 'policy', [], ''), process.cwd())
  }

  static #compile(read: () => WasmPolicy, folder: string): EgressEngine {
    try {
      return new this(read(), folder)
    } catch (error) {
      throw fromEngine(error)
    }
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

/** What compiles the text of a policy. */
async function reader(text: string, path: string): Promise<() => WasmPolicy> {
  if (WasmPolicy.isJson(text)) return () => WasmPolicy.fromJson(text, path, [], '')
  await loadToml()
  return () => WasmPolicy.fromTree(readToml(text, path), text, path, [], '')
}

