// What the engine says of requests: through the npm package, whose verdicts its own tests hold byte for byte against those of `hostbound decide`.

import { Guard, Policy } from '../../../bindings/node/dist/index.node.js'
import { secretsOf, settled } from '../../../bindings/node/test/support/vectors.mjs'

const policies = new Map()

/** The policy of a vector; equal ones are one. */
export async function policyOf({ policy }) {
  const text = JSON.stringify(policy)
  if (!policies.has(text)) policies.set(text, Policy.fromJson(text, { file: 'policy' }))
  return policies.get(text)
}

/** What is said of requests that come one after the other to a guard of their own: the verdict, and what the client gets to see of it. */
export function judged(policy, { secrets, epoch = 0 }, requests) {
  const guard = new Guard(policy, { secrets: secretsOf(policy, secrets), epoch })
  return requests.map((request) => {
    guard.judge(settled(guard, request))
    return { verdict: guard.verdict(), text: guard.clientText(), header: guard.clientHeader() }
  })
}
