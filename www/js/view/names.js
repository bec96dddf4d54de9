// What targets are called on the page.

import { serviceAt } from '../services.js'
import { plain } from '../text.js'

/** `Ollama, 127.0.0.1:11434`; the port says what it usually is, not what it is. @param {import('../types.js').Target} target */
export function nameOf(target) {
  if (target.kind === 'canary') return 'Bare canary'
  if (target.kind === 'guarded') return 'Guarded canary'
  return plain(target.name, 60)
}

/** @param {import('../types.js').Target} target */
export function kindOf(target) {
  if (target.kind === 'canary') return 'The lab’s own service, which checks nothing: the negative control'
  if (target.kind === 'guarded') return `The same service behind Hostbound in ${target.guard === 'envoy' ? 'Envoy' : 'Node'}`
  const port = Number(/:([0-9]+)$/.exec(target.address ?? '')?.[1])
  const usual = serviceAt(port)
  return usual === null ? 'A service of this machine' : `A service of this machine, at the usual port of ${usual}`
}
