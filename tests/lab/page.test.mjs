// `hostbound lab page`: what its server does, and refuses. The page is the test's; that of `www` has tests of its own.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, watch, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { after } from 'node:test'

import { PACKAGE, killAtRandomPoints, lab, of, service, start } from './support.mjs'

const require = createRequire(`${PACKAGE}/package.json`)
const { connect } = require('puppeteer-core')
const { WebSocketServer } = require('ws')

const folder = mkdtempSync(join(tmpdir(), 'hostbound-lab-test-'))
after(() => rmSync(folder, { recursive: true }))
const WWW = ['--www', folder]
const HEADLESS = ['--headless', '--remote-debugging-port', '0']
writeFileSync(join(folder, 'index.html'), '<!doctype html><title>A page</title>')
writeFileSync(join(folder, 'page.js'), '')
writeFileSync(join(folder, '.hidden'), '')

/** The page in Chromium, until the test is over. */
async function shown(t, words = []) {
  const { child, printed } = start([...WWW, ...HEADLESS, ...words], {}, 'page')
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGINT')
      await once(child, 'exit')
    }
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^remote debugging at (.*)$/.exec(line) ?? []
    if (address === undefined) continue
    const browser = await connect({ browserURL: `http://${address}` })
    t.after(() => browser.disconnect())
    const [page] = await browser.pages()
    return { child, browser, page }
  }
  throw new Error(printed.stderr)
}

/** In the page: begins a run and opens what it is told to. Reads to the end, or to the first event of that name. */
async function attack(ports, until) {
  const cancel = new AbortController()
  const headers = { 'content-type': 'application/json' }
  const response = await fetch('/run', { method: 'POST', headers, body: JSON.stringify({ ports }), signal: cancel.signal })
  if (!response.ok) return { status: response.status, ...(await response.json()) }
  const events = []
  const frames = new Map()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return { status: 200, events }
    const lines = (text + value).split('\n')
    text = lines.pop()
    for (const event of lines.map((line) => JSON.parse(line))) {
      events.push(event)
      if (event.event === until) {
        cancel.abort()
        for (const frame of frames.values()) frame.remove()
        return { status: 200, events }
      }
      if (event.event === 'open') {
        const frame = document.createElement('iframe')
        frame.src = event.url
        document.body.append(frame)
        frames.set(event.number, frame)
      }
      if (event.event === 'close') frames.get(event.number)?.remove()
    }
  }
}

/** In the page: the statuses of requests for these paths. */
const statuses = (asked) => Promise.all(asked.map(async ([path, options]) => (await fetch(path, options)).status))

