import { absolute, type Gate, replace, wrap } from './gate.js'
import { native } from './natives.js'

/** Where an EventSource fails for good, without a request and with the event that the platform has for that. */
const NOWHERE = 'about:invalid'

/** Guards `WebSocket`, and `WebSocketStream` where there is one. What is refused throws as it does for mixed content: no URL fails alike in all browsers and under every content security policy. */
export function guardWebSocket(gate: Gate): void {
  const refuse: Refuse = (_, error) => {
    throw new native.DOMException(error.message, 'SecurityError')
  }
  guardConstructor(gate, WebSocket, 'WebSocket', refuse)
  const { WebSocketStream } = globalThis as { WebSocketStream?: Constructor }
  if (WebSocketStream !== undefined) guardConstructor(gate, WebSocketStream, 'WebSocketStream', refuse)
}

/** Guards `EventSource`. What is refused is one that has failed. */
export function guardEventSource(gate: Gate): void {
  guardConstructor(gate, EventSource, 'EventSource', (url, _, construct) => {
    const source = construct(NOWHERE)
    native.defineProperty(source, 'url', { value: url, configurable: true })
    return source
  })
}

type Constructor = Function & { readonly prototype: object }

/** What becomes of a URL that is refused; the last parameter makes an object for another one. */
type Refuse = (url: string, error: Error, construct: (url: string) => object) => object

function guardConstructor(gate: Gate, original: Constructor, name: string, refuse: Refuse): void {
  const construct = (_: object, parameters: unknown[], target: Function): object => {
    if (parameters.length === 0) return native.construct(original, parameters, target)
    const [asked, ...rest] = parameters
    const text = native.String(asked)
    const url = absolute(text)
    if (url === undefined) throw new native.DOMException(`\`${text}\` is no URL`, 'SyntaxError')
    const href = native.href(url)
    const error = gate.refusal(href, [])
    // What was judged is what is connected to: reading the other parameters may change the document's base.
    const made = (url: string): object => native.construct(original, [url, ...rest], target)
    return error === undefined ? made(href) : refuse(href, error, made)
  }
  const guarded = wrap(original, { construct })
  // Else the original is what `constructor` says.
  replace(original.prototype, 'constructor', guarded)
  replace(globalThis, name, guarded)
}
