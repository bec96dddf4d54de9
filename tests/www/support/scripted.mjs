// A lab that says what a test wants it to say, behind the real page: for what no real run comes to on demand.
// Its names lead here: Chromium is told so, and page and frames have their real names.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

import puppeteer from 'puppeteer-core'

import { CHROMIUM, FIREFOX, PAGE_NAME, WWW } from './files.mjs'

const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json', '.svg': 'image/svg+xml', '.wasm': 'application/wasm' }
const FRAME = '<!doctype html><html lang="en"><title>attack</title><p>An attacker’s page.</p><input autofocus><script>document.querySelector("input").focus(); window.focus()</script>'

export const LAB = {
  format: 1,
  hostbound: '0.1.0',
  browser: { kind: 'chromium', version: '156.0.8078.108' },
  guard: { kind: 'node', trouble: null },
  resolver: 'direct',
  methods: ['fetch', 'iframe', 'popup'],
  strategies: ['multiple-answers'],
  max_ports: 64,
  strays: [],
}

/**
 * Serves the page; with `lab` also the resources of a lab. `script` writes the events of a run: it gets `send`, the ports, and a promise
 * for the end of the request.
 *
 * @param {{lab?: object, script?: (send: (event: object) => void, ports: number[], gone: Promise<unknown>) => Promise<void> | void, missing?: RegExp}} [options]
 */
