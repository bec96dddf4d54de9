/**
 * A replay store in Redis, shared by all processes of a service. Takes a client of `redis` or of `ioredis` that is yours: connected,
 * to one server (not a cluster). A server that may evict keys is refused: with a `maxmemory`, its `maxmemory-policy` is `noeviction`.
 *
 * @example
 * ```js
 * import { createClient } from 'redis'
 * import { hostbound } from 'hostbound/node'
 * import { redisReplay } from 'hostbound/redis'
 *
 * const client = await createClient().connect()
 * const guard = await hostbound({ policy: 'hostbound.toml', replay: redisReplay(client) })
 * ```
 *
 * @module
 */

import { createHash } from 'node:crypto'

import { HostboundError } from './errors.js'
import type { ReplayClaim, ReplayOutcome } from './guard.js'
import { loadEngine } from './node/modules.js'
import type { ReplayStore } from './node/replay.js'

export { HostboundError, type ErrorCode } from './errors.js'
export type { ReplayClaim, ReplayOutcome } from './guard.js'
export type { ReplayStore } from './node/replay.js'

/** A client of `redis` (node-redis), from version 4 on. */
export interface NodeRedisClient {
  sendCommand(command: string[]): Promise<unknown>
  multi(): { addCommand(command: string[]): unknown; exec(): Promise<unknown> }
}

/** A client of `ioredis`. */
export interface IoRedisClient {
  call(command: string, ...parameters: string[]): Promise<unknown>
  multi(): { call(command: string, ...parameters: string[]): unknown; exec(): Promise<unknown> }
}

/** How the store is asked. */
export interface RedisReplayOptions {
  /** After how many milliseconds it counts as failed. Default: 1000. */
  readonly timeout?: number | undefined
}

const CLAIMS = 'hostbound:1:claims'

const OUTCOMES = new Map<unknown, ReplayOutcome['outcome']>([
  [1, 'made'],
  [0, 'present'],
  [-1, 'full'],
])

/**
 * Makes a replay store of a client.
 *
 * @throws {@link HostboundError} `HOSTBOUND_OPTION` if it is no client of `redis` or `ioredis`.
 */
export function redisReplay(client: NodeRedisClient | IoRedisClient, { timeout = 1000 }: RedisReplayOptions = {}): ReplayStore {
  const connection = connectionOf(client)
  if (!Number.isFinite(timeout) || timeout <= 0) throw refusal('`timeout` is a positive number of milliseconds')
  return { claim: (claim) => within(timeout, claimIn(connection, claim)) }
}

/** What both clients can do. */
interface Connection {
  send(command: string[]): Promise<unknown>
  /** In one transaction, of which nothing is done unless all is. */
  sendAll(commands: string[][]): Promise<unknown>
}

async function claimIn({ send, sendAll }: Connection, { key, shareKey, shareLimit, expires, now }: ReplayClaim): Promise<ReplayOutcome> {
  const { WasmGuard } = await loadEngine()
  const [claim, epoch] = WasmGuard.redisScripts() as [string, string]
  const digest = createHash('sha1').update(claim).digest('hex')
  const ask = (): Promise<unknown> =>
    send(['EVALSHA', digest, '3', key, shareKey, CLAIMS, String(expires), String(shareLimit), String(now)])
  let answer: unknown
  try {
    answer = await ask()
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    refuseEviction(String(await send(['INFO', 'memory'])))
    // The server has started anew, and may have lost claims: that is written down before it learns the script, in one step with it.
    await sendAll([['EVAL', epoch, '1', CLAIMS, String(now)], ['SCRIPT', 'LOAD', claim]])
    answer = await ask()
  }
  const [code, since] = Array.isArray(answer) ? answer : []
  const outcome = OUTCOMES.get(code)
  if (outcome === undefined || typeof since !== 'number') throw new Error('Redis gave no outcome and epoch')
  return { outcome, epoch: since }
}

/** A server that evicts forgets what was used. */
function refuseEviction(memory: string): void {
  const setting = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(memory)?.[1]
  const policy = setting('maxmemory_policy')
  if (setting('maxmemory') === '0' || policy === 'noeviction') return
  throw new Error(`Redis may evict what was used: its \`maxmemory-policy\` is \`${policy}\`, set it to \`noeviction\``)
}

function connectionOf(client: NodeRedisClient | IoRedisClient): Connection {
  const method = (name: string): boolean => typeof (client as unknown as Record<string, unknown> | undefined)?.[name] === 'function'
  // A client of ioredis has a `sendCommand` too, of another kind.
  if (method('call') && method('multi')) {
    const redis = client as IoRedisClient
    return {
      send: ([name = '', ...rest]) => redis.call(name, ...rest),
      sendAll: async (commands) => {
        const transaction = redis.multi()
        for (const [name = '', ...rest] of commands) transaction.call(name, ...rest)
        for (const [error] of (await transaction.exec()) as [unknown, unknown][]) if (error) throw error
      },
    }
  }
  if (method('sendCommand') && method('multi')) {
    const redis = client as NodeRedisClient
    return {
      send: (command) => redis.sendCommand(command),
      sendAll: async (commands) => {
        const transaction = redis.multi()
        for (const command of commands) transaction.addCommand(command)
        await transaction.exec()
      },
    }
  }
  throw refusal('`redisReplay` takes a client of `redis` or `ioredis`')
}

async function within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    // What comes too late concerns nobody.
    work.catch(() => {})
  }
}

function refusal(message: string): HostboundError {
  return new HostboundError('HOSTBOUND_OPTION', message)
}
