// Compiled, never run: what an application writes in TypeScript.

import { promises as dns } from 'node:dns'
import { createServer, type IncomingMessage } from 'node:http'
import { createSecureServer } from 'node:http2'

import connect from 'connect'
import express from 'express'
import {
  type Check, Guard, HostboundError, type HttpRequest, type Identity, isDenied, type KeysKept, needsAnswer, needsBody, Policy, PolicyError, REASON_CODES, type Reason,
  reasonOf, type ReplayClaim, type ReplayOutcome, type SecretReference, type Secrets, type SignedRequest, statusOf, type TokenAnswer, type TokenIdentity, type TokenQuestion,
  type Verdict,
} from 'hostbound'
import { PageError, type PageVerdict, protect, type ProtectOptions, type Refusal } from 'hostbound/browser'
import { guardWorker, type WorkerOptions } from 'hostbound/browser/worker'
import * as edge from 'hostbound/edge'
import { type Egress, EgressError, type EgressReason, type EgressVerdict, hostboundEgress } from 'hostbound/egress'
import engine from 'hostbound/hostbound.wasm'
import toml from 'hostbound/hostbound-toml.wasm'
import { hostbound, type HostboundOptions, type JwsAlgorithm, KeySet, type NodeGuard, Policy as FilePolicy, type ReplayStore } from 'hostbound/node'
import { redisReplay } from 'hostbound/redis'
import { hostboundSigner, type Signer } from 'hostbound/sign'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { Agent, fetch as undiciFetch, request as outbound } from 'undici'
import { WebSocketServer } from 'ws'

const policy: Policy = await FilePolicy.fromFile('hostbound.toml', { allowHosts: ['a.example'] })
const policies: Policy[] = [policy, await Policy.fromToml(''), await Policy.fromJson('{}', { file: 'a' }), await Policy.fromObject({})]
const guard = new Guard(policies[0] as Policy)

const raw = ['host', 'localhost'] as const
const request: HttpRequest = { method: 'GET', target: '/', headers: [['host', new Uint8Array()]], version: '2', peer: null }
const code: number = guard.inspect({ ...request, headers: raw })
const reason: Reason | null = reasonOf(code)
const verdict: Verdict = guard.decide(request)
const check: Check | null = verdict.check
const text: string = guard.decideJson(request) + guard.clientText() + String(isDenied(code)) + statusOf(code) + REASON_CODES.host_missing

function tell(error: unknown): string {
  if (error instanceof PolicyError) return error.errors.map(({ line, fix }) => `${line ?? '-'} ${fix ?? ''}`).join()
  return error instanceof HostboundError ? error.code : 'other'
}

const options: HostboundOptions = {
  policy,
  onDeny: ({ detail }, { target }, message) => console.log(detail, target, 'rawHeaders' in message ? message.url : message.id),
  log: false,
}
const node: NodeGuard = await hostbound(options)
const onRequest = (message: IncomingMessage): Identity | undefined => message.hostbound
node.protect(createServer(onRequest)).listen(0)
node.protect(createSecureServer({ allowHTTP1: true })).on('request', (message) => message.hostbound?.route)
express().use(node.middleware).get('/', ({ auth, hostbound }, response) => void response.send([hostbound?.host, auth?.scopes]))
connect().use(node.middleware)
const onToken = ({ auth, hostbound }: IncomingMessage): TokenIdentity | null | undefined => auth ?? hostbound?.token
const token: unknown = verdict.identity?.token?.claims.tenant
export { onToken, token }
const keySet: KeySet = await KeySet.fromJson('{}', { verifier: 'engine' })
const allowed: JwsAlgorithm[] = ['ES256']
const found = keySet.verify('', allowed)
const bytes: Uint8Array = found.reason === null ? found.payload : new TextEncoder().encode(found.reason satisfies Reason)
export { bytes }
export const pins: string[] = keySet.thumbprints
createServer().on('upgrade', (message, socket, head) => {
  if (node.upgrade(message, socket, head)) new WebSocketServer({ noServer: true }).handleUpgrade(message, socket, head, () => {})
})

edge.initialize(engine)
edge.initialize(engine, toml)
new edge.Guard(await edge.Policy.fromToml(''))

// @ts-expect-error: duplicates would be lost
guard.inspect({ ...request, headers: { host: 'localhost' } })
// @ts-expect-error: a version of HTTP that there is not
guard.inspect({ ...request, version: '1.2' })
// @ts-expect-error: a policy is needed
await hostbound({})
// @ts-expect-error: only made by reading
new Policy()

export { check, reason, tell, text }

