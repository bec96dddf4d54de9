// Compiled, never run: what an application writes in TypeScript.

import { promises as dns } from 'node:dns'
import { createServer, type IncomingMessage } from 'node:http'
import { createSecureServer } from 'node:http2'

import connect from 'connect'
import express from 'express'
import {
  type Check, Guard, HostboundError, type HttpRequest, type Identity, isDenied, Policy, PolicyError, REASON_CODES, type Reason, reasonOf,
  statusOf, type Verdict,
} from 'hostbound'
import * as edge from 'hostbound/edge'
import { type Egress, EgressError, type EgressReason, type EgressVerdict, hostboundEgress } from 'hostbound/egress'
import engine from 'hostbound/hostbound.wasm'
import { hostbound, type HostboundOptions, type NodeGuard, Policy as FilePolicy } from 'hostbound/node'
import { request as outbound } from 'undici'
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
express().use(node.middleware).get('/', ({ hostbound }, response) => void response.send(hostbound?.host))
connect().use(node.middleware)
createServer().on('upgrade', (message, socket, head) => {
  if (node.upgrade(message, socket, head)) new WebSocketServer({ noServer: true }).handleUpgrade(message, socket, head, () => {})
})

edge.initialize(engine)
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
