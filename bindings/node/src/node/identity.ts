import type { Guard } from '../guard.js'
import type { HttpRequest } from '../request.js'
import type { Identity } from '../verdict.js'

/** Gives a message that was allowed a `hostbound` member that is known already. */
export function identifyAs(message: object, identity: Identity | null): void {
  Object.defineProperty(message, 'hostbound', { configurable: true, enumerable: false, value: identity })
}

/**
 * Gives a message that was allowed a `hostbound` member. It is computed when it is first read, from the request as it was
 * judged: what the application changes in the meantime does not matter.
 */
export function identify(message: object, request: HttpRequest, guard: Guard): void {
  const judged = { ...request, headers: request.headers.slice() as HttpRequest['headers'] }
  let identity: Identity | null | undefined
  Object.defineProperty(message, 'hostbound', {
    configurable: true,
    enumerable: false,
    get: () => (identity ??= guard.decide(judged).identity),
  })
}

/** Gives a message of HTTP/2 the `hostbound` member of its stream. */
export function shareIdentity(stream: object, message: object): void {
  const property = Object.getOwnPropertyDescriptor(stream, 'hostbound')
  if (property !== undefined) Object.defineProperty(message, 'hostbound', property)
}