/** The network interfaces of the lab that this process has started. */
function interfacesOf(parent) {
  const parentOf = (id) => Number(readFileSync(`/proc/${id}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[1])
  const isBelow = (id) => id === parent || (id > 1 && isBelow(parentOf(id)))
  const inside = readdirSync('/proc').find((name) => {
    try {
      const [program, ...words] = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return program !== 'unshare' && words.includes('inside') && isBelow(Number(name))
    } catch {
      return false // It has ended while we looked.
    }
  })
  const lines = readFileSync(`/proc/${inside}/net/dev`, 'utf8').split('\n').slice(2)
  return lines.filter(Boolean).map((line) => line.split(':')[0].trim())
}

async function listening(address, answer = (request, response) => response.end('hello')) {
  const server = createServer(answer).listen(0, address)
  await once(server, 'listening')
  return { server, port: server.address().port }
}

const html = (response, text) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>a service</title>${text}`)

/** Services whose first page is not simply there. */
const UNUSUAL = {
  redirecting: ({ url }, response) => (url.startsWith('/login') ? html(response, 'log in') : response.writeHead(302, { location: '/login' }).end()),
  rewriting: ({ url }, response) => html(response, "<script>history.replaceState(null, '', '/app')</script>"),
  'loading for ever': ({ url }, response) => url === '/pending' || html(response, '<img src="/pending" alt="">'),
  'asking for ever': ({ url }, response) => html(response, "<script>setInterval(() => fetch('/again', { method: 'POST' }), 5)</script>"),
}

/** A service that speaks WebSocket alone. */
async function speakingWebSocketAlone() {
  const { server, port } = await listening('127.0.0.1', (request) => request.socket.destroy())
  new WebSocketServer({ server }).on('connection', (socket) => socket.send('hello'))
  return { server, port }
}

test('a run against services of this machine, and what the server refuses', async (t) => {
  const services = await Promise.all([listening('127.0.0.1'), listening('::1')])
  t.after(() => services.forEach(({ server }) => server.close()))
  const [four, six] = services.map(({ port }) => port)
  const { child, browser, page } = await shown(t)
  assert.equal(page.url(), 'http://self-test.hostbound.example/')

  await t.test('files and nothing else', async () => {
    const asked = [['/'], ['/page.js'], ['/.hidden'], ['/missing'], ['/%2e%2e/etc/passwd'], ['/', { method: 'POST' }], ['/run']]
    assert.deepEqual(await page.evaluate(statuses, asked), [200, 200, 404, 404, 404, 405, 405])
  })
  await t.test('what is no request for a run', async () => {
    const json = { 'content-type': 'application/json' }
    const post = (body, headers = json) => ['/run', { method: 'POST', headers, body }]
    const asked = [
      post('{"ports":[]}', {}),
      post('{"ports":[]}', { 'content-type': 'text/plain' }),
      post(''),
      post('{'),
      post('{"ports":[0]}'),
      post('{"ports":[65536]}'),
      post('{"ports":[80,80]}'),
      post('{"ports":["80"]}'),
      post('{"ports":[],"host":"example.org"}'),
      post(JSON.stringify({ ports: Array.from({ length: 65 }, (_, number) => number + 1) })),
      post(JSON.stringify({ ports: ' '.repeat(20_000) })),
    ]
    assert.deepEqual(await page.evaluate(statuses, asked), [415, 415, 400, 400, 400, 400, 400, 400, 400, 400, 413])
  })
  await t.test('what was cancelled leaves room for the next', async () => {
    const { events } = await page.evaluate(attack, [four], 'open')
    assert.equal(events.at(-1).event, 'open')
  })
  await t.test('a run at a time', async () => {
    const second = page.evaluate(attack, [four], undefined)
    const third = page.evaluate(attack, [], undefined)
    const answers = (await Promise.all([second, third])).map(({ status }) => status)
    // The later one waits for a while, and the earlier one may end in it.
    assert.ok(answers.includes(200))
    assert.ok(answers.every((status) => status === 200 || status === 409), `${answers}`)
  })
  await t.test('the services are read, the guarded canary refuses', async (t) => {
    const closed = await listening('127.0.0.1')
    closed.server.close()
    await once(closed.server, 'close')
    const { events } = await page.evaluate(attack, [four, six, closed.port], undefined)
    const { run, advice, html } = events.at(-1)
    t.diagnostic(`${run.cases.length} cases in ${run.duration_ms} ms`)
    assert.equal(run.conclusion, 'vulnerable')
    const names = [`127.0.0.1:${four}`, `[::1]:${six}`]
    assert.deepEqual(run.services.map(({ target }) => target.name), ['canary', 'guarded', ...names])
    assert.equal(service(run, 'canary').verdict, 'control')
    assert.equal(service(run, 'guarded').verdict, 'refuses')
    for (const name of names) {
      assert.equal(service(run, name).verdict, 'vulnerable')
      assert.ok(advice.find(({ service }) => service === name).policy.includes(`"${name}"`))
    }
    assert.deepEqual(of(run, 'canary').map(({ outcome }) => outcome), ['blocked_by_browser', 'blocked_by_browser', 'reached_readable'])
    const [{ targets }] = events
    assert.equal(targets.at(-1).own_name_status, null)
    assert.match(html, /^<!doctype html>/i)
    // Every case was opened and closed, and told.
    for (const kind of ['open', 'close', 'case']) assert.equal(events.filter(({ event }) => event === kind).length, run.cases.length, kind)
    assert.doesNotMatch(JSON.stringify(events), /hostbound-canary-[0-9a-f]{32}/)
  })
  await t.test('there is no way out, and no name of anybody else was asked for', async () => {
    assert.deepEqual(interfacesOf(child.pid), ['lo'])
    const { strays } = await page.evaluate(async () => (await fetch('/lab.json')).json())
    assert.deepEqual(strays, [])
  })
  await t.test('it ends with its window', async () => {
    const ended = once(child, 'exit')
    await browser.close()
    assert.deepEqual(await ended, [0, null])
  })
})

test('services whose first page is not simply there are read all the same', async (t) => {
  const services = await Promise.all([...Object.values(UNUSUAL).map((answer) => listening('127.0.0.1', answer)), speakingWebSocketAlone()])
  t.after(() => {
    for (const { server } of services) {
      server.close()
      server.closeAllConnections()
    }
  })
  const { page } = await shown(t)
  const { events } = await page.evaluate(attack, services.map(({ port }) => port), undefined)
  const { run } = events.at(-1)
  for (const [number, kind] of Object.keys(UNUSUAL).entries()) {
    const name = `127.0.0.1:${services[number].port}`
    assert.equal(service(run, name).verdict, 'vulnerable', `${kind}: ${JSON.stringify(of(run, name).map(({ evidence }) => evidence[0]))}`)
  }
  const [connections] = of(run, `127.0.0.1:${services[3].port}`).filter(({ case: { method } }) => method === 'popup').map(({ logs }) => logs.connections)
  assert.ok(connections.flatMap(({ requests }) => requests).length <= 200)
  const alone = of(run, `127.0.0.1:${services.at(-1).port}`)
  assert.deepEqual(alone.map(({ case: { method }, outcome }) => [method, outcome]), [['websocket', 'blocked_by_browser']])
})

test('what is saved from the page is outside of the lab', async (t) => {
  const save = mkdtempSync(join(folder, 'saved'))
  const { page } = await shown(t, ['--no-guard', '--save', save])
  const { downloads } = await page.evaluate(async () => (await fetch('/lab.json')).json())
  assert.equal(downloads, realpathSync(save))
  const arrived = new Promise((resolve) => {
    const watcher = watch(save, () => {
      if (!readdirSync(save).includes('saved.txt')) return
      watcher.close()
      resolve()
    })
  })
  await page.evaluate(() => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob(['kept']))
    link.download = 'saved.txt'
    link.click()
  })
  await arrived
})