export async function serveScripted({ lab, script, missing } = {}) {
  const server = createServer(async (request, response) => {
    if (!request.headers.host.startsWith(`${PAGE_NAME}:`)) return void response.setHeader('content-type', 'text/html').end(FRAME)
    const path = normalize(new URL(request.url, 'http://localhost').pathname)
    if (missing?.test(path)) return void response.writeHead(404).end()
    if (lab !== undefined && path === '/lab.json') return void response.setHeader('content-type', 'application/json').end(JSON.stringify(lab))
    if (lab !== undefined && path === '/run') {
      const { ports } = JSON.parse(Buffer.concat(await request.toArray()).toString())
      response.writeHead(200, { 'content-type': 'application/x-ndjson' })
      // Frames come from this server too.
      const send = (event) => response.write(`${JSON.stringify(event.event === 'open' ? { ...event, url: event.url.replace(':8103', `:${port}`) } : event)}\n`)
      await script(send, ports, once(response, 'close'))
      return void response.end()
    }
    try {
      const body = readFileSync(join(WWW, path === '/' ? 'index.html' : path))
      response.setHeader('content-type', TYPES[extname(path)] ?? (path === '/' ? 'text/html' : 'application/octet-stream'))
      response.end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  return { url: `http://${PAGE_NAME}:${port}/`, port, stop }
}

/** A browser to which every name of the lab is this machine. @param {'chromium' | 'firefox'} [kind] @param {'light' | 'dark'} [scheme] Firefox's */
export function launch(kind = 'chromium', scheme = 'light') {
  if (kind === 'firefox') {
    const extraPrefsFirefox = { 'network.dns.localDomains': PAGE_NAME, 'layout.css.prefers-color-scheme.content-override': scheme === 'dark' ? 0 : 1 }
    return puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true, extraPrefsFirefox })
  }
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--no-first-run', `--host-resolver-rules=MAP *.rebind.example 127.0.0.1, MAP ${PAGE_NAME} 127.0.0.1`]
  return puppeteer.launch({ executablePath: CHROMIUM, headless: true, args })
}

const target = (name, kind, more = {}) => ({ name, kind, own_name_status: 200, foreign_name_status: 200, own_name_upgrade: null, foreign_name_upgrade: null, ...more })
const FOREIGN = 'a1b2c3d4e5f60718.rebind.example:8103'

/** A result as the lab gives it. */
export function result(plan, outcome, { status = 200, refusal, evidence = [], path = '/?m1-0' } = {}) {
  const request = { at_ms: 120, method: 'GET', target: path, headers: [['Host', FOREIGN], ['User-Agent', 'Mozilla/5.0'], ['Accept', '*/*']], status, refusal }
  const arrived = outcome === 'reached_readable' || outcome === 'reached_refused'
  return {
    case: plan,
    authority: FOREIGN,
    outcome,
    evidence: [...evidence, `target: 1 connection, ${arrived ? '0' : '1'} of them without a byte, ${arrived ? '1 request' : '0 requests'}`],
    logs: {
      dns: [{ at_ms: 3, kind: 'A', transport: 'udp', addresses: ['192.88.99.33', '127.0.0.1'], target: true, flipped: false }],
      connections: [{ at_ms: 118, bytes: arrived ? 410 : 0, requests: arrived ? [request] : [] }],
      control: 'not_asked',
      page: { attempts: 6, failures: arrived ? 0 : 6, errors: {}, read: outcome === 'reached_readable' ? { status: 200, secret: false, length: 4096 } : null, rebind_ms: arrived ? 640 : null, wrote: null, pending: false, secure_context: false, permissions: {}, user_agent: '' },
      console: [],
      flipped_ms: 100,
      duration_ms: 2400,
    },
  }
}

const REFUSAL = { check: 'host', decision: 'deny', reason: 'host_not_allowed', status: 421 }
const OUTCOME = { fetch: 'blocked_by_browser', iframe: 'blocked_by_browser', popup: null }

/** The targets of a run on these ports: the first is open, unless none is to be, the second refuses, the others do not run. */
export function targetsOf(ports, open = true) {
  const service = (port, index) => target(`127.0.0.1:${port}`, 'service', { address: `127.0.0.1:${port}`, ...(index > 1 && { own_name_status: null, foreign_name_status: null }), ...((index === 1 || !open) && { foreign_name_status: 421 }) })
  return [target('canary', 'canary'), target('guarded', 'guarded', { guard: 'node', foreign_name_status: 421 }), ...ports.map(service)]
}

/** Events of a whole run on these ports. `mend` may change the results, `statuses` what the first service answers, `verdicts` those of services by name. */
export function eventsOf(ports, { conclusion = 'vulnerable', mend = (found) => found, open: hasOpen = true, reasons, statuses = {}, verdicts = {} } = {}) {
  const targets = targetsOf(ports, hasOpen).map((found) => (found.name === `127.0.0.1:${ports[0]}` ? { ...found, ...statuses } : found))
  const attacked = targets.filter(({ own_name_status, own_name_upgrade }) => own_name_status !== null || own_name_upgrade === 101)
  const cases = attacked.flatMap(({ name }) => LAB.methods.map((method) => ({ strategy: 'multiple-answers', method, local_network_access: 'default', attacker: 'public', target: name })))
  const refuses = (name) => name === 'guarded' || targets.find((found) => found.name === name).foreign_name_status === 421
  const results = cases.map((plan) => {
    const outcome = OUTCOME[plan.method] ?? (refuses(plan.target) ? 'reached_refused' : 'reached_readable')
    const evidence = outcome === 'blocked_by_browser' ? ['the name led to the target, which accepted 1 connection and got no byte; the page saw 6 failures'] : refuses(plan.target) ? [`\`GET /?m1-0\` arrived with \`Host: ${FOREIGN}\` and was refused: 421, \`host_not_allowed\``] : ["the page read the service's answer to a request under the foreign name (200)"]
    return mend(result(plan, outcome, { evidence, ...(outcome === 'reached_refused' && { status: 421, refusal: REFUSAL }) }))
  })
  const verdictOf = ({ name, kind }) => (kind === 'canary' ? 'control' : refuses(name) ? 'refuses' : 'vulnerable')
  const summaryOf = ({ kind, name }) => (kind === 'canary' ? 'a foreign page read it in 1 of 3 cases, as it must: it checks nothing' : refuses(name) ? 'it was reached under a foreign name in 1 of 3 cases and refused each time' : 'a foreign page read it in 1 of 3 cases')
  const services = attacked.map((found) => ({ target: found, verdict: verdicts[found.name] ?? verdictOf(found), summary: summaryOf(found) }))
  const open = attacked.find(({ kind, name }) => kind === 'service' && !refuses(name) && !(name in verdicts))
  const run = { format: 1, hostbound: '0.1.0', started: '2026-10-20T10:04:12Z', duration_ms: 7400, browser: LAB.browser, services, cases: results, conclusion: open ? 'vulnerable' : conclusion, reasons: reasons ?? ['negative control: no case by fetch read the canary without a guard', 'negative control: no case by iframe read the canary without a guard', ...(open ? [`\`${open.name}\`: a foreign page read it in 1 of 3 cases`] : [])] }
  const advice = open ? [{ service: open.name, text: `${open.name}: put Hostbound in front of it, with a policy that names only its own hosts:`, policy: `version = 1\n[hosts]\nallow = ["localhost:${open.address.split(':')[1]}", "${open.address}"]` }] : [{ service: null, text: 'Nothing. Run it again when the browser, the policy or a service changes.', policy: null }]
  return { targets: { event: 'targets', targets }, plan: { event: 'plan', cases }, cases: results.map((found, number) => ({ event: 'case', number, result: found })), done: { event: 'done', run, advice, html: '<!doctype html><title>report</title><p>The report.</p>' } }
}
