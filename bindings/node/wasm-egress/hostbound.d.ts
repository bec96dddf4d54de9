/* tslint:disable */
/* eslint-disable */

/**
 * A guard for outbound requests. JSON goes in and comes out: beside a look-up and a handshake it costs nothing.
 */
export class WasmEgress {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * The file with the certificate authorities of the URL's destination.
     */
    certificateAuthorities(url: string): string | undefined;
    /**
     * The file with the client certificate and key for the URL's destination.
     */
    clientCertificate(url: string): string | undefined;
    /**
     * True if a header carries a credential.
     */
    isCredential(header: string): boolean;
    /**
     * The verdict, as JSON, on an outbound request in JSON.
     *
     * # Errors
     * `HOSTBOUND_REQUEST` if it is no outbound request.
     */
    judgeEgress(document: string): string;
    /**
     * The longest target, in characters, for which that counts.
     */
    static longestPlainTarget(): number;
    /**
     * A guard for a policy.
     */
    constructor(policy: WasmPolicy);
    /**
     * The pins of the URL's destination; empty if it has none.
     */
    pins(url: string): string[];
    /**
     * A regular expression for path and query: if a URL with such a target is allowed as it is written, before the look-up and with nothing reported,
     * so is every URL of the same origin with another, up to `longestPlainTarget`, and the same names of headers.
     */
    static plainTarget(): string;
}

/**
 * A guard, its replay store in memory, and the buffer for a packed request and, behind it, its body.
 */
export class WasmGuard {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * The integer form of the verdict, by what a store made of the claim: `made`, `present`, `full`, or anything else for a store that failed;
     * and since when, in Unix seconds, it has kept every claim.
     */
    answer(length: number, body: number, outcome: string, epoch: bigint): number;
    /**
     * The most bytes of body that the request in the buffer may have; undefined if its body is not asked for.
     */
    bodyLimit(): number | undefined;
    /**
     * Judges the request but for its nonce: what a store has to claim for it, or undefined if it is decided.
     *
     * # Errors
     * `HOSTBOUND_REQUEST` if the buffer holds no packed request.
     */
    claim(length: number, body: number): any;
    /**
     * The header that the response to the request in the buffer carries beside the text: `WWW-Authenticate: …` or `Retry-After: …`.
     *
     * # Errors
     * As `verdict`.
     */
    clientHeader(): string | undefined;
    /**
     * The text of the response to the request in the buffer; empty on allow.
     *
     * # Errors
     * As `verdict`.
     */
    clientText(): string;
    /**
     * Judges the head that is packed in the first `length` bytes of the buffer: the integer form of the inspection, or 2^32-1 if it is no packed
     * request; `verdict` then throws why. An integer, not an exception, since a result that may be one costs a call out of wasm.
     */
    inspect(length: number): number;
    /**
     * Judges the whole request: the head, behind it `body` bytes of body, and its nonce by the store in memory. The integer form of the verdict.
     */
    judgeWhole(length: number, body: number): number;
    /**
     * A guard for a policy. `epoch`, in Unix seconds, is the first whole second after its replay store was created: now.
     *
     * # Errors
     * `HOSTBOUND_POLICY` for secrets that are missing or cannot be keys.
     */
    constructor(policy: WasmPolicy, secrets: WasmSecrets, epoch: bigint);
    /**
     * The scripts of a replay store in Redis: the one that makes a claim, and the one that marks a new beginning.
     */
    static redisScripts(): string[];
    /**
     * Judges by another policy and other secrets from now on. What was claimed stays claimed; if a key that was loaded before makes other claims now,
     * its window or its name having changed, the replay store in memory begins anew at `epoch`.
     *
     * # Errors
     * As the constructor; then nothing has changed.
     */
    reload(policy: WasmPolicy, secrets: WasmSecrets, epoch: bigint): void;
    /**
     * Makes the buffer at least `length` bytes long, keeps what is in it, and says where it lies. It never shrinks.
     */
    reserve(length: number): number;
    /**
     * The headers that sign the request in the buffer, and what is signed: `{headers, base, bodyLength}`.
     *
     * # Errors
     * `HOSTBOUND_SIGN` if it cannot be signed, `HOSTBOUND_REQUEST` if the buffer holds no packed request.
     */
    sign(length: number, body: number, section: string, key_id?: string | null, nonce?: string | null): any;
    /**
     * The full verdict on the request in the buffer, as JSON.
     *
     * # Errors
     * As `verdict`.
     */
    verdictJson(id?: string | null): string;
    /**
     * The full verdict on the request in the buffer, as an object.
     *
     * # Errors
     * `HOSTBOUND_REQUEST` if the buffer holds no packed request, or one whose body or nonce was not judged.
     */
    verdict(id?: string | null): any;
}

/**
 * A valid policy.
 */
