// What becomes of requests when the VM ends, under the configuration that is shipped. The filter ends it where it can neither refuse nor hold a request;
// it has no way for a client to make it do so. Here another module stands for it, which traps on a request with many fields.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { served, until } from './support/served.mjs'

const WASM_AS = fileURLToPath(new URL('../../bindings/node/node_modules/.bin/wasm-as', import.meta.url))
const TRAPS = `(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param $context i32) (param $fields i32) (param $is_last i32) (result i32)
    (if (i32.gt_u (local.get $fields) (i32.const 40)) (then (unreachable)))
    (i32.const 0)))`
const POLICY = { version: 1, hosts: { allow: ['localhost'] } }
const BACKED_OFF = { base_interval: '1s' }

test('a VM that ends refuses its request, and the next one has a new VM', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-trap-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const module = join(folder, 'traps.wasm')
  writeFileSync(join(folder, 'traps.wat'), TRAPS)
  execFileSync(WASM_AS, [join(folder, 'traps.wat'), '-o', module])
  const edit = (config) => {
    assert.deepEqual([config.failure_policy, config.reload_config.backoff], ['FAIL_RELOAD', BACKED_OFF])
    config.vm_config.code.local.filename = module
  }
  const { envoy, http1, log } = await served(t, POLICY, { edit })
  const http = http1()
  const ask = async (fields = 0) => {
    const more = Array.from({ length: fields }, (_, index) => [`x-field-${index}`, ''])
    return (await http.ask({ method: 'GET', target: '/', headers: [['host', 'localhost'], ...more] })).status
  }
  const stat = async (name) => Number(/: (\d+)/.exec((await envoy.ask(`/stats?filter=${name}`)).text)?.[1])
  assert.equal(await ask(), 200)
  // A VM that ends right after its start is waited with, as one that ends again.
  await later(2500)
  assert.equal(await ask(50), 503)
  assert.equal(await ask(), 200)
  assert.equal(await stat('vm_reload_success'), 1)
  // Ending again at once: nothing passes, until Envoy tries once more.
  assert.equal(await ask(50), 503)
  assert.equal(await ask(), 503)
  assert.ok((await stat('vm_reload_backoff')) > 0)
  await until(async () => (await ask()) === 200)
  assert.ok(log.some((line) => line.includes('Function: proxy_on_request_headers failed')))
})
