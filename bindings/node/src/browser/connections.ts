import { absolute, type Gate, replace } from './gate.js'
import { native } from './natives.js'

/** A port that no browser connects to (WHATWG Fetch §2.9): the platform fails by itself, with the events that it has for that. */
const NO_SOCKET = 'wss://[::1]:1/'

/** Where an EventSource fails for good, without a request. */
const NO_EVENTS = 'about:invalid'

/** Guards `WebSocket` and `EventSource`: what is refused is an object that fails as the platform lets one fail. */
export function guardConnections(gate: Gate): void {
  guardConstructor(gate, WebSocket, 'WebSocket', NO_SOCKET)
  guardConstructor(gate, EventSource, 'EventSource', NO_EVENTS)
}

function guardConstructor(gate: Gate, original: typeof WebSocket | typeof EventSource, name: string, nowhere: string): void {
  const construct = (_: object, parameters: unknown[], target: Function): object => {
    if (parameters.length === 0) return native.construct(original, parameters, target)
    const [asked, ...rest] = parameters
    const text = native.String(asked)
    const url = absolute(text)
    // What is no URL the platform refuses by itself.
    const href = url && native.href(url)
    if (href === undefined || gate.refusal(href, []) === undefined) return native.construct(original, [text, ...rest], target)
    const connection = native.construct(original, [nowhere, ...rest], target)
    native.defineProperty(connection, 'url', { value: href, configurable: true })
    return connection
  }
  const guarded = new native.Proxy(original, { construct })
  // Else the original is what `constructor` says.
  replace(original.prototype, 'constructor', guarded)
  replace(globalThis, name, guarded)
}
