// A worker of `cargo xtask bench`: each line `go` on standard input runs one batch of each row; the answer is one line of JSON,
// nanoseconds a call by name. The median of several passes: one disturbance does not show.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { Guard, Policy } from 'hostbound'

const PASS_NS = 3_000_000
const PASSES = 7

const workload = JSON.parse(readFileSync(new URL('../../../xtask/bench/workload.json', import.meta.url), 'utf8'))

/** What Chromium sends with a fetch of a page's own API: 13 fields, about 600 bytes. */
const rawHeaders = Object.entries({
  Host: workload.host,
  Connection: 'keep-alive',
  'sec-ch-ua': '"Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"',
  'sec-ch-ua-mobile': '?0',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36',
  Accept: 'application/json, text/plain, */*',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Dest': 'empty',
  Referer: `https://${workload.host}/orders?state=open&page=2`,
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  Cookie: 'session=6f1c9c53d4b84b0e9f7d; theme=dark; consent=necessary',
}).flat()

const policy = { version: 1, hosts: { allow: workload.allow } }
const hostOnly = new Guard(await Policy.fromObject({ ...policy, origins: { check: 'off' } }))
const full = new Guard(await Policy.fromObject({ ...policy, routes: [{ path: '/orders/**', require: [] }] }))

const browser = { method: 'GET', scheme: 'https', target: '/orders/?state=open', headers: rawHeaders, peer: '192.0.2.7' }
const program = { method: 'GET', scheme: 'https', target: '/', headers: ['host', workload.host] }

const ROWS = {
  'node/13-headers': () => full.inspect(browser),
  'node/host': () => hostOnly.inspect(program),
  'node/new-URL': () => new URL(`http://${workload.host}`).hostname.length - 15,
  'node/verdict': () => full.decide(browser).status - 200,
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