test('without a guard, only the bare canary', async (t) => {
  const { page } = await shown(t, ['--no-guard'])
  const { events } = await page.evaluate(attack, [], undefined)
  const { run } = events.at(-1)
  assert.deepEqual(run.services.map(({ target }) => target.name), ['canary'])
  assert.equal(run.conclusion, 'inconclusive')
})

test('of canaries alone nothing follows', async (t) => {
  const { page } = await shown(t)
  const { run } = (await page.evaluate(attack, [], undefined)).events.at(-1)
  assert.equal(service(run, 'guarded').verdict, 'refuses')
  assert.deepEqual([run.conclusion, run.reasons[0]], ['inconclusive', 'no service of this machine was attacked'])
})

test('why there is no page', async () => {
  const env = { PATH: process.env.PATH, HOME: folder }
  const said = async (words, options) => {
    const { code, stderr } = await lab(words, options, 'page')
    return [code, stderr]
  }
  const [noDisplay, words] = await said(WWW, { env })
  assert.equal(noDisplay, 3)
  assert.match(words, /there is no display for a window/)
  assert.equal((await said([...WWW, '--headless']))[0], 2)
  const [nowhere, missing] = await said(['--www', join(folder, 'missing'), ...HEADLESS])
  assert.equal(nowhere, 2)
  assert.match(missing, /--www .*missing/)
  const empty = mkdtempSync(join(folder, 'empty'))
  const [noPage, index] = await said(['--www', empty, ...HEADLESS])
  assert.equal(noPage, 3)
  assert.match(index, /has no index\.html/)
  const [noBrowser, which] = await said([...WWW, ...HEADLESS, '--browser-path', join(folder, 'page.js')])
  assert.equal(noBrowser, 3)
  assert.match(which, /does not start/)
})

test('killed at random points, it leaves nothing behind', async (t) => {
  const points = await killAtRandomPoints([...WWW, ...HEADLESS], process.env.HOSTBOUND_ALL ? 20 : 2, folder, 'page')
  t.diagnostic(`killed after ${points.join(', ')} ms`)
})
