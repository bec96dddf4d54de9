import { type Gate, replace, wrap } from './gate.js'
import { native } from './natives.js'

/** What the platform made of a call, read once: what getters and `toString` would say the next time decides nothing. */
export interface Asked {
  readonly request: Request
  readonly url: string
  readonly headers: string[]
}

/** Guards `fetch`. A call before the guard is ready waits for it. */
export function guardFetch(gate: Gate): void {
  replace(globalThis, 'fetch', wrap(native.fetch, { apply: (_, __, parameters) => fetchGuarded(gate, parameters) }))
}

/** What `fetch` makes of these parameters. */
export function read(parameters: unknown[]): Asked {
  const request = native.construct(native.Request, parameters) as Request
  const headers: string[] = []
  native.eachHeader(native.requestHeaders(request), (_, name) => (headers[headers.length] = name))
  return { request, url: native.requestUrl(request), headers }
}

/** Waits until it is known whether the page may start; rejects if the request must not be sent. */
export async function judge(gate: Gate, { url, headers }: Asked): Promise<void> {
  if (!gate.isSettled) await gate.settled
  refuse(gate.refusal(url, headers))
}

async function fetchGuarded(gate: Gate, parameters: unknown[]): Promise<Response> {
  const asked = read(parameters)
  await judge(gate, asked)
  const response = (await native.apply(native.fetch, globalThis, [asked.request])) as Response
  if (native.responseIsRedirected(response)) {
    const refusal = gate.refusal(native.responseUrl(response), asked.headers, asked.url)
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
