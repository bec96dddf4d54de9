// What Envoy cannot carry, and why: a rule per row, and how many vectors each is about, by protocol. The first row that is true of a request counts. A
// vector that is not carried for any other reason fails, and so does a count that is not right.
//
// `unsent`: there is no way to say it on that protocol, or to this Envoy. `refused`: Envoy answers by itself, or closes. `changed`: the filter is handed
// another request, as support/carried.mjs says, and judges that one as the engine does; the rest is then as in every other case.

/** What Envoy lets into an authority. */
const AUTHORITY = { '1.1': /^[\w!$%&'()*+,\-.:;=@[\]~]*$/, 2: /^[\w!$%&'()*+,\-.:;=[\]~]+$/ }
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/
/** What Envoy makes one field of. */
const JOINED = /^(x-forwarded-host|origin|access-control-request-method|content-type|authorization|host)$/i
const OF_CONNECTION = /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/i
/** The nanoseconds after 1970 are a number of 63 bits. */
const LAST_SECOND = 9_223_372_036
/** With a clock at 0 Envoy does not start. */
const DAY = 86_400
/** What remains of 1,000 fields and 256 KiB beside those of Envoy. */
const [MOST_FIELDS, MOST_BYTES] = [996, (256 << 10) - 200]
/** How much of a head of HTTP/2 Envoy takes. */
const MOST_BYTES_OF_HTTP2 = 64 << 10

const bytes = (value) => (typeof value === 'string' ? value : Buffer.from(value.base64, 'base64').toString('latin1'))
const names = ({ headers }) => headers.map(([name]) => name)
const values = ({ headers }) => headers.map(([, value]) => bytes(value))
const valuesOf = ({ headers }, wanted) => headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => bytes(value))
const has = (request, wanted) => valuesOf(request, wanted).length > 0
const isTwice = (request, pattern) => {
  const found = names(request).filter((name) => pattern.test(name))
  return new Set(found.map((name) => name.toLowerCase())).size < found.length
}
const sizeOf = (request) => [...names(request), ...values(request)].join('').length
const bodyLength = ({ body = '' }) => Buffer.from(typeof body === 'string' ? body : bytes(body)).length
const announced = (request) => valuesOf(request, 'content-length').map(Number)
const isAbsolute = (target) => /^https?:\/\//i.test(target)
const isOfHttp1 = ({ version }) => version !== '2' && version !== '3'

/** Whether Envoy, and every server, waits for a rest of the body that never comes. A denial of the head alone does not wait. */
function isShort(request, want) {
  return announced(request).some((length) => length > bodyLength(request)) && (want.decision === 'allow' || want.status === 400)
}

