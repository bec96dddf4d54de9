// What the platform had when this module was loaded. Scripts that put something else in the place of what is named here change nothing in the guard.

const { apply, construct } = Reflect
const { reportError } = globalThis

/** A method as a function of its object. */
export function unbound<This extends object, Parameters extends unknown[], Result>(
  method: (this: This, ...parameters: Parameters) => Result,
): (self: This, ...parameters: Parameters) => Result {
  return (self, ...parameters) => apply(method, self, parameters) as Result
}

/** What reads a property of a prototype. */
export function getter<This extends object, Key extends keyof This>(prototype: This, key: Key): (self: This) => This[Key] {
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get
  if (get === undefined) throw new TypeError(`there is no ${String(key)} to read`)
  return (self) => apply(get, self, []) as This[Key]
}

/** What writes a property of a prototype. */
export function setter<This extends object, Key extends keyof This>(prototype: This, key: Key): (self: This, value: This[Key]) => void {
  const set = Object.getOwnPropertyDescriptor(prototype, key)?.set
  if (set === undefined) throw new TypeError(`there is no ${String(key)} to write`)
  return (self, value) => void apply(set, self, [value])
}

export const native = {
  apply,
  construct,
  CustomEvent: globalThis.CustomEvent,
  defineProperty: Object.defineProperty,
  DOMException,
  fetch: globalThis.fetch,
  parseJson: JSON.parse as (text: string) => unknown,
  reportError: (error: unknown) => void apply(reportError, globalThis, [error]),
  Request,
  Proxy,
  String,
  TypeError,
  URL,
  requestUrl: getter(Request.prototype, 'url'),
  requestHeaders: getter(Request.prototype, 'headers'),
  eachHeader: unbound(Headers.prototype.forEach),
  responseUrl: getter(Response.prototype, 'url'),
  responseIsRedirected: getter(Response.prototype, 'redirected'),
  responseBody: getter(Response.prototype, 'body'),
  cancel: unbound(ReadableStream.prototype.cancel),
  href: getter(URL.prototype, 'href'),
  setHash: setter(URL.prototype, 'hash'),
  setUsername: setter(URL.prototype, 'username'),
  setPassword: setter(URL.prototype, 'password'),
  stopEvent: unbound(Event.prototype.stopImmediatePropagation),
} as const
