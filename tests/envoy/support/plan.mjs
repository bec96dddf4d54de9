// Where and when in an Envoy each run of a vector takes place.
//
// A vector is judged with a store and a memory into which nothing has been put but by the requests before it. For what is kept of tokens a filter of
// its own is enough. Claims are kept for all filters of one VM, so runs that claim the same go to different VMs. A store's clock never goes back, so
// the whole sweeps through the time of all runs together, once; a run that goes back in time waits for the next sweep.

/** Gives every run its `vm` and `instance`, and every step its `sweep`. */
export function plan(runs) {
  // In the first also those that claim nothing.
  const vms = [{ claims: new Set(), isTaken: false }]
  for (const run of runs) {
    let [sweep, last] = [0, 0]
    for (const step of run.steps) {
      if (step.request.now < last) sweep += 1
      last = step.request.now
      step.sweep = sweep
    }
    run.instance = hasMemory(run) ? `${run.vector.id} ${run.protocol}` : ''
    run.vm = vmFor(vms, claimsOf(run), sweep > 0 || isAboutStore(run))
  }
}

/** The steps of all runs, by when they take place: `{now, parts}`, each run in `parts` with those of its steps that come next. */
export function schedule(runs) {
  const groups = new Map()
  for (const run of runs) {
    for (const step of run.steps) {
      const { sweep, request } = step
      const key = `${sweep} ${request.now}`
      if (!groups.has(key)) groups.set(key, { sweep, now: request.now, parts: new Map() })
      const { parts } = groups.get(key)
      parts.set(run, [...(parts.get(run) ?? []), step])
    }
  }
  return [...groups.values()].sort((one, other) => one.sweep - other.sweep || one.now - other.now)
}

/** The first VM in which none of the claims has been made. */
function vmFor(vms, claims, isAlone) {
  const fits = (vm) => claims.every((claim) => !vm.claims.has(claim)) && !vm.isTaken && !(isAlone && vm.claims.size > 0)
  const found = claims.length === 0 && !isAlone ? 0 : vms.findIndex((vm, index) => fits(vm) && !(isAlone && index === 0))
  const index = found < 0 ? vms.length : found
  const vm = (vms[index] ??= { claims: new Set(), isTaken: false })
  vm.isTaken ||= isAlone
  for (const claim of claims) vm.claims.add(claim)
  return index
}

/** Whether the store may be full or new: then a claim that is refused may leave something behind. */
function isAboutStore({ vector, steps }) {
  return JSON.stringify(vector.policy).includes('"replay_capacity"') || steps.some(({ judged }) => judged.verdict.reason === 'replay_store_unavailable')
}

/** Whether what was asked of other servers, or kept of tokens, can change a verdict. */
function hasMemory({ vector, steps }) {
  return steps.length > 1 || /"(url|introspection)":/.test(JSON.stringify(vector.policy.tokens ?? {}))
}

/** What the requests of a run claim, told apart no better than the store does. */
function claimsOf({ steps }) {
  const signed = steps.map(({ judged }) => judged.verdict.identity).filter((identity) => identity?.signature)
  // Without a nonce the MAC is claimed, which is not to be seen here: all of these are taken for one. A webhook's claim does not say which key signed.
  return signed.map(({ host, signature: { name, nonce } }) => JSON.stringify(nonce === null ? [name, host] : [name, host, nonce]))
}
