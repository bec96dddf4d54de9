// The contract, in Envoy: every vector, over HTTP/1 and HTTP/2, through the filter as it is shipped.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { isDeepStrictEqual } from 'node:util'

import { certificates } from '../../bindings/node/test/support/ca.mjs'
import { vectors } from '../../bindings/node/test/support/files.mjs'
import { RULES, ruleFor } from './cannot_carry.mjs'
import { Clock, clockLibrary } from './support/clock.mjs'
import { MODULE } from './support/filter.mjs'
import { outcomeOf } from './support/outcome.mjs'
import { plan } from './support/plan.mjs'
import { play } from './support/play.mjs'
import { runsOf } from './support/runs.mjs'
import { Stage } from './support/stage.mjs'
import { Verdicts } from './support/verdicts.mjs'

/** How many differences are told. */
const TOLD = 40

const folder = mkdtempSync(join(tmpdir(), 'hostbound-envoy-'))
after(() => rmSync(folder, { recursive: true }))
const made = certificates({ after })
made.authority('ca')
made.issue('server', 'ca', 'DNS:localhost')
const TLS = { certificate: made.path('server.pem'), key: made.path('server.key') }
const LIBRARY = clockLibrary(folder)

test('every vector has the verdict that it wants, as the engine gives it, or a rule says what Envoy does to it', async (t) => {
  const runs = await runsOf(vectors(), (vector, protocol) => ruleFor('unsent', vector, protocol) !== undefined)
  const found = (await Promise.all([...envoys(runs)].map(([name, own]) => outcomes(own, name)))).flat()
  const wrong = []
  const counts = new Map(RULES.map((rule) => [rule, { '1.1': 0, 2: 0 }]))
  let carried = 0
  for (const { run, how, wrong: differences } of found) {
    const { vector, protocol } = run
    const title = `${vector.id} (${vector.comment}) on HTTP/${protocol}`
    if (differences.length > 0) wrong.push(`${title}: ${differences.join('; ')}`)
    else if (how === 'carried') carried += 1
    else {
      const rule = ruleFor(how, vector, protocol)
      if (rule === undefined) wrong.push(`${title}: ${how}, and no rule says why`)
      else counts.get(rule)[protocol] += 1
    }
  }
  t.diagnostic(`${found.length} runs, ${carried} carried`)
  const miscounted = RULES.filter((rule) => !isDeepStrictEqual(rule.count, counts.get(rule))).map((rule) => `${rule.why}: ${JSON.stringify(counts.get(rule))}`)
  assert.deepEqual([...wrong.slice(0, TOLD), ...miscounted], [], `${wrong.length} differ, ${miscounted.length} rules count wrong`)
})

/** An Envoy for each protocol and age of the replay stores: at once, there are two cores. */
function envoys(runs) {
  const groups = new Map()
  for (const run of runs) {
    const name = `${run.vector.epoch ?? 0}-${run.protocol}`
    if (!groups.has(name)) groups.set(name, [])
    groups.get(name).push(run)
  }
  return groups
}

/** Plays runs in an Envoy of their own, and gives what became of each. */
async function outcomes(runs, name) {
  plan(runs)
  const epoch = runs[0].vector.epoch ?? 0
  const clock = new Clock(LIBRARY, join(folder, `${name}.clock`), epoch)
  const stage = new Stage(join(folder, name), MODULE, TLS)
  const verdicts = new Verdicts()
  try {
    await stage.open(runs, clock, epoch, (line) => verdicts.hear(line))
    await play(stage, runs, clock)
  } finally {
    await stage.close()
    clock.close()
  }
  return runs.map((run) => ({ run, ...outcomeOf(run, verdicts) }))
}
