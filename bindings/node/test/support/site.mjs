// A site for tests of the guard of pages: what it serves, and every request that reaches it, under whatever name.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

import { WebSocketServer } from 'ws'

import { readJson } from './files.mjs'
import { listening, stop } from './raw.mjs'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
/** Where a site has the package: its version is part of the path. */
export const PREFIX = `/hostbound-${readJson('bindings/node/package.json').version}/`
const TYPES = { '.js': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm', '.svg': 'image/svg+xml' }

/** Starts a site until the test ends. `described`: what is served beside the package, by path: a text, or a function of the port and the request. Under `/any/` there is no content security policy. */
export async function site(t, described) {
  const files = { ...described }
  const requests = []
  const server = await listening(createServer())
  const { port } = server.address()
  const sockets = new WebSocketServer({ noServer: true })
  const record = ({ headers, method, url }, kind = method) => {
    requests.push(`${kind} ${headers.host.replace(`:${port}`, '')}${url}`)
    server.emit('asked')
  }
  server.on('request', (request, response) => {
    record(request)
    const path = normalize(new URL(request.url, 'http://localhost').pathname)
    response.setHeader('cache-control', 'no-cache')
    response.setHeader('access-control-allow-origin', request.headers.origin ?? '*')
    response.setHeader('access-control-allow-credentials', 'true')
    response.setHeader('access-control-allow-headers', 'authorization, x-key, x-note')
    if (!path.startsWith('/any/')) response.setHeader('content-security-policy', policyOf(port))
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    if (path.startsWith('/to/')) return response.writeHead(302, { location: `http://${path.slice('/to/'.length)}` }).end()
    if (path === '/events') return response.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 100000\ndata: event\n\n')
    if (path.startsWith('/api/')) return response.end(`answer of ${request.headers.host}`)
    const own = files[path]
    response.setHeader('content-type', path.endsWith('/') ? 'text/html' : TYPES[extname(path)] ?? 'text/html')
    try {
      if (own !== undefined) response.end(typeof own === 'function' ? own(port, request) : own)
      else if (path.startsWith(PREFIX)) response.end(readFileSync(join(PACKAGE, path.slice(PREFIX.length))))
      else response.writeHead(404).end()
    } catch {
      response.writeHead(404).end()
    }
  })
  server.on('upgrade', (request, socket, head) => {
    record(request, 'WS')
    sockets.handleUpgrade(request, socket, head, (connection) => connection.send('message'))
  })
  t.after(() => {
    for (const connection of sockets.clients) connection.terminate()
    return stop(server)
  })
  return {
    port,
    /** May be changed. */
    files,
    at: (name, path = '/') => `http://${name}:${port}${path}`,
    /** What was asked for since the last time. */
    asked: () => requests.splice(0),
    /** The same in order, once there are so many. */
    askedOf: async (count) => {
      while (requests.length < count) await once(server, 'asked')
      return requests.splice(0).sort()
    },
  }
}

/** No more than this is what a page needs, but for the destinations: these the guard must refuse, not the browser. */
function policyOf(port) {
  const others = ['api', 'evil'].map((name) => `http://${name}.localhost:${port} ws://${name}.localhost:${port}`)
  return `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' data: blob: ${others.join(' ')}; img-src 'self' http://evil.localhost:${port} http://api.localhost:${port}; worker-src 'self'; frame-src 'self'; base-uri 'self' http://evil.localhost:${port}`
}
