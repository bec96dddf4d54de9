import type { Guard } from '../guard.js'
import type { Identity } from '../verdict.js'

/**
 * Gives the message that was inspected last a `hostbound` member. It is computed when it is first read, from a copy of the
 * request as it was judged: what the application changes in the meantime does not matter.
 */
export function identify(message: object, guard: Guard): void {
  const packed = guard.save()
  let identity: Identity | null | undefined
  Object.defineProperty(message, 'hostbound', {
    configurable: true,
    enumerable: false,
    get: () => (identity ??= guard.judgeSaved(packed).identity),
  })
}

/** Gives a message of HTTP/2 the `hostbound` member of its stream. */
export function shareIdentity(stream: object, message: object): void {
  const property = Object.getOwnPropertyDescriptor(stream, 'hostbound')
  if (property !== undefined) Object.defineProperty(message, 'hostbound', property)
}