const egress: Egress = await hostboundEgress({ policy: {}, resolver: new dns.Resolver(), log: false, onDeny: ({ rule }, { url }) => tell([rule, url]) })
const outboundVerdict: EgressVerdict = egress.judgeUrl('https://a.example/', { from: null, headers: ['authorization'] })
const outboundReason: EgressReason | null = outboundVerdict.reason
const fetched: string = await (await egress.fetch(new URL('https://a.example/'), { method: 'POST', body: 'x' })).text()
const { statusCode } = await outbound('https://a.example/', { dispatcher: egress.dispatcher({ connections: 1 }) })
const failure: string = new EgressError('tls_failed', fetched, outboundVerdict).reason
export { failure, outboundReason, statusCode }

const references: readonly SecretReference[] = policy.secrets
const secrets: Secrets = { [references[0]?.name ?? '']: new Uint8Array(32), KEY: 'text' }
const signed = new Guard(policy, { secrets, epoch: 0 })
const body: string | Uint8Array = needsBody(signed.inspect(request)) ? 'x' : new Uint8Array()
const judged: number = signed.judge({ ...request, body, now: 1 })
const store: ReplayStore = { claim: async ({ key, expires }: ReplayClaim): Promise<ReplayOutcome> => ({ outcome: key === '' ? 'made' : 'present', epoch: expires }) }
const claim: ReplayClaim | undefined = signed.claim({ ...request, body })
const answered: number = claim === undefined ? judged : signed.answer({ ...request, body }, await store.claim(claim))
const added: SignedRequest = signed.sign(request, { section: 'api', keyId: 'k1', nonce: 'x'.repeat(16) })
const who: string | null | undefined = signed.verdict().identity?.signature?.nonce ?? signed.clientHeader()?.[1]
signed.reload(policy, { secrets })
const most: number | undefined = signed.bodyLimit()
export { added, answered, most, who }

const question: TokenQuestion | undefined = needsAnswer(code) ? guard.question() : undefined
const served: TokenAnswer = { status: 200, contentType: undefined, body: new Uint8Array() }
const kept: KeysKept = guard.keepKeys(question?.section ?? '', question?.body === null ? served : undefined, 1)
if (guard.isRefreshDue('access', 1)) guard.refreshing('access', kept.refreshAt ?? 0)
const introspected: number = guard.judge({ ...request, introspection: question?.authorization === null ? null : served })
const fetches: boolean = policy.needsFetching
await hostbound({ policy, verifier: 'engine', egress: { resolver: new dns.Resolver(), timeout: 1000 } })
node.close()
export { fetches, introspected, kept }
// @ts-expect-error: bytes
guard.keepKeys('access', { ...served, body: '{}' })
// @ts-expect-error: one or the other
await hostbound({ policy, verifier: 'node' })

const signer: Signer = await hostboundSigner({ policy, secrets, section: 'api', keyId: undefined })
const response: Response = await signer.fetch(new Request('https://a.example/'), { method: 'POST', body: new FormData(), redirect: 'manual' })
await hostboundSigner({ policy: 'hostbound.toml', fetch: egress.fetch })
await outbound('https://a.example/', { dispatcher: new Agent().compose(signer.interceptor) })
await undiciFetch('https://a.example/', { dispatcher: egress.dispatcher().compose(signer.interceptor) })
export const [header] = signer.sign({ ...request, body: await response.text() }, 'nonce').headers

await hostbound({ policy, secrets: { KEY: 'text' }, replay: redisReplay(await createClient().connect()) })
await hostbound({ policy, replay: redisReplay(new Redis(), { timeout: 100 }) })
await node.reload()

// @ts-expect-error: no client
redisReplay({})
// @ts-expect-error: `failed` and the like, nothing else
signed.answer(request, { outcome: 'yes', epoch: 0 })
// @ts-expect-error: a section is named
signed.sign(request, {})

const pageOptions: ProtectOptions = { worker: new URL('https://a.example/sw.js'), onRefusal: ({ url, verdict, error }: Refusal) => tell([url, verdict?.reason, error.code]), notice: false }
const pageVerdict: PageVerdict = await protect('/hostbound.public.json', pageOptions).catch((error: unknown) => {
  if (error instanceof PageError) return error.verdict
  throw error
})
await protect({ version: 1, hosts: { allow: ['a.example'] } })
const workerOptions: WorkerOptions = { policy: '/hostbound.public.json', onRefusal: (url, verdict) => tell([url, verdict?.rule]) }
guardWorker(workerOptions)
export { pageVerdict }
// @ts-expect-error: a policy is needed
guardWorker({})
