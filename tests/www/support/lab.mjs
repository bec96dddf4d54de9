// `hostbound lab page` as its users start it, without a window; the browser is driven from outside.

import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { createServer } from 'node:http'

import puppeteer from 'puppeteer-core'

import { CHROMIUM, COMMAND, FIREFOX, PACKAGE, WWW } from './files.mjs'

/** Starts the lab and hands back its page, driven by puppeteer. @param {'chromium' | 'firefox'} kind */
export async function startLab(kind) {
  const words = ['lab', 'page', '--www', WWW, '--guard-folder', PACKAGE, '--browser', kind, '--browser-path', kind === 'firefox' ? FIREFOX : CHROMIUM]
  const child = spawn(COMMAND, [...words, '--headless', '--remote-debugging-port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = once(child, 'exit')
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
  const address = await addressOf(child, () => errors)
  const browser = await connect(kind, address)
  const [page] = await browser.pages()
  const stop = async () => {
    await browser.disconnect()
    child.kill('SIGTERM')
    await exit
  }
  /** As if the machine lost it. */
  const kill = async () => {
    child.kill('SIGKILL')
    await exit
  }
  return { browser, page, stop, kill, child }
}

async function addressOf(child, errors) {
  let said = ''
  child.stdout.setEncoding('utf8')
  for await (const text of child.stdout) {
    said += text
    const found = /remote debugging at (\S+)\n/.exec(said)
    if (found) return found[1]
  }
  if (!child.stderr.closed) await once(child, 'close')
  throw new Error(`the lab ended: ${errors()}`)
}

function connect(kind, address) {
  // The window as the lab opened it: its size is no business of puppeteer's.
  if (kind === 'chromium') return puppeteer.connect({ browserURL: `http://${address}`, defaultViewport: null })
  return puppeteer.connect({ browser: 'firefox', protocol: 'webDriverBiDi', browserWSEndpoint: `ws://${address}/session`, defaultViewport: null })
}

/** A first page with a script of its own, which tells the service of the visit. */
const VISITED = {
  '/': '<!doctype html><title>private</title><b>the private page of a service</b><script src="/app.js"></script>',
  '/app.js': 'fetch("/api/visit", { method: "POST", keepalive: true })',
}

/** A first page whose script says when it begins never to end. */
export const BUSY = {
  '/': '<!doctype html><title>busy</title><script>const x = new XMLHttpRequest(); x.open("POST", "/busy", false); x.send(); for (;;) {}</script>',
}

/**
 * A service of this machine; what it was asked is kept, and `asked` tells of it as an event too.
 *
 * @param {{guard?: (server: import('node:http').Server) => unknown, pages?: Record<string, string>}} [options]
 */
export async function serve({ guard, pages = VISITED } = {}) {
  const asked = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    asked.push(`${request.method} ${pathname} ${request.headers.host}`)
    response.setHeader('content-type', pathname.endsWith('.js') ? 'text/javascript' : 'text/html')
    response.end(pages[pathname])
    server.emit('asked', pathname)
  })
  await guard?.(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  /** Ends when this path is asked for. @param {string} path */
  const until = async (path) => {
    for await (const [found] of on(server, 'asked')) if (found === path) return
  }
  return { asked, port: server.address().port, stop, until }
}
