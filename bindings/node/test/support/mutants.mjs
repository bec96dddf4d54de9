// Real tokens, and what becomes of them: changed in every part and every layer, the same for the same seed.

import { createHash, createPublicKey } from 'node:crypto'

import { bytesBy, flip, one, PUBLIC, SECRET, SIGNERS } from './forged.mjs'
import { randomBy } from './generated.mjs'
import { bytesOf, Ed25519, inverse, mod, numberOf, P256, P384 } from './numbers.mjs'

export const NOW = 1_767_225_600
const [ISSUER, OTHER] = ['https://a.example/', 'https://b.example/']
const base64url = (bytes) => Buffer.from(bytes).toString('base64url')
const sha = (name, data) => createHash(name).update(data).digest()

const PUBLIC_ALGS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']
const SECRET_ALGS = ['HS256', 'HS384', 'HS512']

/** Where a token is sent to. */
const PATHS = { public: ['/public', '/either', '/strict', '/strict', '/scoped', '/seen'], secret: ['/secret', '/secret', '/either'] }

/** The members of a payload as texts, so that they can be what no JSON is. */
const CLAIMS = [
  ['aud', '"api.example.com"'],
  ['sub', '"user-1"'],
  ['iat', String(NOW - 10)],
  ['exp', String(NOW + 200)],
  ['client_id', '"a"'],
  ['scope', '"read write"'],
]

