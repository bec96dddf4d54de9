// What the tests of the lab share: the command, started as a user would, and what of it is still there afterwards.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const COMMAND = process.env.HOSTBOUND_CLI ?? 'hostbound'
/** The hosts of the lab's own service. */
export const POLICY = { version: 1, hosts: { allow: ['localhost', '127.0.0.1', '[::1]'] } }
export const PACKAGE = fileURLToPath(new URL('../../bindings/node', import.meta.url))

/** Starts `hostbound lab run`, or another of its commands; `printed` is what comes out. */
export function start(words, options = {}, command = 'run') {
  const guard = words.includes('--guard-folder') ? [] : ['--guard-folder', PACKAGE]
  const child = spawn(COMMAND, ['lab', command, ...guard, ...words], { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text) => (printed[name] += text))
  }
  return { child, printed }
}

/** Runs it to its end. */
export async function lab(words, options = {}, command = 'run') {
  const { child, printed } = start(words, options, command)
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

/** A case's twin: the same, against another target. */
export const twin = ({ case: { target, ...rest } }) => JSON.stringify(rest)
/** The requests of a case that arrived at its target. */
export const requests = ({ logs }) => logs.connections.flatMap(({ requests }) => requests)
/** The cases of a run against a target. */
export const of = (run, target) => run.cases.filter((result) => result.case.target === target)
/** What a run found of a target. */
export const service = (run, name) => run.services.find(({ target }) => target.name === name)

/** No guarded case is read, and each whose bare twin was read is refused by the guard, which says why. */
export function assertGuarded(run) {
  assert.deepEqual(of(run, 'guarded').filter(({ outcome }) => outcome === 'reached_readable'), [])
  assert.equal(service(run, 'guarded').verdict, 'refuses')
  const read = of(run, 'canary').filter(({ outcome }) => outcome === 'reached_readable').map(twin)
  assert.ok(read.length > 0)
  for (const result of of(run, 'guarded').filter((result) => read.includes(twin(result)))) {
    assert.equal(result.outcome, 'reached_refused', JSON.stringify(result.evidence))
    assert.match(result.evidence[0], / was refused: 421, `host_not_allowed`$/)
  }
}

/** The guard and the policy in the engine give the same verdict, byte for byte. */
export function assertSameVerdicts(run) {
  const refused = of(run, 'guarded').flatMap(requests).filter(({ refusal }) => refusal)
  assert.ok(refused.length > 0)
  for (const { refusal, policy } of refused) {
    assert.equal(refusal.reason, 'host_not_allowed')
    assert.equal(JSON.stringify(refusal), JSON.stringify(policy))
  }
}

/**
 * Kills runs with these words, which never end by themselves, at points from before the namespaces are made to the midst of the cases, and looks at what is left. `folder` is for their
 * current and temporary folders. Says at which points.
 */
export async function killAtRandomPoints(words, rounds, folder, command = 'run') {
  const [cwd, TMPDIR] = ['work', 'tmp'].map((name) => mkdtempSync(join(folder, name)))
  // Their own folders; and where all programs may write, what bears our name.
  const places = () => [...files(cwd, TMPDIR), ...files('/dev/shm', '/tmp').filter((name) => /hostbound-(?!lab-test)|profile-/.test(name))]
  const before = { ...traces(), files: places() }
  const isNew = (kind) => (found) => ![...before[kind]].includes(found)
  const points = []
  for (let round = 0; round < rounds; round++) {
    const { child } = start(words, { cwd, env: { ...process.env, TMPDIR } }, command)
    const closed = once(child, 'close')
    const after = Math.round(10 ** (1 + (3 * (round + Math.random())) / rounds))
    await sleep(after)
    child.kill('SIGKILL')
    const [, signal] = await closed
    assert.equal(signal, 'SIGKILL')
    points.push(after)
  }
  // The kernel takes its time to end what is in a namespace.
  const patience = performance.now() + 10_000
  let left
  do {
    await sleep(100)
    const now = traces()
    left = { ...now, namespaces: [...now.namespaces].filter(isNew('namespaces')), files: places().filter(isNew('files')) }
  } while (left.processes.length + left.namespaces.length > 0 && performance.now() < patience)
  assert.deepEqual(left.processes, [])
  assert.deepEqual(left.namespaces, [])
  assert.equal(left.mounts, before.mounts)
  assert.deepEqual(left.files, [])
  return points
}

/** Network, mount and PID namespaces of all processes, what is mounted here, and processes of the lab. */
function traces() {
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
function files(...folders) {
  return folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`)).sort()
}
