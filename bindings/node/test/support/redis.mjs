// A real Redis on a free port of loopback, started by the test and ended with it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** A server that can be killed and started anew on the same port and folder. Undefined if there is no Redis here. */
export async function startRedis(t, options = ['--save', '', '--appendonly', 'no']) {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-redis-'))
  const port = await freePort()
  let child
  const redis = {
    port,
    async start(more = options) {
      const started = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--maxmemory-policy', 'noeviction', ...more], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const failed = once(started, 'error').then(([error]) => Promise.reject(error))
      const ready = new Promise((resolve, reject) => {
        started.stdout.on('data', (text) => String(text).includes('Ready to accept connections') && resolve())
        started.on('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
      })
      await Promise.race([ready, failed])
      child = started
    },
    /** SIGKILL: nothing is saved. */
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
  try {
    await redis.start()
  } catch (error) {
    rmSync(folder, { recursive: true })
    if (error.code === 'ENOENT') return undefined
    throw error
  }
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) await redis.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  return redis
}
