// The programs of a scenario: each prints the port that it listens on, and ends with the test.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Programs that run in a folder. */
export function programsIn(folder) {
  const children = []

  /** Starts a program whose first line is the port that it listens on. */
  async function start(program, args, env = {}) {
    const child = spawn(program, args, { cwd: folder, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
    children.push(child)
    const ended = once(child, 'exit').then(([code]) => assert.fail(`${program} ${args[0]} ended with ${code}`))
    const [port] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
    ended.catch(() => {})
    return Number(port)
  }

  async function end() {
    for (const child of children) {
      if (child.exitCode !== null) continue
      const ended = once(child, 'exit')
      child.kill()
      await ended
    }
  }

  return { start, end }
}

/** The Python that has what `requirements.txt` pins. */
export const PYTHON = process.env.PYTHON ?? 'python3'
