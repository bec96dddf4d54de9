import { WasmPolicy } from '../wasm/hostbound.js'
import { fromEngine, HostboundError, PolicyError } from './errors.js'
import { readToml } from './toml.js'
import type { Mode } from './verdict.js'

/** How a policy is read. */
export interface PolicyOptions {
  /** The policy's name in messages. Default: `policy`. */
  readonly file?: string | undefined
  /**
   * Exact hosts, each with an optional port, that are appended to `hosts.allow` before the policy is compiled: what only the
   * running service knows, such as the name of a tunnel. The digest is over the result.
   */
  readonly allowHosts?: readonly string[] | undefined
  /** What to call the origin of `allowHosts` in messages. Default: `allowHosts`. */
  readonly allowHostsSource?: string | undefined
}

/** Where a secret of a policy is to be found. */
export interface SecretReference {
  /** `env`: an environment variable; `file`: a path from the policy's folder; `name`: known to the caller. */
  readonly kind: 'env' | 'file' | 'name'
  /** The variable, the path or the name. */
  readonly name: string
}

/** A reader of policies in the engine. */
type Reader<Input> = (input: Input, file: string, hosts: string[], source: string) => WasmPolicy

/** The most levels of nesting, as in JSON. */
export const MAX_DEPTH = 64

/** The engine's policy behind a {@link Policy}. */
export let engineOf: (policy: Policy) => WasmPolicy

/**
 * What a service answers as, and to whom. A `Policy` is valid: nothing about it is checked later.
 *
 * Entries differ in how they load the engine; this is what they share.
 */
export class Policy {
  static {
    engineOf = (policy) => policy.#engine
  }

  readonly #engine: WasmPolicy
  /** `sha256:` and 64 hex digits: the SHA-256 of the RFC 8785 JSON of the document. The same for TOML, JSON and objects. */
  readonly digest: string
  /** The policy's name, or null. */
  readonly name: string | null
  /** Whether it denies or only reports. */
  readonly mode: Mode
  /** True if verdicts depend on the peer: then every request must come with one. */
  readonly needsPeer: boolean
  /** Where the secrets of its signatures are to be found. */
  readonly secrets: readonly SecretReference[]
  /** The names of its `signatures` sections. */
  readonly signatures: readonly string[]
  /** True if it asks for a replay store that all processes share: then a store in memory will not do. */
  readonly needsSharedReplay: boolean
  /** The largest `max_body` of its signatures, in bytes; 0 if it has none. */
  readonly maxBody: number
  /** Those of `allowHosts` that the policy did not cover already. */
  readonly addedHosts: readonly string[]

  /** Policies are made by reading. */
  protected constructor(engine: WasmPolicy) {
    this.#engine = engine
    this.digest = engine.digest
    this.name = engine.name ?? null
    this.mode = engine.mode as Mode
    this.needsPeer = engine.needsPeer
    const secrets = engine.secrets() as [SecretReference['kind'], string][]
    this.secrets = Object.freeze(secrets.map(([kind, name]) => Object.freeze({ kind, name })))
    this.signatures = Object.freeze(engine.signatures)
    this.needsSharedReplay = engine.needsSharedReplay
    this.maxBody = engine.maxBody
    this.addedHosts = Object.freeze(engine.addedHosts)
  }

  /**
   * Loads the engine.
   *
   * @internal
   */
  protected static async load(): Promise<void> {
    throw new HostboundError('HOSTBOUND_ENGINE', 'this class cannot load the engine: import `Policy` from an entry')
  }

  /**
   * Loads the reader of TOML, a module of its own.
   *
   * @internal
   */
  protected static async loadToml(): Promise<void> {
    throw new HostboundError('HOSTBOUND_ENGINE', 'this class cannot load the reader of TOML: import `Policy` from an entry')
  }

  /**
   * Reads a policy in JSON if its first character is `{`, else in TOML.
   *
   * @internal
   */
  protected static async fromText(text: string, options?: PolicyOptions): Promise<Policy> {
    await this.load()
    return WasmPolicy.isJson(text) ? this.fromJson(text, options) : this.fromToml(text, options)
  }

  /**
   * Reads a policy in TOML 1.0.
   *
   * @throws {@link PolicyError} with every mistake, its line and column.
   */
  static async fromToml(text: string, options?: PolicyOptions): Promise<Policy> {
    await Promise.all([this.load(), this.loadToml()])
    return this.compile(tomlReader, checkedText(text), options)
  }

  /**
   * Reads a policy in JSON (RFC 8259), as people or `hostbound compile` write it.
   *
   * @throws {@link PolicyError} with every mistake, its line and column.
   */
  static async fromJson(text: string, options?: PolicyOptions): Promise<Policy> {
    await this.load()
    return this.compile(WasmPolicy.fromJson, checkedText(text), options)
  }

  /**
   * Reads a policy from an object of the same shape as its JSON.
   *
   * @throws {@link PolicyError} with every mistake and its path.
   */
  static async fromObject(object: object, options?: PolicyOptions): Promise<Policy> {
    await this.load()
    if (depthOver(object, MAX_DEPTH)) throw refusal('syntax', `more than ${MAX_DEPTH} levels of nesting`, options)
    return this.compile<object>(WasmPolicy.fromObject, object, options)
  }

  /** @internal */
  protected static compile<Input>(read: Reader<Input>, input: Input, options: PolicyOptions = {}): Policy {
    const { file = 'policy', allowHosts = [], allowHostsSource = 'allowHosts' } = options
    if (!Array.isArray(allowHosts) || !allowHosts.every((host) => typeof host === 'string')) {
      throw new HostboundError('HOSTBOUND_OPTION', '`allowHosts` is a list of strings')
    }
    try {
      return new this(read(input, file, allowHosts, allowHostsSource))
    } catch (error) {
      throw fromEngine(error)
    }
  }
}

const tomlReader: Reader<string> = (text, file, hosts, source) => WasmPolicy.fromTree(readToml(text, file), text, file, hosts, source)

/** An error about the whole document that the engine does not get to see. */
export function refusal(code: string, message: string, { file = 'policy' }: PolicyOptions = {}): PolicyError {
  return new PolicyError(`${file}: ${message}`, [{ code, path: '', message, fix: null, line: null, column: null }])
}

/** The text of a policy's file. */
export function decoded(bytes: Uint8Array, options?: PolicyOptions): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refusal('syntax', 'the file is not UTF-8', options)
  }
}

function checkedText(text: string): string {
  if (typeof text === 'string') return text
  throw new HostboundError('HOSTBOUND_OPTION', 'the text of a policy is a string')
}

/** The engine reads objects by recursion: a circle must not reach it. */
export function depthOver(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => depthOver(member, levels - 1))
}
