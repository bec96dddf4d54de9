// Python's libraries and the command `hostbound`, both ways: `PYTHON=… HOSTBOUND_CLI=… node --test run.mjs`.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'

import { requests } from '../../bindings/node/test/support/generated.mjs'

const SCRIPT = fileURLToPath(new URL('python/interop.py', import.meta.url))
const COMMAND = process.env.HOSTBOUND_CLI ?? 'hostbound'
const PYTHON = process.env.PYTHON ?? 'python3'
/** A published test secret. */
const KEY = 'published-test-key-0123456789abcdef'
const HOSTS = ['api.example.com', 'other.example.com']
const SIGNED = { decide: 48, sign: 24 }

const folder = mkdtempSync(join(tmpdir(), 'hostbound-interop-'))
after(() => rmSync(folder, { recursive: true }))

const key = { id: 'k1', secret: { env: 'KEY' } }
const SECTIONS = {
  'http-message-signatures': {
    profile: 'http-message-signatures',
    tag: 'interop',
    components: ['@method', '@target-uri', '@authority', '@scheme', '@request-target', '@path', '@query', '@query-param;name="id"', 'content-type', 'x-list', 'content-digest'],
    parameters: ['created', 'expires', 'nonce', 'keyid', 'alg', 'tag'],
    keys: [key],
  },
  'standard-webhooks': { profile: 'standard-webhooks', keys: [{ ...key, hosts: HOSTS }] },
}

