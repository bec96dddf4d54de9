import { absolute, type Gate, replace } from './gate.js'
import { native } from './natives.js'

/** Guards `navigator.sendBeacon`: what is refused is not queued. */
export function guardBeacon(gate: Gate): void {
  const { prototype } = Navigator
  const { sendBeacon } = prototype
  const call = (_: object, self: unknown, parameters: unknown[]): unknown => {
    if (parameters.length === 0) return native.apply(sendBeacon, self, parameters)
    const [asked, ...rest] = parameters
    const text = native.String(asked)
    const url = absolute(text)
    if (url !== undefined && gate.refusal(native.href(url), []) !== undefined) return false
    return native.apply(sendBeacon, self, [text, ...rest])
  }
  replace(prototype, 'sendBeacon', new native.Proxy(sendBeacon, { apply: call }))
}
