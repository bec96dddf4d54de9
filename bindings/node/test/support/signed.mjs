// Services that ask for signatures, and clients that sign.

import { createServer } from 'node:http'

import { hostbound } from 'hostbound/node'
import { hostboundSigner } from 'hostbound/sign'

import { listening, stop } from './raw.mjs'

/** Published test secrets. */
export const SECRETS = { KEY: 'published-test-key-0123456789abcdef', OTHER_KEY: 'published-test-key-fedcba9876543210' }

/** A policy with one section for every path but `/open`. */
export function policyWith(section = {}, more = {}) {
  return {
    version: 1,
    hosts: { allow: ['localhost', '127.0.0.1'] },
    signatures: { api: { profile: 'host-nonce', clock_tolerance: '0s', keys: [{ id: 'k1', secret: { env: 'KEY' } }], ...section } },
    routes: [{ path: '/open', require: [] }, { path: '/**', require: ['signature:api'] }],
    ...more,
  }
}

/** A policy of each profile. */
export const PROFILES = {
  'host-nonce': policyWith(),
  'service-scoped': policyWith({ profile: 'service-scoped', keys: [{ id: 'k1', secret: { env: 'KEY' }, hosts: ['localhost'], service_id: 'billing' }] }),
  'standard-webhooks': policyWith({ profile: 'standard-webhooks', keys: [{ id: 'k1', secret: { env: 'KEY' }, hosts: ['localhost'] }] }),
  'http-message-signatures': policyWith({ profile: 'http-message-signatures', tag: 'test' }),
}

/** The body of a message, read as an application does. */
export async function read(message) {
  const chunks = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A server that tells what it was sent, behind a guard; and what reached it. */
export async function signedService(t, policy = policyWith(), options = {}, serve = undefined) {
  const reached = []
  const lines = []
  const guard = await hostbound({ policy, secrets: own(policy), log: (line) => lines.push(JSON.parse(line)), ...options })
  const server = guard.protect(
    createServer(
      serve ??
        (async (request, response) => {
          const body = await read(request)
          reached.push({ url: request.url, body: body.toString('latin1'), hostbound: request.hostbound, trailers: request.trailers })
          response.end(`served ${body.length}\n`)
        }),
    ),
  )
  await listening(server)
  t.after(() => stop(server))
  const signer = await signerOf(policy)
  await nextSecond()
  return { guard, server, reached, lines, signer, port: server.address().port, origin: `http://localhost:${server.address().port}` }
}

/** Signatures from before the second in which a store was made are refused: with a tolerance of 0s, until the next one begins. */
export function nextSecond() {
  return new Promise((resolve) => setTimeout(resolve, 1005 - (Date.now() % 1000)))
}

/** A signer by a policy. */
export function signerOf(policy, options = {}) {
  return hostboundSigner({ policy, secrets: own(policy), ...options })
}

/** Those of the test secrets that the policy refers to. */
export function own(policy) {
  const text = JSON.stringify(policy)
  return Object.fromEntries(Object.entries(SECRETS).filter(([name]) => text.includes(`"${name}"`)))
}

/** The header lines of a signed request, for a client that sends bytes as they are. */
export function signedLines(signer, { method = 'GET', target = '/', host, body = '', now, nonce, headers = [] }) {
  const request = { method, target, headers: [['host', host], ...headers], body, now }
  const signed = signer.sign(request, nonce).headers
  return [`Host: ${host}`, ...headers.map((pair) => pair.join(': ')), ...signed.map((pair) => pair.join(': '))]
}
