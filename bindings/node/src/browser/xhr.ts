import { absolute, type Gate, replace } from './gate.js'
import { native } from './natives.js'

/** Where the platform itself fails, without a request and with the events that it has for that. */
const NOWHERE = 'about:invalid'

/** A request between `open` and `send`. */
interface Opened {
  readonly method: string
  readonly url: string
  readonly isAsync: boolean
  readonly headers: string[]
}

/** Guards `XMLHttpRequest`, whose prototype it changes: the class, and classes made of it, stay what they are. */
export function guardXhr(gate: Gate): void {
  const { prototype } = XMLHttpRequest
  const { abort, addEventListener, open, send, setRequestHeader } = prototype
  const responseUrl = Object.getOwnPropertyDescriptor(prototype, 'responseURL')?.get as () => string
  const opened = new WeakMap<XMLHttpRequest, Opened>()
  const known = opened.get.bind(opened)
  const remember = opened.set.bind(opened)

  const method = (key: 'open' | 'send' | 'setRequestHeader', call: (self: XMLHttpRequest, parameters: unknown[]) => void): void =>
    replace(prototype, key, new native.Proxy(prototype[key], { apply: (_, self, parameters) => call(self as XMLHttpRequest, parameters) }))

  method('open', (self, parameters) => {
    if (parameters.length < 2) return void native.apply(open, self, parameters)
    const [verb, asked, isAsync, user] = parameters
    const read = [native.String(verb), native.String(asked)] as const
    const url = absolute(read[1])
    const rest = parameters.length > 2 ? [Boolean(isAsync), user, parameters[4]] : [true]
    native.apply(open, self, [...read, ...rest])
    if (url === undefined) return
    if (user !== undefined && user !== null) url.username = native.String(user)
    url.hash = ''
    remember(self, { method: read[0], url: native.href(url), isAsync: parameters.length < 3 || Boolean(isAsync), headers: [] })
  })

  method('setRequestHeader', (self, parameters) => {
    const [name, ...rest] = parameters
    const text = native.String(name)
    native.apply(setRequestHeader, self, parameters.length === 0 ? [] : [text, ...rest])
    const headers = known(self)?.headers
    if (headers !== undefined) headers[headers.length] = text
  })

  method('send', (self, parameters) => {
    const request = known(self)
    if (request === undefined) return void native.apply(send, self, parameters)
    if (gate.refusal(request.url, request.headers) !== undefined) {
      native.apply(open, self, [request.method, NOWHERE, request.isAsync])
      return void native.apply(send, self, [])
    }
    let isTaken = false
    const onAnswer = (event: Event): void => {
      const from = native.apply(responseUrl, self, []) as string
      if (from === '' || from === request.url || gate.refusal(from, request.headers, request.url) === undefined) return
      isTaken = true
      event.stopImmediatePropagation()
      native.apply(abort, self, [])
    }
    // The first event tells that there is an answer. Captured, it comes before the page's own.
    native.apply(addEventListener, self, ['readystatechange', onAnswer, { capture: true, once: true }])
    native.apply(send, self, parameters)
    if (isTaken && !request.isAsync) throw new DOMException('the answer came from where it must not', 'NetworkError')
  })
}
