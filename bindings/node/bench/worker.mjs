// A worker of `cargo xtask bench`: each line `go` on standard input runs one batch of each row; the answer is one line of JSON,
// nanoseconds a call by name. The median of several passes: one disturbance does not show.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { Guard, Policy } from 'hostbound'

const PASS_NS = 3_000_000
const PASSES = 7

const workload = JSON.parse(readFileSync(new URL('../../../xtask/bench/workload.json', import.meta.url), 'utf8'))

/** The request that benches/host.rs asks of the engine itself: a browser's POST, 13 fields, about 600 bytes. */
const rawHeaders = Object.entries({
  Host: 'api.example.com:8443',
  Connection: 'keep-alive',
  'Content-Length': '27',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Content-Type': 'application/json',
  Accept: '*/*',
  Origin: 'https://api.example.com:8443',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Dest': 'empty',
  Referer: 'https://api.example.com:8443/orders/new',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9',
}).flat()

const { host, allow } = workload
const hostOnly = new Guard(await Policy.fromObject({ version: 1, hosts: { allow } }))
const full = new Guard(
  await Policy.fromObject({
    version: 1,
    hosts: { allow, scheme: 'https' },
    routes: [
      { path: '/healthz', require: [] },
      { path: '/orders/*', methods: ['GET', 'POST'], require: [] },
      { path: '/**', require: [] },
    ],
  }),
)

const browser = { method: 'POST', scheme: 'https', target: '/orders/new', headers: rawHeaders, peer: '192.0.2.7' }
const program = { ...browser, headers: rawHeaders.slice(0, 2) }

// Each gives 0 if all is as it should be.
const ROWS = {
  'node/13-headers': () => full.inspect(browser),
  'node/host-only': () => hostOnly.inspect(program),
  'node/full-verdict': () => full.decide(browser).status - 200,
  'node/new-URL': () => new URL(`http://${host}`).host.length - host.length,
}

for (const [name, row] of Object.entries(ROWS)) {
  if (row() !== 0) throw new Error(`${name} is not allowed`)
}

function pass(row, calls) {
  const start = process.hrtime.bigint()
  for (let call = 0; call < calls; call += 1) row()
  return Number(process.hrtime.bigint() - start)
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1]
}

const calls = {}
for (const [name, row] of Object.entries(ROWS)) {
  pass(row, 20_000)
  calls[name] = Math.max(1, Math.round((PASS_NS * 2000) / pass(row, 2000)))
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== 'go') continue
  const answer = {}
  for (const [name, row] of Object.entries(ROWS)) {
    answer[name] = median(Array.from({ length: PASSES }, () => pass(row, calls[name]))) / calls[name]
  }
  console.log(JSON.stringify(answer))
}
