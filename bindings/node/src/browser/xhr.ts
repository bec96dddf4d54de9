import { dom } from './dom.js'
import { absolute, type Gate, replace, wrap } from './gate.js'
import { getter, native, unbound } from './natives.js'

/** Where the platform itself fails, without a request and with the events that it has for that. */
const NOWHERE = 'about:invalid'

/** A request between `open` and its answer. */
interface Opened {
  readonly method: string
  readonly url: string
  readonly isAsync: boolean
  readonly headers: string[]
  /** While the platform reads the body, which can be a script's own `toString`. */
  isSending: boolean
}

/** Guards `XMLHttpRequest`, whose prototype it changes: the class, and classes made of it, stay what they are. */
export function guardXhr(gate: Gate): void {
  const { prototype } = XMLHttpRequest
  const { open, send, setRequestHeader } = prototype
  const ErrorEvent = ProgressEvent
  const abort = unbound(prototype.abort)
  const listen = unbound<EventTarget, [string, (event: Event) => void, AddEventListenerOptions], void>(prototype.addEventListener)
  const unlisten = unbound<EventTarget, [string, (event: Event) => void, AddEventListenerOptions], void>(prototype.removeEventListener)
  const readyState = getter(prototype, 'readyState')
  const responseUrl = getter(prototype, 'responseURL')
  const opened = new WeakMap<XMLHttpRequest, Opened>()
  const known = opened.get.bind(opened)
  const remember = opened.set.bind(opened)
  const forget = opened.delete.bind(opened)

  const method = (key: 'open' | 'send' | 'setRequestHeader', call: (self: XMLHttpRequest, parameters: unknown[]) => void): void =>
    replace(prototype, key, wrap(prototype[key], { apply: (_: object, self: unknown, parameters: unknown[]) => call(self as XMLHttpRequest, parameters) }))

  /** What was judged must not become another request while it is being sent. */
  const refuseChange = (self: XMLHttpRequest): void => {
    if (known(self)?.isSending === true) throw new native.DOMException('the request is being sent', 'InvalidStateError')
  }

  method('open', (self, parameters) => {
    if (parameters.length < 2) return void native.apply(open, self, parameters)
    const [verb, asked, isAsync, user, password] = parameters
    const optional = (value: unknown): string | null => (value === undefined || value === null ? null : native.String(value))
    const read = { method: native.String(verb), text: native.String(asked), isAsync: parameters.length < 3 || Boolean(isAsync), user: optional(user), password: optional(password) }
    refuseChange(self)
    const url = absolute(read.text)
    const before = known(self)
    // Known before it is opened, which tells the page's listeners: these may open it for something else.
    if (url === undefined) forget(self)
    else remember(self, { method: read.method, url: sent(url, read.user, read.password), isAsync: read.isAsync, headers: [], isSending: false })
    try {
      native.apply(open, self, [read.method, url === undefined ? read.text : native.href(url), read.isAsync, read.user, read.password])
    } catch (error) {
      if (before !== undefined) remember(self, before)
      else forget(self)
      throw error
    }
  })

  method('setRequestHeader', (self, parameters) => {
    const [name, ...rest] = parameters
    const text = native.String(name)
    refuseChange(self)
    native.apply(setRequestHeader, self, parameters.length === 0 ? [] : [text, ...rest])
    const headers = known(self)?.headers
    if (headers !== undefined) headers[headers.length] = text
  })

  /** Lets what is open fail as what cannot be connected. */
  const fail = (self: XMLHttpRequest, method: string, isAsync: boolean): void => {
    native.apply(open, self, [method, NOWHERE, isAsync])
    native.apply(send, self, [])
  }

  /** Takes the answer away. To open it for nowhere would not do: Chromium adds what still comes of the answer to that. */
  const withhold = (self: XMLHttpRequest, request: Opened): void => {
    abort(self)
    // The platform tells of an abort alone, which not everybody listens for.
    if (request.isAsync && known(self) === request) dom.dispatchEvent(self, new ErrorEvent('error'))
  }

  method('send', (self, parameters) => {
    const request = known(self)
    if (request === undefined) {
      // What was opened before there was a guard is not sent; what is not open the platform refuses by itself.
      return readyState(self) === 1 ? fail(self, 'GET', true) : void native.apply(send, self, parameters)
    }
    if (request.isSending || readyState(self) !== 1) return void native.apply(send, self, parameters)
    if (gate.refusal(request.url, request.headers) !== undefined) return fail(self, request.method, request.isAsync)
    let isTaken = false
    const onAnswer = (event: Event): void => {
      const isCurrent = known(self) === request
      const from = isCurrent ? responseUrl(self) : ''
      if (isCurrent && from === '' && readyState(self) !== 4) return
      unlisten(self, 'readystatechange', onAnswer, { capture: true })
      if (from === '' || from === request.url) return
      isTaken = true
      try {
        isTaken = gate.refusal(from, request.headers, request.url) !== undefined
      } finally {
        if (isTaken) {
          native.stopEvent(event)
          withhold(self, request)
        }
      }
    }
    // The first event that has a URL tells that there is an answer. Captured, it comes before the page's own, but in Chromium before those alone that are added later.
    listen(self, 'readystatechange', onAnswer, { capture: true })
    request.isSending = true
    try {
      native.apply(send, self, parameters)
    } finally {
      request.isSending = false
    }
    if (isTaken && !request.isAsync) throw new native.DOMException('the answer came from where it must not', 'NetworkError')
  })
}

/** The URL that is asked for, as `responseURL` has it. */
function sent(url: URL, user: string | null, password: string | null): string {
  const asked = new native.URL(native.href(url))
  if (user !== null) native.setUsername(asked, user)
  if (password !== null) native.setPassword(asked, password)
  native.setHash(asked, '')
  return native.href(asked)
}
