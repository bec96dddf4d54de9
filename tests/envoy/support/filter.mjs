// The filter's configuration, as `hostbound envoy` writes it.

import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export const MODULE = process.env.HOSTBOUND_ENVOY_MODULE ?? fileURLToPath(new URL('../../../bindings/envoy/wasm/hostbound.wasm', import.meta.url))
export const POLICIES = fileURLToPath(new URL('../../../policies/', import.meta.url))
const PROGRAM = process.env.HOSTBOUND_CLI ?? 'hostbound'

/** Runs the command in the folder of the shipped policies; what it prints. */
export function hostbound(...words) {
  return execFileSync(PROGRAM, words, { cwd: POLICIES, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The resource of a policy, a file or an object. `edit` may change its `PluginConfig`. */
export function resource(folder, policy, { words = [], secrets, edit = () => {} } = {}) {
  const file = typeof policy === 'string' ? policy : kept(folder, 'policy.json', policy)
  const given = secrets === undefined ? [] : ['--secrets', kept(folder, 'secrets.json', secrets)]
  const made = JSON.parse(hostbound('envoy', file, '--module', MODULE, ...given, ...words))
  edit(made.resources[0].typed_config.config)
  return made
}

/** Puts a resource where Envoy reads it, or anything else, in one step. */
export function put(path, made) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, typeof made === 'string' ? made : JSON.stringify(made))
  renameSync(`${path}.new`, path)
}

/** An entry of `http_filters`: the filter whose resource is in a file. */
export function discovered(path, name = 'hostbound') {
  return {
    name,
    config_discovery: {
      config_source: { path_config_source: { path }, resource_api_version: 'V3' },
      type_urls: ['type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm'],
    },
  }
}

/** An entry of `http_filters`: the filter of a resource itself. */
export function inline({ resources: [{ name, typed_config }] }) {
  return { name, typed_config }
}

function kept(folder, name, content) {
  const path = `${folder}/${name}`
  writeFileSync(path, JSON.stringify(content))
  return path
}
