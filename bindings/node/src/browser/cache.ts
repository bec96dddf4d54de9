import { judge, type Asked, read } from './fetch.js'
import { type Gate, replace, wrap } from './gate.js'
import { native } from './natives.js'

/** Guards `Cache.prototype.add` and `addAll`, which ask as `fetch` does. There are no caches where the page is no secure context. */
export function guardCache(gate: Gate): void {
  const { prototype } = (globalThis as { Cache?: typeof Cache }).Cache ?? {}
  if (prototype === undefined) return
  const { add, addAll } = prototype
  const addOne = async (self: unknown, parameters: unknown[]): Promise<unknown> => {
    if (parameters.length === 0) return native.apply(add, self, parameters)
    const asked = read([parameters[0]])
    await judge(gate, asked)
    return native.apply(add, self, [asked.request])
  }
  const addEach = async (self: unknown, parameters: unknown[]): Promise<unknown> => {
    if (parameters.length === 0) return native.apply(addAll, self, parameters)
    const requests: Request[] = []
    const each: Asked[] = []
    for (const one of parameters[0] as Iterable<unknown>) each[each.length] = read([one])
    for (const asked of each) {
      await judge(gate, asked)
      requests[requests.length] = asked.request
    }
    return native.apply(addAll, self, [requests])
  }
  replace(prototype, 'add', wrap(add, { apply: (_, self, parameters) => addOne(self, parameters) }))
  replace(prototype, 'addAll', wrap(addAll, { apply: (_, self, parameters) => addEach(self, parameters) }))
}
