// A vector's request on its way through Envoy: how it is sent, and how the filter gets to see it.

/** The protocols that it may go by. */
export const PROTOCOLS = ['1.1', '2']
/** The peer of a request that says none: an address that no policy of the vectors knows, and not loopback. */
const NOBODY = '198.51.100.1'
/** When a request is judged that says no time. */
const ANY_TIME = 1_767_225_600
/** Fields that Envoy joins with a comma, where they occur more than once, before any filter sees them. */
const JOINED = new RegExp(
  `^(${[
    'x-forwarded-(host|for|proto)|origin|access-control-request-(method|headers|private-network)|authorization|content-(type|encoding)',
    'pragma|cache-control|user-agent|accept|accept-encoding|referer',
  ].join('|')})$`,
)
/** What a filter gets from Envoy for an answer that does not come. */
const LOST = { status: 503, type: 'text/plain', body: '' }
const OF_THE_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']

/** The request that a client sends by a protocol. */
export function sent(request, protocol) {
  const asked = { now: ANY_TIME, scheme: 'http', peer: NOBODY, ...said(request) }
  if (protocol === '1.1') return asked
  const host = request.version === '2' ? 'host' : ':authority'
  const spelled = (name) => (name.startsWith(':') ? name : lower(name) === 'host' ? host : lower(name))
  return { ...asked, headers: asked.headers.map(([name, value]) => [spelled(name), value]) }
}

/** The request that the filter is handed when `request` was sent by a protocol, in the form that the engine takes. */
export function seen(request, protocol) {
  const headers = request.headers.map(([name, value]) => [lower(name), typeof value === 'string' ? value : Buffer.from(value.base64, 'base64').toString('latin1')])
  const handed = protocol === '2' ? seenOfHttp2({ ...request, headers }) : seenOfHttp1({ ...request, headers })
  const own = ownOf(request)
  const others = handed.headers.filter(([name]) => own.every(([other]) => other !== name))
  const answers = { ...request.answers, introspection: request.answers?.introspection ?? LOST }
  return { ...handed, answers, headers: [...joined(others, protocol), ...own] }
}

/**
 * Envoy has one form for all versions, in which the authority is a Host; a Host beside `:authority` is dropped. Only an extended CONNECT is told from what
 * it is made into. One that is not extended has no path.
 */
function seenOfHttp2(request) {
  const { method, headers, target } = request
  const authority = headers.find(([name]) => name === ':authority')?.[1] ?? hostOf(headers)
  const others = headers.filter(([name]) => name !== 'host' && name !== ':authority')
  const isExtended = others.some(([name]) => name === ':protocol')
  return {
    ...request,
    version: isExtended ? '2' : '1.1',
    target: method === 'CONNECT' && !isExtended ? '' : target,
    headers: authority === undefined ? others : [['host', authority], ...others],
  }
}

/** Of an absolute-form target the authority is taken for that of Host, without what may stand before an `@`; the rest becomes the target. */
function seenOfHttp1(request) {
  const target = request.target.trimStart()
  const [, authority, rest] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(target) ?? []
  const host = authority?.replace(/^.*@/s, '') ?? hostOf(request.headers)
  const others = withoutConnection(request.headers).filter(([name]) => name !== 'host')
  const headers = [...(host === undefined ? [] : [['host', host]]), ...others.map(([name, value]) => [name, unfolded(value)])]
  return { ...request, target: authority === undefined ? target : rest.replace(/^(?!\/)/, '/'), headers }
}

/** Without what is about the connection (RFC 9110 §7.6.1). An upgrade stays, if it is none to h2c. */
function withoutConnection(headers) {
  const listOf = (wanted) => headers.filter(([name]) => name === wanted).flatMap(([, value]) => value.split(',').map((item) => lower(item.trim())))
  const options = listOf('connection')
  const isUpgrade = options.includes('upgrade') && listOf('upgrade').length > 0 && listOf('upgrade').join() !== 'h2c'
  const dropped = isUpgrade ? ['transfer-encoding'] : [...OF_THE_CONNECTION, ...options]
  return headers.filter(([name]) => !dropped.includes(name))
}

/** Several are joined, but for empty ones. */
function hostOf(headers) {
  const hosts = headers.filter(([name]) => name === 'host').map(([, value]) => unfolded(value))
  return hosts.length > 1 ? hosts.filter((host) => host !== '').join() : hosts[0]
}

/** In one line (RFC 9112 §5.2), without the blanks around, which are not part of the value. */
function unfolded(value) {
  return value.replace(/[\r\n]/g, '').replace(/^[ \t]+|[ \t]+$/g, '')
}

function joined(headers, protocol) {
  const result = []
  for (const [name, value] of headers) {
    const separator = JOINED.test(name) ? ',' : name === 'cookie' && protocol === '2' ? '; ' : undefined
    const first = separator && result.find(([other]) => other === name)
    if (first) first[1] += separator + value
    else result.push([name, value])
  }
  return result
}

/** What Envoy says itself, whatever a client says: its fields count too. */
function ownOf({ scheme, peer }) {
  return [['x-forwarded-proto', scheme], ['x-envoy-external-address', peer], ['x-request-id', '00000000-0000-0000-0000-000000000000']]
}

const lower = (name) => name.toLowerCase()

/** The fields that are there. */
function said(request) {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined && value !== null))
}
