// The same requests before the command, the engine in wasm, and the engine with node:crypto: in a worker, which says where they differ.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'

import { Guard, Policy } from 'hostbound'

import { PUBLIC, SECRET } from './forged.mjs'
import { mutants, NOW, specials } from './mutants.mjs'

const BATCH = 1000
/** How many differences are told. */
const TOLD = 20

function policyOf() {
  const common = { audience: ['api.example.com'], types: ['at+jwt', 'JWT', ''] }
  const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']
  const own = { ...common, issuer: 'https://a.example/', algorithms, keys: { file: 'public.json' } }
  const strict = { required_claims: ['sub', 'iat'], expect: { client_id: ['a', 'b'] }, max_lifetime: '2h', max_age: '5m', clock_tolerance: '0s' }
  return {
    version: 1,
    hosts: { allow: ['localhost'] },
    tokens: {
      public: { ...own, cache: false },
      seen: own,
      strict: { ...own, ...strict },
      secret: { ...common, issuer: 'https://b.example/', algorithms: ['HS256', 'HS384', 'HS512'], keys: { file: 'secret.json' } },
    },
    routes: [
      { path: '/public', require: ['token:public'] },
      { path: '/seen', require: ['token:seen'] },
      { path: '/strict', require: ['token:strict'] },
      { path: '/secret', require: ['token:secret'] },
      { path: '/either', require: ['token:public|token:secret'] },
      { path: '/scoped', require: ['token:public'], scopes: ['write', 'read'] },
    ],
  }
}

/** Judges by one policy in three ways. `judge` gives the verdicts on some tokens, by way: they are told apart by `native`, `engine` and `runtime`. */
export class Judges {
  #reading = []
  constructor(command, policy, keySets) {
    this.folder = mkdtempSync(join(tmpdir(), 'hostbound-'))
    const path = (name) => join(this.folder, name)
    writeFileSync(path('policy.json'), policy)
    for (const [name, text] of Object.entries(keySets)) writeFileSync(path(name), text)
    if (command !== undefined) {
      this.native = spawn(command, ['decide', '--policy', path('policy.json')], { stdio: ['pipe', 'pipe', 'inherit'] })
      // Not by readline, which in Node 24 takes U+2028 for the end of a line.
      let rest = ''
      this.native.stdout.setEncoding('utf8').on('data', (chunk) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop()
        for (const line of lines) this.#reading.shift()(line)
      })
    }
  }

  static async open(command, keySets, document = policyOf()) {
    const text = JSON.stringify(document)
    const judges = new Judges(command, text, keySets)
    const policy = await Policy.fromJson(text, { file: join(judges.folder, 'policy.json') })
    const [engine, runtime] = ['engine', 'runtime'].map((verifier) => new Guard(policy, { secrets: keySets, verifier }))
    return Object.assign(judges, { engine, runtime, time: { native: 0, engine: 0, runtime: 0 } })
  }

  /** The three verdicts on each, as lines of JSON. */
  async judge(tokens) {
    const { native, time } = this
    const common = { now: NOW, method: 'GET', scheme: 'https' }
    const parts = tokens.map(({ token, path }) => ({ target: path, value: Buffer.from(`Bearer ${token}`, 'latin1') }))
    const lines = native && parts.map(() => new Promise((resolve) => this.#reading.push(resolve)))
    const documents = parts.map(({ target, value }) => {
      const isPlain = /^[ -~]*$/.test(value.toString('latin1'))
      return `${JSON.stringify({ ...common, target, headers: [['host', 'localhost'], ['authorization', isPlain ? value.toString() : { base64: value.toString('base64') }]] })}\n`
    })
    const begun = performance.now()
    if (native && !native.stdin.write(documents.join(''))) await once(native.stdin, 'drain')
    const byNative = native && (await Promise.all(lines))
    time.native += performance.now() - begun
    const by = (way) => {
      const start = performance.now()
      const found = parts.map(({ target, value }) => this[way].decideJson({ ...common, target, headers: [['host', 'localhost'], ['authorization', value]] }))
      time[way] += performance.now() - start
      return found
    }
    const [byEngine, byRuntime] = [by('engine'), by('runtime')]
    return tokens.map((_, index) => ({ native: byNative?.[index] ?? byEngine[index], engine: byEngine[index], runtime: byRuntime[index] }))
  }

  async close() {
    if (this.native) {
      this.native.stdin.end()
      await once(this.native, 'close')
    }
    rmSync(this.folder, { recursive: true })
  }
}

function* batches(tokens) {
  let batch = []
  for (const token of tokens) {
    if (batch.push(token) < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}

/** What the verdicts on tokens come to: how many of each reason and kind, and everything that must not be. */
export async function compare({ command, seed, count }) {
  const { keys, tokens } = specials()
  const keySets = { 'public.json': JSON.stringify({ keys: [...PUBLIC, ...keys] }), 'secret.json': JSON.stringify({ keys: SECRET }) }
  const judges = await Judges.open(command, keySets)
  const result = { count: 0, reasons: {}, kinds: {}, differences: [], unexpected: [], wrong: 0 }
  const all = function* () {
    yield* tokens
    yield* mutants(seed, count - tokens.length)
  }
  const tell = (list, what) => {
    result.wrong += 1
    if (list.length < TOLD) list.push(what)
  }
  for (const batch of batches(all())) {
    for (const [index, { native, engine, runtime }] of (await judges.judge(batch)).entries()) {
      const { kind, expects, token, path, alg } = batch[index]
      result.count += 1
      if (native !== engine || engine !== runtime) tell(result.differences, { seed, kind, alg, path, token, native, engine, runtime })
      const { decision, reason } = JSON.parse(engine)
      if (expects !== undefined && decision !== expects) tell(result.unexpected, { seed, kind, alg, path, token, expects, engine })
      result.reasons[reason ?? 'allowed'] = (result.reasons[reason ?? 'allowed'] ?? 0) + 1
      const counts = (result.kinds[kind] ??= { allow: 0, deny: 0 })
      counts[decision] += 1
    }
  }
  await judges.close()
  return { ...result, time: judges.time }
}

if (!isMainThread) parentPort.postMessage(await compare(workerData))
