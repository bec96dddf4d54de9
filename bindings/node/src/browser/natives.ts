// What the platform had when this module was loaded. Scripts that change a prototype afterwards change nothing here.

const { apply, construct } = Reflect

/** A method as a function of its object. */
function unbound<This extends object, Parameters extends unknown[], Result>(
  method: (this: This, ...parameters: Parameters) => Result,
): (self: This, ...parameters: Parameters) => Result {
  return (self, ...parameters) => apply(method, self, parameters) as Result
}

/** What reads a property of a prototype. */
function getter<This extends object, Key extends keyof This>(prototype: This, key: Key): (self: This) => This[Key] {
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get
  if (get === undefined) throw new TypeError(`there is no ${String(key)} to read`)
  return (self) => apply(get, self, []) as This[Key]
}

export const native = {
  apply,
  construct,
  defineProperty: Object.defineProperty,
  fetch: globalThis.fetch,
  parseJson: JSON.parse as (text: string) => unknown,
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
} as const
