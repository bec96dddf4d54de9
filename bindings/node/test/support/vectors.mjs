// The vectors of tests/vectors, with their shorthands written out as tests/common/vectors.rs does, and how this face is held to
// them. Without node: imports: the browser test runs the same file.

/** The files of requests and verdicts; the last two are for Node's engine, the core refuses the policies in them that have tokens. */
export const FILES = ['authority', 'guard', 'host', 'origin', 'peer', 'request', 'route', 'signature', 'token', 'token_source']

/** The cases of one file. */
export function casesOf(file) {
  if (file.schema !== 'hostbound-vectors-1') throw new Error(`schema ${file.schema}`)
  const requests = new Map(file.cases.map(({ id, request }) => [id, expand(request)]))
  return file.cases.map((vector) => ({
    ...vector,
    policy: expand(typeof vector.policy === 'string' ? file.policies[vector.policy] : vector.policy),
    request: expand(vector.request),
    want: expand(vector.want),
    before: (vector.before ?? []).map((id) => requests.get(id)),
    secrets: file.secrets ?? {},
  }))
}

/** Those of the file's secrets and key sets that the policy refers to. */
export function secretsOf(policy, secrets) {
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => policy.secrets.some((reference) => reference.name === name)))
}

/** A guard as the cases before a case left it. */
export function staged({ before, epoch = 0, secrets }, policy, Guard) {
  const guard = new Guard(policy, { secrets: secretsOf(policy, secrets), epoch })
  for (const request of before) guard.judge(settled(guard, request))
  return guard
}

/** Answers the questions about a request as its document says that other servers do: the request that can be judged then. */
export function settled(guard, { answers = {}, ...document }) {
  const request = requestOf(document)
  guard.inspect(request)
  const question = guard.question()
  if (question === undefined) return request
  if (question.body !== null) return { ...request, introspection: answerOf(answers.introspection) ?? null }
  guard.keepKeys(question.section, answerOf(answers.keys?.[question.section]), request.now)
  return request
}

/** What a document says of an answer: nothing, the body of one that is JSON, or all of it. */
function answerOf(answer) {
  if (answer === undefined || answer === null) return undefined
  const { status, type, body } = typeof answer === 'string' ? { status: 200, type: 'application/json', body: answer } : answer
  return { status, contentType: type ?? undefined, body: new TextEncoder().encode(body) }
}

/** The JSON form of a request as this package takes it. */
export function requestOf({ headers, body, ...rest }) {
  const request = { ...rest, headers: headers.map(([name, value]) => [name, bytesOf(value)]) }
  return body === undefined ? request : { ...request, body: bytesOf(body) }
}

/** Judges a case in every way there is and says what differs from what is wanted: an empty list, if all is well. */
export async function judge(vector, { Policy, Guard, reasonOf, isDenied, needsBody, statusOf }) {
  const policy = await Policy.fromJson(JSON.stringify(vector.policy), { file: 'vector' })
  const guard = staged(vector, policy, Guard)
  const request = settled(guard, vector.request)
  const code = guard.judge(request)
  const verdict = guard.verdict()
  const wrong = []
  const same = (what, found, wanted) => {
    const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
    if (one !== other) wrong.push(`${vector.id}: ${what}: found ${one}, wanted ${other}`)
  }
  same('pinned fields', sorted(pinned(verdict)), sorted(vector.want))
  same('reason', reasonOf(code), verdict.reason ?? verdict.reported[0]?.reason ?? null)
  same('denied', isDenied(code), verdict.decision === 'deny')
  same('status', statusOf(code), verdict.status)
  same('zero', code === 0, verdict.decision === 'allow' && verdict.reported.length === 0)
  same('policy', verdict.policy, guard.policy.digest)
  same('id', verdict.id, vector.request.id ?? null)
  same('text', guard.clientText().split('\n')[0], verdict.public_reason ?? '')
  const challenge = verdict.reason === 'scope_insufficient' ? 'WWW-Authenticate' : undefined
  same('header', guard.clientHeader()?.[0], { 401: 'WWW-Authenticate', 403: challenge, 503: 'Retry-After' }[verdict.status])
  // Of a signed request a second judgement would be of a replay.
  const isSigned = vector.policy.signatures !== undefined
  const again = () => {
    if (!isSigned) return guard
    const other = staged(vector, policy, Guard)
    settled(other, vector.request)
    return other
  }
  const json = again().decideJson(request)
  same('as JSON', verdict, JSON.parse(json))
  same('again', again().decideJson({ ...request, headers: request.headers.flat() }), json)
  // The head alone never allows what the whole denies.
  const head = again().inspect(request)
  same('head', isDenied(head) && (needsBody(head) || head === code), isDenied(code) || needsBody(head))
  // A store of the caller's comes to the same verdict.
  const other = again()
  const claim = other.claim(request)
  if (claim === undefined) same('without a claim', other.verdict(), verdict)
  else if (code === 0) same('claimed', other.answer(request, { outcome: 'made', epoch: 0 }), code)
  return wrong
}

export function expand(value) {
  const text = textOf(value)
  if (text !== undefined) return text
  if (Array.isArray(value)) return value.flatMap(expandItem)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, expand(member)]))
}

function expandItem(item) {
  if (item?.repeat_header === undefined) return [expand(item)]
  const [name, value, count] = item.repeat_header
  return Array.from({ length: count }, (_, index) => [`${name}-${index}`, expand(value)])
}

function textOf(value) {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined
  if (value.repeat !== undefined) return textOf(value.repeat[0])?.repeat(value.repeat[1])
  return value.concat instanceof Array ? value.concat.map(textOf).join('') : undefined
}

function bytesOf(value) {
  if (typeof value === 'string') return value
  return Uint8Array.from(atob(value.base64), (character) => character.charCodeAt(0))
}

export function pinned({ id, policy, detail, reported, ...rest }) {
  return { ...rest, reported: reported.map(({ detail, ...report }) => report) }
}

export function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
}
