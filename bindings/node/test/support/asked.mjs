// Services whose guard asks other servers about tokens, before a server of HTTPS that answers as a test wants.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { mock } from 'node:test'

import { hostbound } from 'hostbound/node'

import { certificates } from './ca.mjs'
import { answered, hostile } from './hostile.mjs'
import { http, listening, stop, talk } from './raw.mjs'
import { claimsNow } from './tokens.mjs'

export const HERE = '127.0.0.2'
const HOST = 'auth.internal'

/** A secret of the introspection endpoint, and a token that only it knows. Neither may be told to anybody. */
export const SECRET = 's3cr3t:of/the+test'
export const OPAQUE = 'opaque-t0ken.of~the+test/'

/** The certificates of a file of tests. */
export function issuer(test) {
  const made = certificates(test)
  made.authority('ca')
  made.issue('server', 'ca', `DNS:${HOST}`)
  return made
}

/** RFC 7638, of a key of `newKey`. */
export function thumbprint({ keySet }) {
  const { crv, kty, x } = JSON.parse(keySet).keys[0]
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
}

/** One set with the keys of several. */
export function setOf(...keys) {
  return JSON.stringify({ keys: keys.flatMap(({ keySet }) => JSON.parse(keySet).keys) })
}

/** Answers with a body as JSON. */
export const says = (body) => (socket) => socket.write(answered(typeof body === 'string' ? body : JSON.stringify(body)))

/** What a server says of an active token. */
export const active = (more = {}) => ({ active: true, ...claimsNow(), ...more })

/**
 * A server that answers by `answer`, which a test may change, and what makes policies that ask it: for keys in section `access`, or, with `introspection`,
 * about opaque tokens.
 */
export async function authority(t, made, answer) {
  const tls = { cert: made.read('server.pem'), key: made.read('server.key') }
  const server = { answer }
  const { port, seen, connections } = await hostile(t, tls, (...args) => server.answer(...args), [HERE])
  const origin = `https://${HOST}:${port}`
  const egress = { allow: [origin], addresses: ['127.0.0.0/8'], credentials: { [origin]: ['authorization'] }, destinations: [{ origin, ca: { file: made.path('ca.pem') } }] }
  const routes = [
    { path: '/open/**', require: [] },
    { path: '/admin/**', require: ['token:access'], scopes: ['admin'] },
    { path: '/**', require: ['token:access'] },
  ]
  const common = { issuer: 'https://auth.example/', audience: ['orders'] }
  const document = (access, more) => ({ version: 1, hosts: { allow: ['localhost'] }, tokens: { access: { ...common, ...access } }, egress, routes, ...more })
  return Object.assign(server, {
    origin,
    egress,
    requests: seen[HERE].requests,
    connections: () => connections()[0],
    withKeys: (section = {}, more = {}) => document({ algorithms: ['EdDSA'], types: ['at+jwt'], keys: { url: `${origin}/keys`, pins: 'none' }, ...section }, more),
    withIntrospection: (section = {}, more = {}) => document({ introspection: { url: `${origin}/introspect`, client_id: 'api', secret: { name: 'SECRET' } }, ...section }, more),
  })
}

/** A guard that looks every name up at `HERE`, and all that it has told to anybody. */
export async function guardOf(t, policy, { egress = {}, ...options } = {}) {
  const lines = []
  const told = []
  const hear = (verdict) => void told.push(JSON.stringify(verdict))
  const secrets = JSON.stringify(policy).includes('"SECRET"') ? { SECRET } : {}
  const log = (line) => {
    told.push(line)
    lines.push(JSON.parse(line))
  }
  const guard = await hostbound({ policy, secrets, log, onDeny: hear, onReport: hear, ...options, egress: { resolver: () => [HERE], ...egress } })
  t.after(() => guard.close())
  return { guard, lines, told, reasons: () => lines.filter(({ hostbound: kind }) => kind === 'deny').map(({ reason }) => reason) }
}

/** Serves over HTTP/1 and HTTP/2, behind one guard: each with the subject that it knows. `reached` has the paths. */
export async function service(t, policy, options = {}) {
  const guarded = await guardOf(t, policy, options)
  const reached = []
  const serve = async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk.toString('latin1')
    reached.push(request.url)
    response.end(`${request.auth?.subject ?? null} ${body}\n`)
  }
  const server = await listening(guarded.guard.protect(createServer(serve)))
  const server2 = await listening(guarded.guard.protect(createHttp2Server(serve)))
  const ask = (token, path = '/a', lines = []) => talk(server, http(`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...credential(token), ...lines))
  const session = connectHttp2(`http://localhost:${server2.address().port}`).on('error', () => {})
  t.after(() => {
    session.destroy()
    return Promise.all([stop(server), stop(server2)])
  })
  return { ...guarded, reached, server, server2, session, ask, stream: (token, path = '/a') => streamed(session, token, path) }
}

export const credential = (token) => (token === undefined ? [] : [`Authorization: Bearer ${token}`])

/** Asks over a stream of HTTP/2: the status and the text. */
export async function streamed(session, token, path = '/a', more = {}, body = undefined) {
  const stream = session.request({ ':path': path, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...more }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  let text = ''
  stream.on('data', (chunk) => (text += chunk))
  const [[headers]] = await Promise.all([once(stream, 'response'), once(stream, 'end')])
  return { status: headers[':status'], text: text.trim(), headers }
}

/** Moves what every clock says that is looked at. */
export function clock(t) {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.after(() => mock.timers.reset())
  return { forward: (seconds) => mock.timers.setTime(Date.now() + seconds * 1000) }
}

/** A promise and what fulfils it. */
export function gate() {
  const made = {}
  made.opened = new Promise((resolve) => (made.open = resolve))
  return made
}

/** Until something is so. */
export async function until(isSo, what = String(isSo)) {
  const end = performance.now() + 10_000
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not within 10 s: ${what}`)
    await new Promise(setImmediate)
  }
}