const objectOf = (members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`

/** A token by a key: its parts, and itself. */
function mint(signer, alg, random, { header = [['alg', JSON.stringify(alg)], ['typ', '"at+jwt"'], ['kid', JSON.stringify(signer.kid)]], claims, headerText = objectOf(header), payload, make } = {}) {
  const issuer = alg.startsWith('HS') ? OTHER : ISSUER
  const text = payload ?? objectOf(claims ?? [['iss', JSON.stringify(issuer)], ...CLAIMS, ['jti', `"${random(1 << 30)}"`]])
  const signed = Buffer.from(`${base64url(headerText)}.${base64url(text)}`)
  const { signature, ...rest } = make ? make(signed) : { signature: signer.sign(alg, signed, random) }
  return { signer, alg, header: headerText, payload: text, signed, signature, token: `${signed}.${base64url(signature)}`, ...rest }
}

/** How often a key is taken: those that are verified fast, more often. */
const WEIGHTS = [
  ...['hs-32', 'hs-64', 'hs-200', 'hs-64'],
  ...['ed-1', 'ed-2', 'ed-1', 'ed-2', 'ed-1'],
  ...['ec-256', 'ec-256', 'ec-256'],
  ...['rsa-2048', 'rsa-2048'],
]
const SELDOM = ['rsa-2049', 'rsa-3072', 'rsa-e33', 'ec-384']

/** Tokens, of which each is mutated many times: making one takes longer than verifying it. */
function basesBy(random) {
  const counts = { 'rsa-2048': 24, 'rsa-2049': 3, 'rsa-3072': 3, 'rsa-e33': 3, 'ec-384': 30 }
  return Object.fromEntries(Object.values(SIGNERS).map((signer) => [signer.kid, signer.algs.flatMap((alg) => Array.from({ length: counts[signer.kid] ?? 60 }, () => mint(signer, alg, random)))]))
}

/** Changes of the text of a token. */
const TEXTS = [
  ['a bit', (text, random) => replace(text, random, (code) => String.fromCharCode(code ^ (1 << random(8))))],
  ['a character', (text, random) => replace(text, random, () => one(random, 'ABZaz059-_'))],
  ['any byte', (text, random) => replace(text, random, () => String.fromCharCode(random(256)))],
  ['without a character', (text, random) => replace(text, random, () => '')],
  ['with a character', (text, random) => replace(text, random, (code) => String.fromCharCode(code) + one(random, 'AQgw-_.=+/% '))],
  ['cut behind', (text, random) => text.slice(0, random(text.length))],
  ['cut a little', (text, random) => text.slice(0, -1 - random(4))],
  ['cut in front', (text, random) => text.slice(1 + random(8))],
  ['longer', (text, random) => text + Array.from({ length: 1 + random(5) }, () => one(random, 'AQgwz_-9')).join('')],
  ['too long', (text, random) => text + 'A'.repeat(16_384 - text.length + random(3))],
  ['swapped parts', (text, random) => shuffled(text.split('.'), random).join('.')],
  ['a part twice', (text, random) => { const parts = text.split('.'); parts.splice(random(4), 0, one(random, parts)); return parts.join('.') }],
  ['a part less', (text, random) => { const parts = text.split('.'); parts.splice(random(3), 1); return parts.join('.') }],
  ['an empty part', (text, random) => onePart(text, random, () => '')],
  ['a part of another case', (text, random) => onePart(text, random, (part) => one(random, [part.toLowerCase(), part.toUpperCase()]))],
  ['padding', (text, random) => onePart(text, random, (part) => part + '='.repeat(1 + random(3)))],
  ['right padding', (text, random) => onePart(text, random, (part) => part + '='.repeat((4 - (part.length % 4)) % 4))],
  ['base64', (text) => text.replaceAll('-', '+').replaceAll('_', '/')],
  ['unused bits', (text, random) => onePart(text, random, (part) => unused(part, random))],
  ['a line break', (text, random) => onePart(text, random, (part) => part.slice(0, 20) + one(random, ['\n', '\r\n', '\t', ' ', '\u000b', '\0']) + part.slice(20))],
  ['escaped', (text, random) => onePart(text, random, (part) => `%${part.charCodeAt(0).toString(16)}${part.slice(1)}`)],
  ['a tail', (text, random) => text + one(random, ['.', ' ', ',', ';', '=', ' Bearer', `, Bearer ${text}`, `.${text}`, '\0', '~', '\u00ff'])],
  ['a head', (text, random) => one(random, ['.', ',', '=', '"', 'Bearer ', '\ufeff'.charAt(0) && '\u00ef\u00bb\u00bf', '\t']) + text],
  ['quoted', (text) => `"${text}"`],
  ['backwards', (text) => Array.from(text).reverse().join('')],
]

function replace(text, random, change) {
  const at = random(text.length)
  return text.slice(0, at) + change(text.charCodeAt(at)) + text.slice(at + 1)
}

function shuffled(parts, random) {
  const [a, b, c] = parts
  return one(random, [[b, a, c], [a, c, b], [c, b, a], [b, c, a], [c, a, b], [a, a, c], [a, b, b], [a, b, a], [b, b, c]])
}

function onePart(text, random, change) {
  const parts = text.split('.')
  const at = random(parts.length)
  parts[at] = change(parts[at])
  return parts.join('.')
}

/** The same bytes to whoever does not look at the bits that no byte has. */
function unused(part, random) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const free = { 2: 4, 3: 2 }[part.length % 4]
  if (free === undefined) return part
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)) ^ (1 + random((1 << free) - 1))]
}

/** Changes of the bytes of a part, whose signature stays. */
function bytesOfPart({ header, payload, signature }, random) {
  const parts = [Buffer.from(header), Buffer.from(payload), signature]
  const at = one(random, [0, 1, 2, 2, 2])
  const bytes = parts[at]
  const [kind, changed] = one(random, [
    ['a bit', () => flip(bytes, random)],
    ['a bit', () => flip(bytes, random)],
    ['two bits', () => flip(flip(bytes, random), random)],
    ['a byte', () => { const other = Buffer.from(bytes); other[random(other.length)] = random(256); return other }],
    ['a byte less', () => { const cut = random(bytes.length); return Buffer.concat([bytes.subarray(0, cut), bytes.subarray(cut + 1)]) }],
    ['a byte more', () => { const cut = random(bytes.length + 1); return Buffer.concat([bytes.subarray(0, cut), Buffer.of(random(256)), bytes.subarray(cut)]) }],
    ['cut', () => bytes.subarray(0, random(bytes.length))],
    ['two bytes swapped', () => { const other = Buffer.from(bytes); const [a, b] = [random(other.length), random(other.length)]; [other[a], other[b]] = [other[b], other[a]]; return other }],
    ['a range of zeros', () => { const other = Buffer.from(bytes); const from = random(other.length); return other.fill(0, from, from + 1 + random(other.length - from)) }],
    ['any bytes', () => bytesBy(random, bytes.length)],
    ['a line feed', () => Buffer.concat([bytes, Buffer.from('\n')])],
  ])
  parts[at] = changed()
  return { kind: `bytes of ${['header', 'payload', 'signature'][at]}: ${kind}`, token: parts.map(base64url).join('.') }
}

const string = JSON.stringify
/** Texts that are values of JSON, or nearly. */
const VALUES = [
  'null', 'true', 'false', '0', '-0', '1', '-1', '0.5', '1.0', '1e3', '1E+3', '01', '+1', '1.', '.5', '-', '0x10', 'NaN', 'Infinity', '1e400', '-1e-400',
  ...[-3601, -3600, -301, -300, -61, -60, -31, -30, -29, -1, 0, 1, 29, 30, 31, 60, 290, 291, 300, 301, 3600, 7189, 7190, 7191].map((offset) => String(NOW + offset)),
  `${NOW}.0`, `${NOW}e0`, `"${NOW}"`, `[${NOW}]`, `-${NOW}`, '253402300799', '253402300800', '2147483647', '2147483648', '4294967296', '9007199254740992', '9007199254740993',
  '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '-9223372036854775808', '1'.repeat(400), '1E400', '0e0', '-0.0',
  '""', '" "', '"a"', '"b"', '"c"', '"A"', '"read"', '"write read"', '"read  write"', '" read write"', '"read write "', '"read\\twrite"', '"read\\nwrite"', '"read\\"write"', '"rea\\u0064 write"', '"read write admin"', '"READ WRITE"',
  string(ISSUER), string(OTHER), '"https://a.example"', '"HTTPS://A.example/"', '"https:\\/\\/a.example\\/"', '"\\u0068ttps://a.example/"', '"https://a.example/\\u0000"',
  '"api.example.com"', '"API.example.com"', '"api.example.com."', '"\\u0061pi.example.com"', '"Zoë 🔑"', '"\\ud83d\\udd11"', '"\\ud800"', '"\\udc00\\ud800"', '"\\uD83D"', '"\\u00e9"', '"é"', '"\\u0000"', '"\\x41"', '"\\', '"\u0001"', '"\t"', '"\u007f"', '"\u2028"', "'a'", 'a',
  '[]', '{}', '[[]]', '[{}]', '[null]', '[""]', '["api.example.com"]', '["x","api.example.com"]', '["api.example.com",1]', '["api.example.com",null]', '["api.example.com",]', '[,]', '["read","write"]', '["read","write","read"]', '["read write"]', '["write","read"]', '["re ad","write"]', '["",""]',
  '{"a":1}', '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"a":{"b":[1,{"c":null}]}}', '{"":""}', '{"__proto__":{"a":1}}', '{a:1}', '{"a":1,}', '{"a"}',
  ...[12, 13, 14, 15, 16, 17, 63, 64, 65].map((depth) => '['.repeat(depth) + ']'.repeat(depth)), `${'{"a":'.repeat(15)}1${'}'.repeat(15)}`, string('x'.repeat(5000)), '"a" "b"', '"a",,"b":1', '/**/1', '1//', 'undefined', '',
]
const TIMES = VALUES.filter((value) => /^17672\d{5}$/.test(value))
/** Values that a claim could have, or nearly. */
const FITTING = {
  exp: [...TIMES, '253402300799', '253402300800'], nbf: TIMES, iat: [...TIMES, '0'],
  iss: [ISSUER, OTHER, ISSUER.slice(0, -1), `${ISSUER}\u0000`, ISSUER.toUpperCase()].map((text) => JSON.stringify(text)),
  aud: VALUES.filter((value) => /api.example/i.test(value)), scope: VALUES.filter((value) => /read|write/i.test(value)), scp: VALUES.filter((value) => /read|write/i.test(value)),
  client_id: ['"a"', '"b"', '"c"', '"A"', '["a"]', '"a "'], sub: ['"user-2"', '""', '7', 'null'], jti: ['"a"', '7'], azp: ['"a"', 'null'],
}
const CLAIM_NAMES = ['iss', 'aud', 'sub', 'iat', 'iat', 'exp', 'exp', 'nbf', 'jti', 'client_id', 'azp', 'scope', 'scp', 'cnf', 'act', '', 'Iss', 'iss ', 'i\u0000ss', '__proto__', 'constructor', 'toString']
const HEADER_NAMES = ['alg', 'kid', 'typ', 'cty', 'crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'zip', 'enc', 'epk', 'apu', 'Alg', 'KID', ' alg', '', '__proto__', 'nonce', 'iss', 'p2c']
const ALGS = ['none', 'None', 'NONE', 'nOnE', '', 'HS256 ', 'hs256', 'RS1', 'HS1', 'ES256K', 'ES512', 'ES521', 'Ed25519', 'Ed448', 'EDDSA', 'eddsa', 'RS256\u0000', 'RSA-OAEP', 'dir', 'A128KW', 'PS', 'ML-DSA-44', ...PUBLIC_ALGS, ...SECRET_ALGS]
const TYPES = ['JWT', 'jwt', 'JWS', 'at+JWT', 'AT+JWT', 'application/at+jwt', 'Application/JWT', 'application/application/jwt', 'application/', '', ' JWT', 'JWT ', 'dpop+jwt', 'logout+jwt', 'JOSE', 'jwt\u0000', 'ＪＷＴ', 'at+jwt; a=b', 'text/at+jwt']

/** Other members, in any order and any spelling. */
function changedMembers(members, names, random) {
  const list = members.map((member) => [...member])
  const name = one(random, names)
  const value = one(random, (random(3) > 0 && FITTING[name]) || VALUES)
  const at = list.findIndex(([other]) => other === name)
  if (list.length === 0) return [[name, value]]
  return one(random, [
    () => (at < 0 ? [...list, [name, value]] : list.with(at, [name, value])),
    () => (at < 0 ? [[name, value], ...list] : list.with(at, [name, value])),
    () => (at < 0 ? [...list, [name, value]] : list.with(at, [name, value])),
    () => list.toSpliced(random(list.length), 1),
    () => [...list, one(random, list)],
    () => [...list, [one(random, list)[0], value]],
    () => list.reverse(),
  ])()
}

/** The text of an object, as some parsers take it and others do not. */
function textOf(members, random) {
  const text = objectOf(members)
  if (random(3) > 0) return text
  return one(random, [
    () => ` \t\r\n${text}\n `,
    () => text.replaceAll(',', ' ,\n').replaceAll(':', ' :\t'),
    () => `\ufeff${text}`,
    () => `${text}${one(random, ['x', '{}', ',', '}', '\0', '\u00a0', '//', 'null', ' ', '\f'])}`,
    () => `[${text}]`,
    () => text.slice(0, -1),
    () => `${text.slice(0, -1)},}`,
    () => text.replace('"', "'"),
    () => text.replaceAll('"', "'"),
    () => text.replace(/"(\w)/, (_, first) => `"\\u00${first.charCodeAt(0).toString(16)}`),
    () => text.replace(/"(\w)/, (_, first) => `"\\u{${first.charCodeAt(0).toString(16)}}`),
    () => text.replace('{', '{/**/'),
    () => text.replace(':', '='),
    () => text.replace(',', one(random, [',,', ';', '', '\u2028,'])),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from(text.slice(0, 20)), Buffer.of(one(random, [0x80, 0xc0, 0xff, 0xed, 0xf5])), Buffer.from(text.slice(20))]),
    () => Buffer.from(text.replace('a', '\u00c1\u00a1'), 'latin1'),
    () => '',
    () => 'null',
    () => string(text),
  ])()
}

/** Keys that sign fast: for tokens whose contents are the matter. */
const QUICK = ['hs-32', 'hs-64', 'hs-200', 'ed-1', 'ed-2', 'hs-64']
const SLOW = ['ec-256', 'rsa-2048', 'ec-384', 'rsa-3072']

function quick(random) {
  const signer = SIGNERS[random(60) === 0 ? one(random, SLOW) : one(random, QUICK)]
  return [signer, one(random, signer.algs)]
}

function otherClaims(random) {
  const [signer, alg] = quick(random)
  const issuer = alg.startsWith('HS') ? OTHER : ISSUER
  let claims = [['iss', string(issuer)], ...CLAIMS]
  for (let count = 1 + random(2); count > 0; count -= 1) claims = changedMembers(claims, CLAIM_NAMES, random)
  return { kind: 'signed anew: claims', ...mint(signer, alg, random, { payload: textOf(claims, random) }) }
}

function otherHeader(random) {
  const [signer, alg] = quick(random)
  const header = [['alg', string(alg)], ['typ', '"at+jwt"'], ['kid', string(signer.kid)]]
  const at = (name, value) => header.map((member) => (member[0] === name ? [name, string(value)] : member))
  const kids = [...Object.keys(SIGNERS), '', 'HS-32', 'hs-32 ', '../hs-32', 'x'.repeat(300), '\u0000', 'ed-1\u0000']
  const [kind, members] = one(random, [
    ['alg', () => at('alg', one(random, ALGS))],
    ['alg', () => at('alg', one(random, ALGS))],
    ['typ', () => at('typ', one(random, TYPES))],
    ['kid', () => at('kid', one(random, kids))],
    ['members', () => changedMembers(header, HEADER_NAMES, random)],
    ['members', () => changedMembers(changedMembers(header, HEADER_NAMES, random), HEADER_NAMES, random)],
    ['own key', () => [...header, ['jwk', string(one(random, PUBLIC))]]],
    ['critical', () => [...header, ['crit', one(random, ['["b64"]', '["exp"]', '[]', '["alg"]'])], ['b64', one(random, ['true', 'false'])]]],
  ])
  return { kind: `signed anew: ${kind}`, ...mint(signer, alg, random, { headerText: textOf(members(), random) }) }
}

/** A right signature, and a header that says it is another key's or algorithm's. */
function confused(random) {
  const [signer, alg] = random(8) === 0 ? [SIGNERS['ec-256'], 'ES256'] : quick(random)
  const other = one(random, Object.values(SIGNERS))
  const said = one(random, [...other.algs, ...ALGS])
  const kid = one(random, [other.kid, other.kid, signer.kid, undefined])
  if (said === alg && (kid === signer.kid || kid === undefined)) return undefined
  const header = [['alg', string(said)], ['typ', '"at+jwt"'], ...(kid === undefined ? [] : [['kid', string(kid)]])]
  const issuer = one(random, [ISSUER, OTHER])
  return { kind: 'signed anew: another key or algorithm', expects: 'deny', ...mint(signer, alg, random, { header, claims: [['iss', string(issuer)], ...CLAIMS] }) }
}

/** HMAC with what everybody knows (RFC 8725 §2.1). */
const KNOWN = PUBLIC.flatMap((jwk) => {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const texts = [{ type: 'spki', format: 'pem' }, { type: 'spki', format: 'der' }, ...(jwk.kty === 'RSA' ? [{ type: 'pkcs1', format: 'pem' }, { type: 'pkcs1', format: 'der' }] : [])].map((form) => key.export(form))
  return [...texts, String(texts[0]).trim(), JSON.stringify(jwk), jwk.n ?? jwk.x, Buffer.from(jwk.n ?? jwk.x, 'base64url')].map((secret) => [jwk.kid, Buffer.from(secret)])
})

function known(random) {
  const [kid, secret] = one(random, KNOWN)
  const hmac = SIGNERS['hs-64']
  const alg = one(random, SECRET_ALGS)
  const signer = Object.assign(Object.create(Object.getPrototypeOf(hmac)), { kid, secret })
  return { kind: 'hmac by a public key', expects: 'deny', ...mint(signer, alg, random, { claims: [['iss', string(one(random, [ISSUER, OTHER]))], ...CLAIMS] }) }
}

/** With the private key, but not right. */
function made(random) {
  const signer = SIGNERS[random(40) === 0 ? one(random, SELDOM) : one(random, random(6) === 0 ? ['rsa-2048'] : ['hs-32', 'ed-1', 'ed-2', 'ed-1', 'ec-256', 'ec-256', 'hs-64'])]
  const alg = one(random, signer.algs)
  return mint(signer, alg, random, { make: (signed) => ({ expects: 'deny', ...signer.made(alg, signed, random) }) })
}

/** Every token of a run, and what must become of it where that is known: `allow` or `deny`. */
export function* mutants(seed, count) {
  const random = randomBy(seed)
  const bases = basesBy(random)
  const base = () => one(random, bases[random(30) === 0 ? one(random, SELDOM) : one(random, WEIGHTS)])
  const plain = () => ({ kind: 'as it was', expects: 'allow', ...base() })
  const text = () => {
    const of = base()
    const [kind, change] = one(random, TEXTS)
    const token = change(of.token, random)
    // Spaces in front belong to the scheme.
    return token.replace(/^ +/, '') === of.token ? undefined : { ...of, kind: `text: ${kind}`, token, expects: 'deny' }
  }
  const bytes = () => {
    const of = base()
    const changed = bytesOfPart(of, random)
    return changed.token === of.token ? undefined : { ...of, expects: 'deny', ...changed }
  }
  const edges = () => {
    const of = base()
    const [kind, make, expects = 'deny'] = of.signer.edges(of, random)
    const token = `${of.signed}.${base64url(make())}`
    return token === of.token ? undefined : { ...of, kind: `${of.alg.slice(0, 2)}: ${kind}`, token, expects }
  }
  const ways = [...Array(1).fill(plain), ...Array(9).fill(text), ...Array(9).fill(bytes), ...Array(12).fill(edges), ...Array(4).fill(() => made(random)),
    ...Array(9).fill(() => otherClaims(random)), ...Array(6).fill(() => otherHeader(random)), ...Array(2).fill(() => confused(random)), () => known(random)]
  for (let made = 0; made < count; ) {
    const mutant = one(random, ways)()
    if (mutant === undefined) continue
    made += 1
    const { kind, token, expects, alg } = mutant
    const isSecret = alg.startsWith('HS')
    const paths = isSecret ? PATHS.secret : PATHS.public
    yield { kind, token, alg, expects, path: one(random, paths) }
  }
}

/** Keys that were chosen so that signatures come to the edges of their curves, and those signatures. */
export function specials() {
  const keys = []
  const tokens = []
  const random = randomBy(1)
  const header = (alg, kid, more = []) => `${base64url(objectOf([['alg', string(alg)], ['kid', string(kid)], ['typ', '"at+jwt"']]))}.${base64url(objectOf([['iss', string(ISSUER)], ...CLAIMS, ...more]))}`
  const give = (kind, kid, signed, signature, expects) => tokens.push({ kind, alg: JSON.parse(Buffer.from(signed.split('.')[0], 'base64url')).alg, token: `${signed}.${base64url(signature)}`, expects, path: '/public' })
  for (const [curve, alg, crv] of [[P256, 'ES256', 'P-256'], [P384, 'ES384', 'P-384']]) {
    const { n, p, size, base } = curve
    const name = alg === 'ES256' ? 'sha256' : 'sha384'
    const pair = (r, s) => Buffer.concat([bytesOf(r, size), bytesOf(s, size)])
    const key = (kid, [x, y]) => keys.push({ kty: 'EC', crv, x: base64url(bytesOf(x, size)), y: base64url(bytesOf(y, size)), kid })
    // The x of R is not below n: r is what is left of it.
    let x = n
    let R
    while ((R = curve.at(x)) === undefined || x === n) x += 1n
    for (const s of [1n, 7n, n - 1n]) {
      const kid = `${alg} large x, s ${s === n - 1n ? 'n-1' : s}`
      const signed = header(alg, kid)
      key(kid, curve.recover(sha(name, signed), x - n, s, R))
      give(`${alg} special: x of R is r + n`, kid, signed, pair(x - n, s), 'allow')
      give(`${alg} special: r as x of R`, kid, signed, pair(x, s), 'deny')
    }
    // An x that is r + p, which is r to who does not look: the point of r itself is not R.
    {
      const kid = `${alg} r of a small x`
      const signed = header(alg, kid)
      let small = 1n
      while (curve.at(small) === undefined) small += 1n
      key(kid, curve.recover(sha(name, signed), small, 5n, curve.at(small)))
      give(`${alg} special: small r`, kid, signed, pair(small, 5n), 'allow')
      give(`${alg} special: small r + n`, kid, signed, pair(small + n, 5n), 'deny')
      if (small + p < 1n << BigInt(8 * size)) give(`${alg} special: small r + p`, kid, signed, pair(small + p, 5n), 'deny')
      give(`${alg} special: s + n`, kid, signed, pair(small, 5n + n), 'deny')
    }
    // u₁G and u₂Q are the same point, which is doubled, or one the other's opposite, which comes to nothing.
    for (const [sign, expects] of [[1n, 'allow'], [-1n, 'deny']]) {
      const kid = `${alg} u1 G = ${sign} u2 Q`
      const signed = header(alg, kid)
      const e = mod(numberOf(sha(name, signed)), n)
      // With R = 2 u₁ G and r of it: Q = ±(e/r) G.
      const s = 3n
      const u1 = mod(e * inverse(s, n), n)
      const r = mod(sign === 1n ? curve.timesBase(2n * u1)[0] : 11n, n)
      const d = mod(sign * e * inverse(r, n), n)
      key(kid, curve.timesBase(d))
      give(`${alg} special: ${sign === 1n ? 'doubled' : 'nothing'}`, kid, signed, pair(r, s), expects)
    }
    // Q is G, or its opposite.
    for (const [kid, d] of [[`${alg} Q = G`, 1n], [`${alg} Q = -G`, n - 1n]]) {
      const signed = header(alg, kid)
      key(kid, curve.timesBase(d))
      for (const k of [1n, 2n, n - 1n]) {
        const r = mod(curve.timesBase(k)[0], n)
        const s = mod(inverse(k, n) * (numberOf(sha(name, signed)) + r * d), n)
        give(`${alg} special: Q is G or −G`, kid, signed, pair(r, s), 'allow')
        give(`${alg} special: Q is G or −G, s of the other`, kid, signed, pair(r, mod(inverse(k, n) * (numberOf(sha(name, signed)) - r * d), n)), 'deny')
      }
      give(`${alg} special: r of G, s 0`, kid, signed, pair(base[0] % n, 0n), 'deny')
    }
  }
  // A key that is no multiple of the base point: a signature is right where the hash makes up for it, and libraries must agree where.
  const signer = SIGNERS['ed-1']
  for (const [order, point] of Ed25519.small.entries()) {
    if (order === 0) continue
    const kid = `EdDSA mixed ${order}`
    const mixed = Ed25519.encoded(Ed25519.add(Ed25519.times(signer.a, Ed25519.base), point))
    keys.push({ kty: 'OKP', crv: 'Ed25519', x: base64url(mixed), kid })
    for (let count = 0; count < 24; count += 1) {
      const signed = header('EdDSA', kid, [['jti', `"${count}"`]])
      const [r, R] = one(random, signer.nonces)
      const torsion = one(random, Ed25519.small)
      give('EdDSA special: a key of mixed order', kid, signed, signer.by(r, Ed25519.encoded(R), signed, '', mixed))
      give('EdDSA special: key and R of mixed order', kid, signed, signer.by(r, Ed25519.encoded(Ed25519.add(R, torsion)), signed, '', mixed))
      give('EdDSA special: a key of mixed order, R of small order', kid, signed, signer.by(0n, Ed25519.encoded(torsion), signed, '', mixed), 'deny')
    }
  }
  return { keys, tokens }
}


/** Keys of Ed25519 by which a signature is right that nobody made. */
export function weakKeys() {
  const { P, small, encoded, littleBytes } = Ed25519
  const all = new Map()
  for (const point of small) {
    const bytes = encoded(point)
    const negative = Buffer.from(bytes)
    negative[31] ^= 0x80
    all.set(bytes.toString('hex'), bytes)
    all.set(negative.toString('hex'), negative)
  }
  for (let y = 0n; y < 19n; y += 1n) for (const sign of [0, 0x80]) {
    const bytes = littleBytes(P + y)
    bytes[31] |= sign
    all.set(bytes.toString('hex'), bytes)
  }
  return [...all.values()]
}
