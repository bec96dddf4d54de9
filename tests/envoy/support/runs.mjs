// Runs: a vector by a protocol, with what the engine says of every request as Envoy hands it on.

import { PROTOCOLS, seen, sent } from './carried.mjs'
import { judged, policyOf } from './engine.mjs'

/** The runs of vectors. Those that are `isUnsent` have no steps. */
export async function runsOf(vectors, isUnsent) {
  const runs = []
  for (const vector of vectors) {
    const policy = await policyOf(vector)
    const requests = [...vector.before, vector.request]
    for (const protocol of PROTOCOLS) {
      const run = { vector, protocol, steps: [] }
      runs.push(run)
      if (isUnsent(vector, protocol)) continue
      const asked = requests.map((request) => sent(request, protocol))
      const said = judged(policy, vector, asked.map((request) => seen(request, protocol)))
      run.steps = asked.map((request, index) => ({ request, judged: said[index] }))
    }
  }
  return runs
}
