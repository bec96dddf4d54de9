import type { Guard } from '../guard.js'
import type { Policy } from '../policy.js'
import type { HttpRequest } from '../request.js'
import type { Identity } from '../verdict.js'

/**
 * Gives a message that was allowed a `hostbound` member, and an `auth` member where the policy has tokens.
 *
 * @param guard - As it is just after it has judged the request.
 */
export function identify(message: object, request: HttpRequest, guard: Guard): void {
  const { policy } = guard
  if (canJudgeAgain(request, policy)) identifyLater(message, request, guard)
  else identifyAs(message, guard.verdict().identity, policy)
}

/** What a body or a nonce proved cannot be asked a second time, and a token is not verified twice. */
function canJudgeAgain({ body }: HttpRequest, { signatures, tokens }: Policy): boolean {
  return body === undefined && signatures.length === 0 && tokens.length === 0
}

function identifyAs(message: object, identity: Identity | null, { tokens }: Policy): void {
  define(message, 'hostbound', { value: identity })
  if (tokens.length > 0) define(message, 'auth', { value: identity?.token ?? null })
}

/**
 * It is computed when it is first read, from the request as it was judged: what the application changes in the meantime does not
 * matter.
 */
function identifyLater(message: object, request: HttpRequest, guard: Guard): void {
  const judged = { ...request, headers: request.headers.slice() as HttpRequest['headers'] }
  let identity: Identity | null | undefined
  define(message, 'hostbound', { get: () => (identity ??= guard.decide(judged).identity) })
}

/** Gives a message of HTTP/2 what its stream has of this. */
export function shareIdentity(stream: object, message: object): void {
  for (const name of ['hostbound', 'auth'] as const) {
    const property = Object.getOwnPropertyDescriptor(stream, name)
    if (property !== undefined) Object.defineProperty(message, name, property)
  }
}

function define(message: object, name: 'hostbound' | 'auth', property: PropertyDescriptor): void {
  Object.defineProperty(message, name, { configurable: true, enumerable: false, ...property })
}
