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

/** What the strategies do, as `lab/src/strategy.rs` says. @type {Record<string, string>} */
const STRATEGIES = {
  'multiple-answers': 'one answer with the attacker’s address and yours',
  unspecified: 'the same, with 0.0.0.0 as yours',
  'ipv6-loopback': 'the attacker’s address, then ::1',
  'mixed-families': 'the attacker’s IPv6 address beside your IPv4 address',
  'first-then-second': 'the attacker’s address, then yours',
  'first-then-second-flush': 'the attacker’s address, then yours, with the browser’s memory of names pushed out',
  'round-robin': 'the attacker’s address and yours in turns',
  random: 'the attacker’s address or yours by chance',
  cname: 'the attacker’s address, then the name localhost',
}

/** A strategy with half a sentence on what it does. @param {string} strategy */
export function strategyOf(strategy) {
  const what = Object.hasOwn(STRATEGIES, strategy) ? ` (${STRATEGIES[strategy]})` : ''
  return `${plain(strategy, 40)}${what}`
}
