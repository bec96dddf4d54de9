import type { WasmPolicy } from '../wasm-node/hostbound.js'
import type { Engine } from './engine.js'
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

/** Where a secret or a key set of a policy is to be found. */
export interface SecretReference {
  /** `env`: an environment variable; `file`: a path from the policy's folder; `name`: known to the caller. */
  readonly kind: 'env' | 'file' | 'name'
  /** The variable, the path or the name. */
  readonly name: string
}

/** A reader of policies in an engine. */
type Reader<Input> = (engine: Engine, input: Input, file: string, hosts: string[], source: string) => WasmPolicy

/** The most levels of nesting, as in JSON. */
const MAX_DEPTH = 64

/** The engine that compiled a {@link Policy}. */
export let engineOf: (policy: Policy) => Engine

/** What it made of it. */
export let compiledOf: (policy: Policy) => WasmPolicy

/**
 * What a service answers as, and to whom. A `Policy` is valid: nothing about it is checked later.
 *
 * Entries differ in the engine that they load; this is what they share.
 */
export class Policy {
  static {
    engineOf = (policy) => policy.#engine
    compiledOf = (policy) => policy.#compiled
  }

  readonly #engine: Engine
  readonly #compiled: WasmPolicy
  /** `sha256:` and 64 hex digits: the SHA-256 of the RFC 8785 JSON of the document. The same for TOML, JSON and objects. */
  readonly digest: string
  /** The policy's name, or null. */
  readonly name: string | null
  /** Whether it denies or only reports. */
  readonly mode: Mode
  /** True if verdicts depend on the peer: then every request must come with one. */
  readonly needsPeer: boolean
  /** Where the secrets of its signatures and the key sets of its tokens are to be found. */
  readonly secrets: readonly SecretReference[]
  /** The names of its `signatures` sections. */
  readonly signatures: readonly string[]
  /** The names of its `tokens` sections. Only Node's engine takes a policy that has any. */
  readonly tokens: readonly string[]
  /** True if judging a request can need another server: keys that are fetched, or introspection. */
  readonly needsFetching: boolean
  /** True if it asks for a replay store that all processes share: then a store in memory will not do. */
  readonly needsSharedReplay: boolean
  /** The largest `max_body` of its signatures, in bytes; 0 if it has none. */
  readonly maxBody: number
  /** Those of `allowHosts` that the policy did not cover already. */
  readonly addedHosts: readonly string[]

  /** Policies are made by reading. */
  protected constructor(engine: Engine, compiled: WasmPolicy) {
    this.#engine = engine
    this.#compiled = compiled
    this.digest = compiled.digest
    this.name = compiled.name ?? null
    this.mode = compiled.mode as Mode
    this.needsPeer = compiled.needsPeer
    const secrets = compiled.secrets() as [SecretReference['kind'], string][]
    this.secrets = Object.freeze(secrets.map(([kind, name]) => Object.freeze({ kind, name })))
    this.signatures = Object.freeze(compiled.signatures)
    this.tokens = Object.freeze(compiled.tokens)
    this.needsFetching = compiled.needsFetching ?? false
    this.needsSharedReplay = compiled.needsSharedReplay
    this.maxBody = compiled.maxBody
    this.addedHosts = Object.freeze(compiled.addedHosts)
  }

  /**
   * Loads the engine.
   *
   * @internal
   */
  protected static async load(): Promise<Engine> {
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
    const { WasmPolicy } = await this.load()
    return WasmPolicy.isJson(text) ? this.fromJson(text, options) : this.fromToml(text, options)
  }

  /**
   * Reads a policy in TOML 1.0.
   *
   * @throws {@link PolicyError} with every mistake, its line and column.
   */
  static async fromToml(text: string, options?: PolicyOptions): Promise<Policy> {
    const [engine] = await Promise.all([this.load(), this.loadToml()])
    return this.compile(engine, tomlReader, checkedText(text), options)
  }

  /**
   * Reads a policy in JSON (RFC 8259), as people or `hostbound compile` write it.
   *
   * @throws {@link PolicyError} with every mistake, its line and column.
   */
  static async fromJson(text: string, options?: PolicyOptions): Promise<Policy> {
    return this.compile(await this.load(), jsonReader, checkedText(text), options)
  }

  /**
   * Reads a policy from an object of the same shape as its JSON.
   *
   * @throws {@link PolicyError} with every mistake and its path.
   */
  static async fromObject(object: object, options?: PolicyOptions): Promise<Policy> {
    const engine = await this.load()
    if (depthOver(object, MAX_DEPTH)) throw refusal('syntax', `more than ${MAX_DEPTH} levels of nesting`, options)
    return this.compile(engine, objectReader, object, options)
  }

  /** @internal */
  protected static compile<Input>(engine: Engine, read: Reader<Input>, input: Input, options: PolicyOptions = {}): Policy {
    const { file = 'policy', allowHosts = [], allowHostsSource = 'allowHosts' } = options
    if (!Array.isArray(allowHosts) || !allowHosts.every((host) => typeof host === 'string')) {
      throw new HostboundError('HOSTBOUND_OPTION', '`allowHosts` is a list of strings')
    }
    try {
      return new this(engine, read(engine, input, file, allowHosts, allowHostsSource))
    } catch (error) {
      throw fromEngine(error)
    }
  }
}

const tomlReader: Reader<string> = ({ WasmPolicy }, text, file, ...hosts) => WasmPolicy.fromTree(readToml(text, file), text, file, ...hosts)
const jsonReader: Reader<string> = ({ WasmPolicy }, ...input) => WasmPolicy.fromJson(...input)
const objectReader: Reader<object> = ({ WasmPolicy }, ...input) => WasmPolicy.fromObject(...input)

/** An error about the whole document that the engine does not get to see. */
function refusal(code: string, message: string, { file = 'policy' }: PolicyOptions = {}): PolicyError {
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
function depthOver(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => depthOver(member, levels - 1))
}