export class WasmPolicy {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Reads and compiles JSON, as people or `hostbound compile` write it.
     * `file` is its name in messages; `hosts`, found in `source`, are appended to `hosts.allow` first.
     *
     * # Errors
     * `HOSTBOUND_POLICY`, with every mistake in `errors`.
     */
    static fromJson(text: string, file: string, hosts: string[], source: string): WasmPolicy;
    /**
     * Reads and compiles a JS object. Its mistakes have paths, but no lines. The caller bounds its depth.
     *
     * # Errors
     * As `fromJson`.
     */
    static fromObject(object: any, file: string, hosts: string[], source: string): WasmPolicy;
    /**
     * Compiles the tree of a TOML document, which `WasmToml.read` of another module read from the text.
     *
     * # Errors
     * As `fromJson`.
     */
    static fromTree(tree: Uint8Array | number[], text: string, file: string, hosts: string[], source: string): WasmPolicy;
    /**
     * True for a text that is read as JSON, not TOML.
     */
    static isJson(text: string): boolean;
    /**
     * Where the secrets of the policy are to be found: `[kind, name]`, kind being `env`, `file` or `name`.
     */
    secrets(): any;
    /**
     * The hosts that were appended and not covered already.
     */
    readonly addedHosts: string[];
    /**
     * `sha256:` and 64 hex digits.
     */
    readonly digest: string;
    /**
     * The largest `max_body` of the signatures, in bytes; 0 if there are none.
     */
    readonly maxBody: number;
    /**
     * `enforce` or `report`.
     */
    readonly mode: string;
    /**
     * The name, if it has one.
     */
    readonly name: string | undefined;
    /**
     * True if the verdict depends on the transport peer.
     */
    readonly needsPeer: boolean;
    /**
     * True if the policy asks for a replay store that all processes share.
     */
    readonly needsSharedReplay: boolean;
    /**
     * The names of the `signatures` sections.
     */
    readonly signatures: string[];
}

/**
 * The values of secrets. They are wiped when this is freed.
 */
export class WasmSecrets {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Keeps the value of one of the policy's secrets, told by its kind and name. False if the policy has none such.
     */
    insert(policy: WasmPolicy, kind: string, name: string, value: Uint8Array | number[]): boolean;
    /**
     * None yet.
     */
    constructor();
}

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_wasmegress_free: (a: number, b: number) => void;
    readonly __wbg_wasmguard_free: (a: number, b: number) => void;
    readonly __wbg_wasmpolicy_free: (a: number, b: number) => void;
    readonly __wbg_wasmsecrets_free: (a: number, b: number) => void;
    readonly wasmegress_certificateAuthorities: (a: number, b: number, c: number) => [number, number];
    readonly wasmegress_clientCertificate: (a: number, b: number, c: number) => [number, number];
    readonly wasmegress_isCredential: (a: number, b: number, c: number) => number;
    readonly wasmegress_judgeEgress: (a: number, b: number, c: number) => [number, number, number, number];
    readonly wasmegress_longestPlainTarget: () => number;
    readonly wasmegress_new: (a: number) => number;
    readonly wasmegress_pins: (a: number, b: number, c: number) => [number, number];
    readonly wasmegress_plainTarget: () => [number, number];
    readonly wasmguard_answer: (a: number, b: number, c: number, d: number, e: number, f: bigint) => number;
    readonly wasmguard_bodyLimit: (a: number) => [number, number];
    readonly wasmguard_claim: (a: number, b: number, c: number) => [number, number, number];
    readonly wasmguard_clientHeader: (a: number) => [number, number, number];
    readonly wasmguard_clientText: (a: number) => [number, number, number, number];
    readonly wasmguard_inspect: (a: number, b: number) => number;
    readonly wasmguard_judgeWhole: (a: number, b: number, c: number) => number;
    readonly wasmguard_new: (a: number, b: number, c: bigint) => [number, number, number];
    readonly wasmguard_redisScripts: () => [number, number];
    readonly wasmguard_reload: (a: number, b: number, c: number, d: bigint) => [number, number];
    readonly wasmguard_reserve: (a: number, b: number) => number;
    readonly wasmguard_sign: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number) => [number, number, number];
    readonly wasmguard_verdict: (a: number, b: number, c: number) => [number, number, number];
    readonly wasmguard_verdictJson: (a: number, b: number, c: number) => [number, number, number, number];
    readonly wasmpolicy_addedHosts: (a: number) => [number, number];
    readonly wasmpolicy_digest: (a: number) => [number, number];
    readonly wasmpolicy_fromJson: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => [number, number, number];
    readonly wasmpolicy_fromObject: (a: any, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number];
    readonly wasmpolicy_fromTree: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => [number, number, number];
    readonly wasmpolicy_isJson: (a: number, b: number) => number;
    readonly wasmpolicy_maxBody: (a: number) => number;
    readonly wasmpolicy_mode: (a: number) => [number, number];
    readonly wasmpolicy_name: (a: number) => [number, number];
    readonly wasmpolicy_needsPeer: (a: number) => number;
    readonly wasmpolicy_needsSharedReplay: (a: number) => number;
    readonly wasmpolicy_secrets: (a: number) => any;
    readonly wasmpolicy_signatures: (a: number) => [number, number];
    readonly wasmsecrets_insert: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number) => number;
    readonly wasmsecrets_new: () => number;
    readonly ring_core_0_17_14__bn_mul_mont: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_exn_store: (a: number) => void;
    readonly __externref_table_alloc: () => number;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __externref_drop_slice: (a: number, b: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
