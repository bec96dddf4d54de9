// The same attacks on services as they are and on the same services behind Hostbound.

import assert from 'node:assert/strict'
import { promises } from 'node:dns'
import { createServer } from 'node:http'
import test from 'node:test'

// In an application: 'hostbound/node'.
import { hostbound } from '../../../bindings/node/dist/node.js'
import { nextSecond } from '../../../bindings/node/test/support/signed.mjs'
import { proxyTo } from './proxy.mjs'
import { listening } from './wire.mjs'

/**
 * Puts a guarded proxy before each service, at its address on another port, by the policy for those. Signatures from before the
 * start are refused: it is over when a new second has begun. Other options are those of `hostbound`.
 */
export async function guardedProxies(services, { policyFor, secrets, ...options }) {
  const counts = { reached: 0, denied: [] }
  const proxies = {}
  for (const [name, service] of Object.entries(services)) {
    const proxy = proxyTo(service)
    const server = createServer((request, response) => {
      counts.reached += 1
      proxy(request, response)
    })
    proxies[name] = await listening(server, service.address)
  }
  // The log has no more than ten denials a second: a hook has them all.
  const onDeny = ({ reason, status }) => counts.denied.push(`${status} ${reason}`)
  try {
    const guard = await hostbound({ policy: await policyFor(proxies), secrets, log: false, onDeny, ...options })
    for (const { server } of Object.values(proxies)) guard.protect(server)
  } catch (error) {
    // Or the test that fails for it would never end.
    for (const { server } of Object.values(proxies)) server.close()
    throw error
  }
  await nextSecond()
  return { proxies, counts }
}

/** The options by which a guard asks for keys and about tokens: it resolves names by the DNS server given. */
export function keyFetching({ server }) {
  const resolver = new promises.Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([server])
  return { egress: { resolver } }
}

/**
 * A test for each attack: a function from a stand to the answers of what it sent. Bare, every answer is 200 and the last says what
 * was `done`. Guarded, one of them is refused, for the `reason`, and has not reached the service.
 */
export function attackTests(stands, attacks) {
  for (const { name, done, reason, attack } of attacks) {
    test(`attack: ${name}`, async (t) => {
      const { bare, guarded, counts } = stands
      const succeeded = await attack(bare)
      assert.deepEqual(succeeded.map(({ status }) => status), succeeded.map(() => 200))
      assert.match(succeeded.at(-1).text, done)
      Object.assign(counts, { reached: 0, denied: [] })
      const answers = await attack(guarded)
      const [refused, ...others] = answers.filter(({ status }) => status !== 200)
      assert.deepEqual([counts.denied, counts.reached, others], [[`${refused?.status} ${reason}`], answers.length - 1, []])
      t.diagnostic(`bare: 200, ${succeeded.at(-1).text}; Hostbound: ${refused.status}, ${reason}; to the attacker: ${refused.text.trimEnd()}`)
    })
  }
}

/** A test for each honest request: a function from a stand to the answer, of which the service says that it is `done`. */
export function honestTests(stands, requests) {
  for (const { name, done, ask } of requests) {
    test(`honest: ${name}`, async (t) => {
      const { bare, guarded, counts } = stands
      assert.deepEqual(await ask(bare), { status: 200, text: done })
      Object.assign(counts, { reached: 0, denied: [] })
      assert.deepEqual(await ask(guarded), { status: 200, text: done })
      assert.deepEqual(counts, { reached: 1, denied: [] })
    })
  }
}

/** A test for each request that the service itself refuses: with these, that an attack succeeds says something. */
export function refusedTests(stands, requests) {
  for (const { name, status = 401, reason, attack } of requests) {
    test(`refused by both: ${name}`, async (t) => {
      const { bare, guarded, counts } = stands
      assert.equal((await attack(bare)).status, status)
      Object.assign(counts, { reached: 0, denied: [] })
      assert.equal((await attack(guarded)).status, status)
      assert.deepEqual(counts.denied, [`${status} ${reason}`])
    })
  }
}
