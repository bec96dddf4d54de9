// One small service, twice on loopback: bare, and behind the guard. Both get the same requests, byte by byte over a socket, as
// an attacker's page, a broken client or an honest user would send them. What each answered is printed.
//
//   node demo/demo.mjs [--format human|json]
//
// Ends with 1 if the guarded service served a hostile request or refused an honest one.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { hostbound } from '../bindings/node/dist/node.js'

const POLICY = 'policies/local-service.toml'
const TIMEOUT_MS = 3000
const WIDTH = 110
const EVIL = 'evil.test'

const { values: options } = parseArgs({ options: { format: { type: 'string', default: 'human' } } })
if (!['human', 'json'].includes(options.format)) {
  console.error(`--format is \`human\` or \`json\`, not \`${options.format}\``)
  process.exit(2)
}

/** What a request says, beside what every request says. `{port}` stands for the port of the service. */
const post = (...fields) => ({ method: 'POST', fields: ['Content-Type: application/json', ...fields], body: '{"delete":"all"}' })
const host = (value) => ({ fields: [`Host: ${value}`] })
const webSocket = (...fields) => ({
  fields: [
    ...fields,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ],
})

const REQUESTS = [
  ['honest', 'a user opens http://localhost', host('localhost:{port}')],
  ['honest', 'by IPv4 address', host('127.0.0.1:{port}')],
  ['honest', 'by IPv6 address', { ...host('[::1]:{port}'), ipv6: true }],
  ['honest', 'upper case and a trailing dot', host('LOCALHOST.:{port}')],
  ['honest', 'absolute-form that agrees with Host', { target: 'http://localhost:{port}/', ...host('localhost:{port}') }],
  ['honest', 'HTTP/1.0 with Host', { version: '1.0', ...host('localhost:{port}') }],
  ['honest', 'a link on another site leads here', { fields: [
    'Host: localhost:{port}', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'] }],
  ['honest', 'the page calls its own API', post('Host: localhost:{port}', 'Origin: http://localhost:{port}', 'Sec-Fetch-Site: same-origin')],
  ['honest', 'the page opens its WebSocket', webSocket('Host: localhost:{port}', 'Origin: http://localhost:{port}')],

  ['hostile', 'DNS rebinding: GET', { fields: [`Host: ${EVIL}:{port}`, 'Sec-Fetch-Site: same-origin'] }],
  ['hostile', 'DNS rebinding: POST, Origin equals Host', post(`Host: ${EVIL}:{port}`, `Origin: http://${EVIL}:{port}`, 'Sec-Fetch-Site: same-origin')],
  ['hostile', 'DNS rebinding: WebSocket', webSocket(`Host: ${EVIL}:{port}`, `Origin: http://${EVIL}:{port}`)],
  ['hostile', 'no Host', { fields: [] }],
  ['hostile', 'no Host, HTTP/1.0', { version: '1.0', fields: [] }],
  ['hostile', 'two Hosts, the good one first', { fields: ['Host: localhost:{port}', `Host: ${EVIL}`] }],
  ['hostile', 'two Hosts, the good one last', { fields: [`Host: ${EVIL}`, 'Host: localhost:{port}'] }],
  ['hostile', 'a list of hosts', host(`localhost, ${EVIL}`)],
  ['hostile', 'absolute-form names another host', { target: `http://${EVIL}/`, ...host('localhost:{port}') }],
  ['hostile', 'absolute-form good, Host foreign', { target: 'http://localhost:{port}/', ...host(EVIL) }],
  ['hostile', 'X-Forwarded-Host claims the good name', { fields: [`Host: ${EVIL}`, 'X-Forwarded-Host: localhost'] }],
  ['hostile', 'begins like the good name', host('localhost.evil.test')],
  ['hostile', 'the good name after the port', host('localhost:80.evil.test')],
  ['hostile', 'the good name as a fragment', host('evil.test#localhost')],
  ['hostile', 'a user before the good name', host('user@localhost')],
  ['hostile', 'a DNS service that leads to 127.0.0.1', host('127.0.0.1.nip.io:{port}')],
  ['hostile', '127.0.0.1, shortened', host('127.1')],
  ['hostile', '127.0.0.1, hexadecimal', host('0x7f000001')],
  ['hostile', '127.0.0.1, as one number', host('2130706433')],
  ['hostile', '127.0.0.1, IPv4-mapped', host('[::ffff:127.0.0.1]')],
  ['hostile', '0.0.0.0, which is this machine too', host('0.0.0.0:{port}')],
  ['hostile', "another site's form, by Origin", post('Host: localhost:{port}', 'Origin: https://evil.test')],
  ['hostile', "another site's form, by Sec-Fetch-Site", post('Host: localhost:{port}', 'Sec-Fetch-Site: cross-site')],
  ['hostile', 'a sandboxed frame: Origin is null', post('Host: localhost:{port}', 'Origin: null')],
  ['hostile', "another site's page opens a WebSocket", webSocket('Host: localhost:{port}', 'Origin: https://evil.test')],
]

/** The service: answers everything it gets, counts it, and takes WebSockets. `protect` stands before it, or does nothing. */
async function start(protect, address) {
  const service = { served: 0, address }
  const server = createServer((request, response) => {
    service.served += 1
    request.resume()
    response.end('the secret\n')
  })
  server.on('upgrade', (request, socket) => {
    service.served += 1
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
    )
  })
  protect(server).listen(0, address)
  await once(server, 'listening')
  service.port = server.address().port
  service.stop = () => server.close().closeAllConnections()
  return service
}

/** Sends a request and gives the status of the answer; null if there was none. */
async function send({ port, address }, { method = 'GET', target = '/', version = '1.1', fields, body = '' }) {
  const lines = [`${method} ${target} HTTP/${version}`, ...fields]
  if (body !== '') lines.push(`Content-Length: ${body.length}`)
  if (!fields.some((field) => field.startsWith('Connection:'))) lines.push('Connection: close')
  const text = `${lines.join('\r\n')}\r\n\r\n${body}`.replaceAll('{port}', port)

  const socket = connect(port, address)
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('timeout')))
  socket.write(text, 'latin1')
  let answer = ''
  try {
    for await (const chunk of socket) answer += chunk.toString('latin1')
  } catch {
    // A connection that breaks after the answer is an answer.
  }
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)
  return status === null ? null : Number(status[1])
}

