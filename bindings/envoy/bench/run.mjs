// How much of a worker's time the filter takes: many Envoys with one worker each, asked in turn by wrk, so that what disturbs the machine disturbs all
// alike. Worker time is what the process has used of a core, by its requests; what a filter adds is the median over the rounds of the difference to the
// Envoy that it is compared with.
//
// ENVOY, FILTER: the program and the module. WASM_AS: binaryen's. ROUNDS, SECONDS. OUT: where the figures go, as JSON.

import { spawn, spawnSync } from 'node:child_process'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { bootstrap, buffer, jwtAuthn, lua, wasm } from './config.mjs'

const { ENVOY, FILTER, WASM_AS, OUT } = process.env
const ROUNDS = Number(process.env.ROUNDS ?? 7)
const SECONDS = Number(process.env.SECONDS ?? 2)
const WARM_UP = 1
/** How many signed requests are made for each round: more than can be asked. */
const SIGNED = 60_000 * SECONDS
/** In /proc, a second has so many ticks. */
const TICKS = 100

const folder = mkdtempSync(join(tmpdir(), 'hostbound-bench-'))
const children = []

const HEADERS = [
  'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'accept: application/json, text/plain, */*',
  'accept-language: en-GB,en;q=0.9',
  'accept-encoding: gzip, deflate, br',
  'cache-control: no-cache',
  'sec-fetch-site: same-origin',
  'sec-fetch-mode: cors',
  'sec-fetch-dest: empty',
  'cookie: theme=dark; lang=en',
  'x-requested-with: XMLHttpRequest',
]

const SECRET = '0123456789abcdef0123456789abcdef'
const b64 = (value) => Buffer.from(value).toString('base64url')
const START = Math.floor(Date.now() / 1000)

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwks = {
  keys: [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256', use: 'sig' },
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'ec', alg: 'ES256', use: 'sig' },
  ],
}

/** A token of about 600 bytes with RS256. */
function token(alg, kid, key) {
  const claims = {
    iss: 'https://auth.example.com/',
    aud: 'myapi.example.com',
    sub: 'user-1234',
    iat: START,
    exp: START + 7000,
    scope: 'orders:read',
    jti: 'c0ffee',
  }
  const signed = `${b64(JSON.stringify({ alg, typ: 'at+jwt', kid }))}.${b64(JSON.stringify(claims))}`
  return `${signed}.${sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const RS256 = token('RS256', 'rsa', rsa.privateKey)
const ES256 = token('ES256', 'ec', ec.privateKey)

const HOSTS = { version: 1, hosts: { allow: ['localhost', '127.0.0.1'] } }
const tokens = (cache) => ({
  ...HOSTS,
  tokens: {
    main: {
      issuer: 'https://auth.example.com/',
      audience: ['myapi.example.com'],
      algorithms: ['RS256', 'ES256'],
      types: ['at+jwt'],
      keys: { jwks },
      max_lifetime: '2h',
      cache,
    },
  },
  routes: [{ path: '/**', require: ['token:main'] }],
})
const signed = (mode) => ({
  ...HOSTS,
  mode,
  signatures: {
    s: {
      profile: 'host-nonce',
      max_age: '2h',
      clock_tolerance: '1s',
      replay_capacity: 1_000_000,
      keys: [{ id: 'k', secret: { env: 'KEY' }, hosts: ['localhost'] }],
    },
  },
  routes: [{ path: '/**', require: ['signature:s'] }],
})

const noOp = join(folder, 'no-op.wasm')
const made = spawnSync(WASM_AS, [new URL('no-op.wat', import.meta.url).pathname, '-o', noOp])
if (made.status !== 0) throw new Error(`wasm-as: ${made.stderr}`)

/** All that the filter calls when it judges, but the call of Envoy's own cryptography. */
const WITHOUT_NATIVE = Object.fromEntries(
  [
    'proxy_on_context_create proxy_on_configure proxy_on_tick proxy_on_request_headers proxy_on_request_body proxy_on_request_trailers',
    'proxy_on_http_call_response proxy_on_delete proxy_log proxy_get_buffer_bytes proxy_get_header_map_pairs proxy_get_property',
    'proxy_send_local_response proxy_get_current_time_nanoseconds proxy_define_metric proxy_increment_metric',
  ].flatMap((line) => line.split(' ').map((name) => [name, {}])),
)

const bearer = (text) => ['-H', `authorization: Bearer ${text}`]
const judging = (policy, secrets = {}) => wasm(FILTER, { policy, secrets })

/** What is measured: filters, and what they are asked. `more`: the row that it is compared with, and how many µs it may add. */
const ROWS = [
  { name: 'GET: none', filters: [] },
  { name: 'GET: no-op module', filters: [wasm(noOp)] },
  { name: 'GET: host list in Lua', filters: [lua], than: 'GET: no-op module' },
  { name: 'GET: Hostbound, host and origin', filters: [judging(HOSTS)], than: 'GET: no-op module', atMost: 5 },
  { name: 'POST of 1 KiB: no-op module', filters: [wasm(noOp), buffer], isSigned: true },
  { name: 'POST of 1 KiB: Hostbound, signature', filters: [judging(signed('report'), { KEY: SECRET }), buffer], isSigned: true, than: 'POST of 1 KiB: no-op module', atMost: 15 },
  { name: 'POST of 1 KiB: Hostbound, signature and nonce', filters: [judging(signed('enforce'), { KEY: SECRET }), buffer], isSigned: true, than: 'POST of 1 KiB: no-op module' },
  { name: 'token: no-op module', filters: [wasm(noOp)], arguments: bearer(RS256) },
  { name: 'token: jwt_authn, cached', filters: [jwtAuthn(jwks, { cached: true })], arguments: bearer(RS256), than: 'token: no-op module' },
  { name: 'token: Hostbound, cached', filters: [judging(tokens(true))], arguments: bearer(RS256), than: 'token: no-op module', atMost: 6 },
  { name: 'token: jwt_authn, new RS256', filters: [jwtAuthn(jwks, { cached: false })], arguments: bearer(RS256), than: 'token: no-op module' },
  { name: 'token: Hostbound, new RS256', filters: [judging(tokens(false))], arguments: bearer(RS256), than: 'token: no-op module', atMost: 35 },
  { name: 'token: Hostbound, new RS256, without verify_signature', filters: [wasm(FILTER, { policy: tokens(false) }, WITHOUT_NATIVE)], arguments: bearer(RS256), than: 'token: no-op module' },
  { name: 'token: Hostbound, new ES256', filters: [judging(tokens(false))], arguments: bearer(ES256), than: 'token: no-op module' },
]

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}

async function isListening(port) {
  for (let tries = 0; tries < 200; tries += 1) {
    const is = await new Promise((done) => {
      const socket = connect(port, '127.0.0.1', () => done(true)).on('error', () => done(false))
      socket.on('connect', () => socket.destroy())
    })
    if (is) return
    await sleep(50)
  }
  throw new Error('an Envoy does not start')
}

async function start(filters, concurrency) {
  const port = await freePort()
  const path = join(folder, `${port}.json`)
  writeFileSync(path, JSON.stringify(bootstrap(port, filters)))
  const options = ['-c', path, '--concurrency', String(concurrency), '--use-dynamic-base-id', '-l', 'off']
  const child = spawn(ENVOY, options, { stdio: 'ignore' })
  children.push(child)
  await isListening(port)
  return { port, pid: child.pid, child }
}

/** What a process has used of the cores, in µs. */
function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6
}

/** Resident memory, in KiB. */
function resident(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
}

let nonces = 0

function signedFile(port) {
  const path = join(folder, `${port}.signed`)
  const body = 'x'.repeat(1024)
  const rows = Array.from({ length: SIGNED }, () => {
    nonces += 1
    const nonce = nonces.toString(16).padStart(32, '0')
    const time = Math.floor(Date.now() / 1000)
    const base = `POST\nlocalhost:${port}\n/\n${time}\n${nonce}\n${body}`
    return `${createHmac('sha256', SECRET).update(base).digest('hex')} ${time} ${nonce}\n`
  })
  writeFileSync(path, rows.join(''))
  return path
}

/** One turn: µs of worker time a request. */
async function turn({ port, pid }, row) {
  const lines = [...HEADERS, `origin: http://localhost:${port}`].flatMap((header) => ['-H', header])
  const script = row.isSigned ? ['-s', new URL('signed.lua', import.meta.url).pathname] : []
  const env = { ...process.env, ...(row.isSigned ? { SIGNED: signedFile(port) } : {}) }
  const options = ['-t1', '-c16', `-d${SECONDS}s`, ...lines, ...(row.arguments ?? []), ...script, `http://localhost:${port}/`]
  const before = used(pid)
  const wrk = spawn('wrk', options, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of wrk.stdout) text += chunk
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  if (!(requests > 0) || /Non-2xx/.test(text)) throw new Error(`${row.name}: ${text}`)
  return { time: (used(pid) - before) / requests, rate: requests / SECONDS }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** So many workers are compared with one. */
const WORKERS = 17

/** What the filter takes, in MiB, beside an Envoy without it: with one worker, V8 and the main thread's VM among it; and each further worker. */
async function memory() {
  const measured = async (filters, concurrency) => {
    const { port, pid, child } = await start(filters, concurrency)
    spawnSync('wrk', ['-t1', '-c100', '-d2s', '-H', `origin: http://localhost:${port}`, `http://localhost:${port}/`])
    const kib = resident(pid)
    child.kill()
    return kib / 1024
  }
  const [one, many] = [await measured([judging(HOSTS)], 1), await measured([judging(HOSTS)], WORKERS)]
  const [bareOne, bareMany] = [await measured([], 1), await measured([], WORKERS)]
  return { first: one - bareOne, further: (many - one - (bareMany - bareOne)) / (WORKERS - 1) }
}

try {
  const started = []
  for (const row of ROWS) started.push(await start(row.filters, 1))
  // Signatures from before the store was there are refused.
  await sleep(3_000)
  const turns = new Map(ROWS.map(({ name }) => [name, []]))
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    for (const [at, row] of ROWS.entries()) {
      const found = await turn(started[at], row)
      if (round >= WARM_UP) turns.get(row.name).push(found)
    }
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${ROUNDS}\n`)
  }
  for (const { child } of started) child.kill()
  const rows = ROWS.map(({ name, than, atMost = null }) => {
    const of = turns.get(name)
    const times = of.map(({ time }) => time)
    const base = than === undefined ? undefined : turns.get(than)
    const added = base === undefined ? null : median(times.map((time, round) => time - base[round].time))
    return {
      name,
      us: median(times),
      requests_per_second: median(of.map(({ rate }) => rate)),
      than: than ?? null,
      added_us: added,
      at_most_us: atMost,
      met: atMost === null ? null : added <= atMost,
    }
  })
  const bytes = statSync(FILTER).size
  const figures = {
    envoy: spawnSync(ENVOY, ['--version'], { encoding: 'utf8' }).stdout.trim().split(' ').at(-1),
    cores: cpus().length,
    cpu: cpus()[0].model,
    rounds: ROUNDS,
    seconds: SECONDS,
    rows,
    module: { bytes, at_most_bytes: 450_000, met: bytes <= 450_000 },
    memory: await memory().then(({ first, further }) => ({ mib_first: first, mib_per_worker: further, at_most_mib: 16, met: further <= 16 })),
  }
  writeFileSync(OUT, `${JSON.stringify(figures, undefined, 2)}\n`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
