// What the tests of the lab share: the command, started as a user would, and what of it is still there afterwards.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const COMMAND = process.env.HOSTBOUND_CLI ?? 'hostbound'
export const PACKAGE = fileURLToPath(new URL('../../bindings/node', import.meta.url))

/** Starts `hostbound lab run`; `printed` is what comes out. */
export function start(words, options = {}) {
  const guard = words.includes('--guard-folder') ? [] : ['--guard-folder', PACKAGE]
  const child = spawn(COMMAND, ['lab', 'run', ...guard, ...words], { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text) => (printed[name] += text))
  }
  return { child, printed }
}

/** Runs `hostbound lab run` to its end. */
export async function lab(words, options = {}) {
  const { child, printed } = start(words, options)
  const [code] = await once(child, 'close')
  return { code, ...printed }
}

/** The same, and its report. */
export async function report(words, options = {}) {
  const ended = await lab(['--format', 'json', ...words], options)
  try {
    return { ...ended, run: JSON.parse(ended.stdout) }
  } catch {
    throw new Error(`no report (exit ${ended.code}): ${ended.stderr || ended.stdout.slice(0, 500)}`)
  }
}

/** Network, mount and PID namespaces of all processes, what is mounted here, and processes of the lab. */
export function traces() {
  const namespaces = new Set()
  const processes = []
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const kind of ['net', 'mnt', 'pid']) namespaces.add(readlinkSync(`/proc/${id}/ns/${kind}`))
      const words = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0')
      if (words.includes('inside') || words.some((word) => word.includes('/dev/shm/profile-'))) processes.push(words.join(' '))
    } catch {
      // It has ended while we looked.
    }
  }
  return { namespaces, processes, mounts: readFileSync('/proc/self/mounts', 'utf8') }
}

/** Every file and folder directly in the places where a program might leave one. */
export function files(...folders) {
  return folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`)).sort()
}
