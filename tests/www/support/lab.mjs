// `hostbound lab page` as its users start it, without a window; the browser is driven from outside.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
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

/** A service of this machine; what it was asked is kept. @param {(server: import('node:http').Server) => unknown} [guard] */
export async function serve(guard) {
  const asked = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}`)
    response.end('<title>private</title><b>the private page of a service</b>')
  })
  await guard?.(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  return { asked, port: server.address().port, stop }
}