export const RULES = [
  { how: 'unsent', why: 'HTTP/3 needs QUIC', is: ({ version }) => version === '3', count: { '1.1': 7, 2: 7 } },
  { how: 'unsent', why: 'it is of HTTP/2', on: '1.1', is: ({ version }) => version === '2', count: { '1.1': 80, 2: 0 } },
  { how: 'unsent', why: 'it is of HTTP/1', on: '2', is: ({ version }) => version === '1.0' || version === '1.1', count: { '1.1': 0, 2: 23 } },
  {
    how: 'unsent',
    why: 'no Host, or more than one, has no form in HTTP/2',
    on: '2',
    is: (request) => isOfHttp1(request) && valuesOf(request, 'host').length !== 1,
    count: { '1.1': 0, 2: 33 },
  },
  {
    how: 'unsent',
    why: 'a line feed, or a colon in a name, makes two of one part of the head: another request',
    on: '1.1',
    is: (request) => [request.method, request.target, ...values(request)].some((text) => /\n(?![ \t])/.test(text)) || names(request).some((name) => /\n|.:/.test(name)),
    count: { '1.1': 10, 2: 0 },
  },
  {
    how: 'unsent',
    why: 'a body that is shorter than announced never ends',
    on: '1.1',
    is: (request, _, want) => isShort(request, want),
    count: { '1.1': 18, 2: 0 },
  },
  {
    how: 'unsent',
    why: 'a body that is longer than announced is the next request',
    on: '1.1',
    is: (request) => announced(request).length === 1 && announced(request)[0] < bodyLength(request),
    count: { '1.1': 17, 2: 0 },
  },
  {
    how: 'unsent',
    why: 'a body that is not as long as announced makes no request (RFC 9113 §8.1.1), and either Envoy or the filter says so first',
    on: '2',
    is: (request) => announced(request).some((length) => length < 2 ** 63 && length !== bodyLength(request)),
    count: { '1.1': 0, 2: 61 },
  },
  { how: 'unsent', why: 'no clock of Envoy comes that far', is: ({ now }) => now > LAST_SECOND, count: { '1.1': 5, 2: 5 } },
  {
    how: 'unsent',
    why: 'no replay store of Envoy is that old',
    is: ({ now }, _, { decision, identity }) => now < DAY && decision === 'allow' && identity.signature,
    count: { '1.1': 2, 2: 2 },
  },

  { how: 'refused', why: 'no Host', on: '1.1', is: (request) => !has(request, 'host'), count: { '1.1': 26, 2: 0 } },
  { how: 'refused', why: 'no `:authority`', on: '2', is: (request) => request.version === '2' && !has(request, ':authority'), count: { '1.1': 0, 2: 3 } },
  {
    how: 'refused',
    why: 'a character of the authority',
    is: (request, protocol) => [...valuesOf(request, 'host'), ...valuesOf(request, ':authority')].some((authority) => !AUTHORITY[protocol].test(authority)),
    count: { '1.1': 40, 2: 56 },
  },
  { how: 'refused', why: 'a target in absolute-form', on: '2', is: ({ target }) => isAbsolute(target), count: { '1.1': 0, 2: 74 } },
  { how: 'refused', why: 'an authority in the target that is none', on: '1.1', is: ({ target }) => isAbsolute(target), count: { '1.1': 18, 2: 0 } },
  { how: 'refused', why: '`#` in the target', is: ({ target }) => target.includes('#'), count: { '1.1': 3, 2: 3 } },
  { how: 'refused', why: 'a control character or a space in the target', is: ({ target }) => /[\0-\x20\x7f]/.test(target), count: { '1.1': 5, 2: 8 } },
  { how: 'refused', why: 'a byte above 0x7f in the target', on: '1.1', is: ({ target }) => /[^\0-\x7f]/.test(target), count: { '1.1': 12, 2: 0 } },
  { how: 'refused', why: 'a target that is no path, no URL of http and not `*`', is: ({ target }) => !/^[/*]/.test(target), count: { '1.1': 11, 2: 12 } },
  { how: 'refused', why: '`*` as the target', is: ({ target }) => target.startsWith('*'), count: { '1.1': 17, 2: 18 } },
  { how: 'refused', why: 'a method that is no token', is: ({ method }) => !TOKEN.test(method), count: { '1.1': 5, 2: 6 } },
  {
    how: 'refused',
    why: 'a CONNECT that is no WebSocket',
    is: (request) => request.method === 'CONNECT' && valuesOf(request, ':protocol').join() !== 'websocket',
    count: { '1.1': 1, 2: 4 },
  },
  {
    how: 'refused',
    why: 'an unknown pseudo-header, or `:protocol` without CONNECT',
    is: (request) => names(request).some((name) => name.startsWith(':') && name !== ':authority'),
    count: { '1.1': 2, 2: 7 },
  },
  { how: 'refused', why: 'a name that is no token', is: (request) => names(request).some((name) => !TOKEN.test(name)), count: { '1.1': 14, 2: 19 } },
  {
    how: 'refused',
    why: 'a control character in a value',
    is: (request) => values(request).some((value) => /[\0-\x08\x0a-\x1f\x7f]/.test(value)),
    count: { '1.1': 26, 2: 33 },
  },
  {
    how: 'refused',
    why: 'Content-Length twice, or no number',
    is: (request) => announced(request).length > 1 || announced(request).some((length) => !(length < 2 ** 63)),
    count: { '1.1': 4, 2: 4 },
  },
  {
    how: 'refused',
    why: 'fields of the connection do not exist in HTTP/2',
    on: '2',
    is: (request) => names(request).some((name) => OF_CONNECTION.test(name)),
    count: { '1.1': 0, 2: 82 },
  },
  {
    how: 'refused',
    why: 'an upgrade to something else than a WebSocket',
    on: '1.1',
    is: (request) => has(request, 'upgrade') && valuesOf(request, 'upgrade').join() !== 'websocket',
    count: { '1.1': 6, 2: 0 },
  },
  { how: 'refused', why: 'the head is too long for Envoy', on: '2', is: (request) => sizeOf(request) > MOST_BYTES_OF_HTTP2, count: { '1.1': 0, 2: 9 } },
  { how: 'refused', why: 'nobody has an unspecified address', is: ({ peer }) => peer === '0.0.0.0' || peer === '::', count: { '1.1': 2, 2: 2 } },

  {
    how: 'changed',
    why: 'the authority of an absolute-form target takes the place of Host',
    on: '1.1',
    is: ({ target }) => isAbsolute(target),
    count: { '1.1': 31, 2: 0 },
  },
  { how: 'changed', why: 'of two Hosts one is made', on: '1.1', is: (request) => isTwice(request, /^host$/i), count: { '1.1': 2, 2: 0 } },
  {
    how: 'changed',
    why: 'Host beside `:authority` is dropped',
    on: '2',
    is: (request) => has(request, 'host') && has(request, ':authority'),
    count: { '1.1': 0, 2: 5 },
  },
  {
    how: 'changed',
    why: '`:authority` becomes Host: a signature of the field `host` is one of that',
    on: '2',
    is: (request) => valuesOf(request, 'signature-input').some((input) => input.includes('"host"')),
    count: { '1.1': 0, 2: 1 },
  },
  { how: 'changed', why: 'of a field that occurs twice one is made', is: (request) => isTwice(request, JOINED), count: { '1.1': 29, 2: 29 } },
  {
    how: 'changed',
    why: 'blanks around a value are not part of it',
    on: '1.1',
    is: (request) => values(request).some((value) => /^[ \t]|[ \t]$/.test(value)),
    count: { '1.1': 21, 2: 0 },
  },
  { how: 'changed', why: 'a second blank before the target is passed over', on: '1.1', is: ({ target }) => target.startsWith(' '), count: { '1.1': 1, 2: 0 } },
  {
    how: 'changed',
    why: 'CR and line folds are taken out of values',
    on: '1.1',
    is: (request) => values(request).some((value) => value.includes('\r')),
    count: { '1.1': 3, 2: 0 },
  },
  {
    how: 'changed',
    why: 'fields of the connection are taken away, and upgrades to h2c',
    on: '1.1',
    is: (request) => names(request).some((name) => OF_CONNECTION.test(name)),
    count: { '1.1': 7, 2: 0 },
  },
  {
    how: 'changed',
    why: 'fields of Envoy count too',
    is: (request) => request.headers.length > MOST_FIELDS || sizeOf(request) > MOST_BYTES,
    count: { '1.1': 3, 2: 1 },
  },
  { how: 'changed', why: 'there is a clock', is: ({ now }) => (now ?? null) === null, count: { '1.1': 22, 2: 22 } },
]

/** The first rule of a kind that is true of one of the requests of a vector. */
export function ruleFor(how, { before, request, want }, protocol) {
  const requests = [request, ...before]
  return RULES.find((rule) => rule.how === how && (rule.on ?? protocol) === protocol && requests.some((each) => rule.is(each, protocol, want)))
}
