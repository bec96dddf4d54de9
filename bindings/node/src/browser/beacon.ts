import { absolute, type Gate, replace, wrap } from './gate.js'
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
    if (url === undefined) throw new native.TypeError(`\`${text}\` is no URL`)
    const href = native.href(url)
    // What was judged is what goes out: reading the body may change the document's base.
    return gate.refusal(href, []) === undefined && native.apply(sendBeacon, self, [href, ...rest])
  }
  replace(prototype, 'sendBeacon', wrap(sendBeacon, { apply: call }))
}