/** Sends a request to a service and says what became of it. */
async function ask(service, request) {
  const before = service.served
  const status = await send(service, request)
  return { status, served: service.served > before }
}

const denials = []
const guard = await hostbound({
  policy: fileURLToPath(new URL(`../${POLICY}`, import.meta.url)),
  onDeny: (verdict) => denials.push(verdict),
  log: false,
})
const hasIpv6 = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1')
const addresses = ['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])]
const bare = await Promise.all(addresses.map((address) => start((server) => server, address)))
const guarded = await Promise.all(addresses.map((address) => start((server) => guard.protect(server), address)))

const rows = []
for (const [kind, name, request] of REQUESTS) {
  if (request.ipv6 && !hasIpv6) continue
  const at = request.ipv6 ? 1 : 0
  denials.length = 0
  const row = { kind, name, bare: await ask(bare[at], request), guarded: await ask(guarded[at], request) }
  const [verdict] = denials
  row.reason = verdict?.reason ?? null
  row.detail = verdict?.detail ?? (row.guarded.served ? null : 'Node answers this itself, with or without a guard')
  rows.push(row)
}
for (const service of [...bare, ...guarded]) service.stop()

const count = (kind, service) => rows.filter((row) => row.kind === kind && (service === undefined || row[service].served)).length
const summary = {
  hostile: count('hostile'),
  hostile_served_bare: count('hostile', 'bare'),
  hostile_served_guarded: count('hostile', 'guarded'),
  honest: count('honest'),
  honest_served_bare: count('honest', 'bare'),
  honest_served_guarded: count('honest', 'guarded'),
}
const ok = summary.hostile_served_guarded === 0 && summary.honest_served_guarded === summary.honest
const { name, mode, digest } = guard.policy

if (options.format === 'json') {
  console.log(JSON.stringify({ ok, policy: { file: POLICY, name, mode, digest }, summary, requests: rows }, null, 2))
} else {
  print()
}
process.exitCode = ok ? 0 : 1

function print() {
  console.log('One small service on loopback, twice: bare, and behind the guard. Both get the same requests, byte by byte.')
  console.log(`policy: ${POLICY} (${mode}, ${digest.slice(0, 19)}…)`)
  console.log('200 and 101: the service did what it was asked; every other status: it was not reached.')
  for (const kind of ['honest', 'hostile']) {
    console.log(`\n${line(`${kind} requests`, 'bare', 'guarded', kind === 'hostile' ? 'why' : '')}`)
    for (const row of rows.filter((row) => row.kind === kind)) {
      const why = row.reason === null ? (row.detail ?? '') : `${row.reason}: ${row.detail}`
      console.log(line(`  ${row.name}`, shown(row.bare), shown(row.guarded), why))
    }
  }
  const both = rows.filter((row) => row.kind === 'honest' && row.bare.served && row.guarded.served).length
  console.log(
    `\nbare served ${summary.hostile_served_bare} of ${summary.hostile} hostile requests; ` +
      `guarded served ${summary.hostile_served_guarded}; honest requests served by both: ${both} of ${summary.honest}`,
  )
  if (!ok) console.log('FAILED: the guarded service must serve every honest request, and no hostile one')
}

function line(name, bare, guarded, why) {
  const text = `${name.padEnd(42)}${bare.padEnd(5)}${guarded.padEnd(8)}${why}`.trimEnd()
  return text.length <= WIDTH ? text : `${text.slice(0, WIDTH - 1)}…`
}

/** The status; with a word where it does not say whether the service was reached. */
function shown({ status, served }) {
  const says = status === 200 || status === 101
  return says === served ? `${status ?? '-'}` : `${status ?? '-'}${served ? ' served' : ' not served'}`
}