/** Ways in which a request can be another one, by what the profile covers. */
const TAMPERINGS = {
  'http-message-signatures': [
    (request) => ({ ...request, method: request.method === 'PUT' ? 'POST' : 'PUT' }),
    (request) => ({ ...request, target: `/a${request.target}` }),
    (request) => ({ ...request, target: `${request.target}1` }),
    (request) => ({ ...request, scheme: request.scheme === 'http' ? 'https' : 'http' }),
    (request) => withHeader(request, 'Host', (host) => host.replace(/^\w+/, (name) => (name === 'api' ? 'other' : 'api'))),
    (request) => withHeader(request, 'Content-Type', (type) => `${type}a`),
    (request) => withHeader(request, 'Signature-Input', (input) => input.replace(/nonce="n/, 'nonce="N')),
    withLongerBody,
  ],
  'standard-webhooks': [
    (request) => withHeader(request, 'Webhook-Id', (id) => `${id}1`),
    (request) => withHeader(request, 'Webhook-Timestamp', (time) => String(Number(time) - 1)),
    (request) => withHeader(request, 'Webhook-Signature', (signature) => signature.replace(/^v1,./, (start) => (start === 'v1,A' ? 'v1,B' : 'v1,A'))),
    withLongerBody,
  ],
}

function withHeader(request, wanted, change) {
  const headers = request.headers.map(([name, value]) => [name, name.toLowerCase() === wanted.toLowerCase() ? change(value) : value])
  assert.notDeepEqual(headers, request.headers, wanted)
  return { ...request, headers }
}

function withLongerBody(request) {
  const body = Buffer.concat([Buffer.from(request.body.base64, 'base64'), Buffer.from('1')])
  // As an attacker would: a length that is not the body's is refused before anything is verified.
  const headers = request.headers.map(([name, value]) => [name, name.toLowerCase() === 'content-length' ? `${body.length}` : value])
  return { ...request, headers, body: { base64: body.toString('base64') } }
}

/** Runs a program to its end, with these lines of JSON as its input. */
function run(program, args, input, statuses = [0]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8', env: { PATH: process.env.PATH, KEY }, maxBuffer: 2 ** 26 })
  assert.equal(error, undefined)
  assert.ok(statuses.includes(status), `${program} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

const lines = (objects) => objects.map((object) => `${JSON.stringify(object)}\n`).join('')
const parsed = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line))
const python = (command, profile, objects) => parsed(run(PYTHON, [SCRIPT, command, profile], lines(objects)))

for (const [profile, section] of Object.entries(SECTIONS)) {
  const policy = join(folder, `${profile}.json`)
  writeFileSync(policy, JSON.stringify({ version: 1, hosts: { allow: HOSTS }, signatures: { api: section }, routes: [{ path: '/**', require: ['signature:api'] }] }))
  const isText = profile === 'standard-webhooks'
  const tamperings = TAMPERINGS[profile]
  const generated = (count, seed) =>
    requests(count, { seed, isText, hosts: HOSTS }).map((request) => ({ ...request, url: `${request.url}${request.url.includes('?') ? '&' : '?'}id=%C3%BC%2F+~*'`, base64: Buffer.from(request.body).toString('base64') }))

  test(`${profile}: what Python signs is allowed, and no tampered twin`, (t) => {
    const asked = generated(SIGNED.decide, 5).map(({ method, url, type, base64, nonce }, index) => ({ method, url, type, body: base64, nonce, digest: index % 2 === 0 }))
    const signed = python('sign', profile, asked)
    const now = Math.floor(Date.now() / 1000)
    const twins = signed.map((request, index) => tamperings[index % tamperings.length](request))
    // The twins come first: one that passed would use up the nonce.
    const verdicts = parsed(run(COMMAND, ['decide', '--policy', policy], lines([...twins, ...signed, ...signed].map((request) => ({ ...request, now }))), [1]))
    assert.equal(verdicts.length, 3 * SIGNED.decide)
    verdicts.forEach((verdict, index) => {
      const said = `${JSON.stringify([...twins, ...signed, ...signed][index])}: ${verdict.reason}: ${verdict.detail}`
      if (index < SIGNED.decide) assert.deepEqual([verdict.decision, verdict.check], ['deny', 'signature'], said)
      else if (index < 2 * SIGNED.decide) assert.deepEqual([verdict.decision, verdict.identity?.signature?.nonce], ['allow', asked[index - SIGNED.decide].nonce], said)
      else assert.equal(verdict.reason, 'nonce_replayed', said)
    })
    const { verdict } = JSON.parse(run(COMMAND, ['explain', '--policy', policy, '--format', 'json'], lines([{ ...signed[0], now }])))
    assert.deepEqual([verdict.decision, verdict.identity.signature.key_id], ['allow', 'k1'])
    t.diagnostic(`${profile}: ${SIGNED.decide} requests signed by Python are allowed, ${SIGNED.decide} tampered twins and as many replays are not`)
  })

  test(`${profile}: what \`hostbound sign\` signs Python verifies, and no tampered twin`, (t) => {
    const body = join(folder, 'body')
    const signed = generated(SIGNED.sign, 6).map(({ method, url, scheme, host, type, base64, nonce }) => {
      writeFileSync(body, Buffer.from(base64, 'base64'))
      const own = [['Content-Type', type], ['X-List', 'a, b']]
      const fields = own.flatMap(([name, value]) => ['-H', `${name}: ${value}`])
      const { headers } = JSON.parse(run(COMMAND, ['sign', method, url, ...fields, '--policy', policy, '--body', body, '--nonce', nonce, '--format', 'json']))
      return { method, scheme, target: url.slice(url.indexOf('/', 8)), headers: [['Host', host], ...own, ...headers], body: { base64 } }
    })
    const twins = signed.map((request, index) => tamperings[index % tamperings.length](request))
    const answers = python('verify', profile, [...signed, ...twins])
    assert.equal(answers.length, 2 * SIGNED.sign)
    answers.forEach(({ valid, error }, index) => {
      assert.equal(valid, index < SIGNED.sign, `${JSON.stringify([...signed, ...twins][index])}: ${error}`)
      if (!valid) assert.match(error, /^(InvalidSignature|WebhookVerificationError): /)
    })
    t.diagnostic(`${profile}: ${SIGNED.sign} requests signed by the command are verified by Python, ${SIGNED.sign} tampered twins are not`)
  })
}
