import { absolute, type Gate, replace } from './gate.js'
import { native } from './natives.js'

/** Where an EventSource fails for good, without a request and with the event that the platform has for that. */
const NOWHERE = 'about:invalid'

/** Guards `WebSocket`. What is refused throws as it does for mixed content: no URL fails alike in all browsers and under every content security policy. */
export function guardWebSocket(gate: Gate): void {
  guardConstructor(gate, WebSocket, 'WebSocket', (_, error) => {
    throw new DOMException(error.message, 'SecurityError')
  })
}

/** Guards `EventSource`. What is refused is one that has failed. */
export function guardEventSource(gate: Gate): void {
  guardConstructor(gate, EventSource, 'EventSource', (url, _, construct) => {
    const source = construct(NOWHERE)
    native.defineProperty(source, 'url', { value: url, configurable: true })
    return source
  })
}

/** What becomes of a URL that is refused; the last parameter makes an object for another one. */
type Refuse = (url: string, error: Error, construct: (url: string) => object) => object

function guardConstructor(gate: Gate, original: typeof WebSocket | typeof EventSource, name: string, refuse: Refuse): void {
  const construct = (_: object, parameters: unknown[], target: Function): object => {
    if (parameters.length === 0) return native.construct(original, parameters, target)
    const [asked, ...rest] = parameters
    const text = native.String(asked)
    const made = (url: string): object => native.construct(original, [url, ...rest], target)
    const url = absolute(text)
    // What is no URL the platform refuses by itself.
    if (url === undefined) return made(text)
    const href = native.href(url)
    const error = gate.refusal(href, [])
    return error === undefined ? made(text) : refuse(href, error, made)
  }
  const guarded = new native.Proxy(original, { construct })
  // Else the original is what `constructor` says.
  replace(original.prototype, 'constructor', guarded)
  replace(globalThis, name, guarded)
}
