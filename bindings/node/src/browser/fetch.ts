import { type Gate, replace } from './gate.js'
import { native } from './natives.js'

/** Guards `fetch`. A call before the guard is ready waits for it. */
export function guardFetch(gate: Gate): void {
  const guarded = new native.Proxy(native.fetch, { apply: (_, __, parameters) => fetchGuarded(gate, parameters) })
  replace(globalThis, 'fetch', guarded)
}

async function fetchGuarded(gate: Gate, parameters: unknown[]): Promise<Response> {
  // The platform reads what it is given once, here: what getters and `toString` would say the next time decides nothing.
  const request = native.construct(native.Request, parameters) as Request
  const url = native.requestUrl(request)
  const headers: string[] = []
  native.eachHeader(native.requestHeaders(request), (_, name) => (headers[headers.length] = name))
  if (!gate.isSettled) await gate.settled
  refuse(gate.refusal(url, headers))
  const response = (await native.apply(native.fetch, globalThis, [request])) as Response
  if (native.responseIsRedirected(response)) {
    const refusal = gate.refusal(native.responseUrl(response), headers, url)
    const body = refusal && native.responseBody(response)
    if (body) void native.cancel(body).catch(() => {})
    refuse(refusal)
  }
  return response
}

/** As the platform ends a request that it blocks. */
function refuse(error: Error | undefined): void {
  if (error !== undefined) throw new native.TypeError(`Failed to fetch: ${error.message}`, { cause: error })
}
