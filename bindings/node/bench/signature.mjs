// A worker of `cargo xtask bench`: signed requests of 1 KiB through the engine in WebAssembly, beside ring's HMAC in WebAssembly and
// the npm package for RFC 9421. The protocol is that of worker.mjs.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { Guard, Policy } from 'hostbound'
import { httpbis } from 'http-message-signatures'

import { initSync, Mac } from '../wasm-bench/hostbound.js'

const SECRET = 'published-test-key-0123456789abcdef'
const NOW = Math.floor(Date.now() / 1000)
const body = new Uint8Array(1024).fill(0x78)
const keys = (env) => [{ id: 'k1', secret: { env } }]
const policy = await Policy.fromObject({
  version: 1,
  hosts: { allow: ['api.example.com'], scheme: 'https' },
  signatures: {
    api: { profile: 'host-nonce', keys: keys('KEY') },
    partner: { profile: 'http-message-signatures', tag: 'partner-api', keys: keys('PARTNER') },
  },
  routes: [{ path: '/v1/**', require: ['signature:api'] }, { path: '/v2/**', require: ['signature:partner'] }],
})
const guard = new Guard(policy, { secrets: { KEY: SECRET, PARTNER: `${SECRET}-2` }, epoch: 0 })
const FIELDS = ['Host', 'api.example.com', 'Content-Type', 'application/json', 'Content-Length', '1024', 'User-Agent', 'partner/1.0', 'Accept', '*/*']

function signed(section, target) {
  const request = { method: 'POST', target, headers: FIELDS, body, now: NOW }
  const { headers, base } = guard.sign(request, { section })
  return { request: { ...request, headers: [...FIELDS, ...headers.flat()] }, headers, base }
}

const hostNonce = signed('api', '/v1/orders?expand=lines')
const rfc9421 = signed('partner', '/v2/orders?expand=lines')

initSync({ module: new WebAssembly.Module(readFileSync(new URL('../wasm-bench/hostbound_bg.wasm', import.meta.url))) })
const mac = new Mac(Buffer.from(SECRET), Buffer.concat([Buffer.from(hostNonce.base), body]))

/** The npm package, verifying what ours signed, and the digest of the body, which it leaves to its caller. */
const message = {
  method: 'POST',
  url: 'https://api.example.com/v2/orders?expand=lines',
  headers: Object.fromEntries(rfc9421.headers.map(([name, value]) => [name, value])),
}
const config = {
  keyLookup: async ({ keyid }) => ({
    id: keyid,
    algs: ['hmac-sha256'],
    verify: async (data, signature) => timingSafeEqual(createHmac('sha256', `${SECRET}-2`).update(data).digest(), signature),
  }),
}
const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`

async function npm() {
  const isSigned = await httpbis.verifyMessage(config, message)
  return isSigned === true && `sha-256=:${createHash('sha256').update(body).digest('base64')}:` === digest
}

// Everything but the store: the claim that would be made there.
if (guard.claim(hostNonce.request) === undefined || guard.claim(rfc9421.request) === undefined) throw new Error('not allowed')
if (!mac.verify() || !(await npm())) throw new Error('a peer does not verify')
// Judged as a whole: the nonce is there already, which the store in memory finds out last of all.
guard.judge(hostNonce.request)
guard.judge(rfc9421.request)

const ROWS = {
  'node/hmac-1k': () => mac.verify(),
  'node/host-nonce-1k': () => guard.judge(hostNonce.request),
  'node/rfc9421-1k': () => guard.judge(rfc9421.request),
  'node/http-message-signatures': npm,
}

async function pass(row, calls) {
  const start = process.hrtime.bigint()
  for (let call = 0; call < calls; call += 1) {
    const result = row()
    if (result instanceof Promise) await result
  }
  return Number(process.hrtime.bigint() - start) / calls
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]
for (const row of Object.values(ROWS)) await pass(row, 2000)

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== 'go') continue
  const answer = {}
  for (const [name, row] of Object.entries(ROWS)) {
    const figures = []
    for (let index = 0; index < 5; index += 1) figures.push(await pass(row, 500))
    answer[name] = median(figures)
  }
  console.log(JSON.stringify(answer))
}
