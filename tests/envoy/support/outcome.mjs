// What became of a run, held against the vector and the engine.

import { isDeepStrictEqual } from 'node:util'

import { pinned } from '../../../bindings/node/test/support/vectors.mjs'
import { bytesOf } from './http1.mjs'

/**
 * `carried`, `unsent`, `refused` or `changed`, as in cannot_carry.mjs; and what is wrong with what came back, an empty list if all is well.
 */
export function outcomeOf({ vector, steps }, verdicts) {
  if (steps.length === 0) return { how: 'unsent', wrong: [] }
  const { answer, error, judged, request } = steps.at(-1)
  const id = answer?.headers['x-request-id']
  const found = id === undefined ? undefined : verdicts.of(id)
  if (found === undefined) return { how: 'refused', wrong: notRefused(answer, error) }
  const wrong = []
  const same = (what, one, other) => {
    if (!isDeepStrictEqual(one, other)) wrong.push(`${what}: Envoy ${JSON.stringify(one)}, engine ${JSON.stringify(other)}`)
  }
  const { verdict, text, header } = judged
  const isDenied = verdict.decision === 'deny'
  same('verdict', found.verdict, { ...logged(verdict), id })
  same('level', found.level, isDenied || verdict.reported.length > 0 ? 'warning' : 'info')
  same('status', answer.status, verdict.status)
  if (isDenied) {
    same('body', answer.body, request.method === 'HEAD' ? '' : text)
    same('content-type', answer.headers['content-type'], 'text/plain; charset=utf-8')
    for (const name of ['www-authenticate', 'retry-after']) same(name, answer.headers[name], name === header?.[0].toLowerCase() ? header[1] : undefined)
  }
  // Of an answer without a body, nobody knows what arrived.
  if (!isDenied && answer.body !== '') same('body upstream', JSON.parse(answer.body).body, bytesOf(request.body ?? '', 'utf8').toString('base64'))
  const isAsWanted = isDeepStrictEqual(plain(pinned(verdict)), plain(vector.want))
  return { how: isAsWanted ? 'carried' : 'changed', wrong }
}

/** What is wrong with an answer without a verdict. */
function notRefused(answer, error) {
  if (error !== undefined) return [error.message]
  return answer === undefined || answer.status >= 400 ? [] : [`status ${answer.status} without a verdict`]
}

/** The form of a verdict for logs: without claims. */
function logged({ identity, ...verdict }) {
  if (!identity?.token) return { ...verdict, identity }
  const { claims, ...token } = identity.token
  return { ...verdict, identity: { ...identity, token } }
}

const plain = (value) => JSON.parse(JSON.stringify(value))
