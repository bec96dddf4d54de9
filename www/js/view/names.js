// What targets are called on the page.

import { serviceAt } from '../services.js'
import { plain } from '../text.js'

/** @param {import('../types.js').Target} target */
export function nameOf(target) {
  if (target.kind === 'canary') return 'Bare canary'
  if (target.kind === 'guarded') return 'Guarded canary'
  return plain(target.name, 60)
}

/** @param {import('../types.js').Target} target */
export function kindOf(target) {
  if (target.kind === 'canary') return 'The lab’s own service, which checks nothing: the negative control'
  if (target.kind === 'guarded') return `The same service behind Hostbound in ${target.guard === 'envoy' ? 'Envoy' : 'Node'}`
  const usual = usualOf(target)
  return usual === null ? 'A service of this machine' : `A service of this machine, at the usual port of ${usual}`
}

/** What usually listens at its port: it may be something else. @param {import('../types.js').Target} target */
export function usualOf(target) {
  return serviceAt(Number(/:([0-9]+)$/.exec(target.address ?? '')?.[1]))
}
