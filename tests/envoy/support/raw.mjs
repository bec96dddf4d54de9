// HTTP/1 without a client: bytes go out, and all that comes back is read.

import { setTimeout as later } from 'node:timers/promises'

import { connected } from './connection.mjs'

const TIMEOUT_MS = 10_000

/** The text of a request, with latin-1 for bytes. `headers` are an object or a list. */
export function text(method, target, headers, body = '') {
  const fields = Array.isArray(headers) ? headers : Object.entries(headers)
  return `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

/**
 * What comes back on a connection of its own: `statuses`, and the `text` in latin-1. `parts` are texts, or functions that are waited for. It ends when
 * the server closes, when `isEnough(text)`, or when the last answer has come where there is one for each of `answers`. With `ends` the client says no
 * more after the parts, so that of a request that is not whole nothing comes.
 */
export async function exchanged(listener, parts, { peer, ends = false, answers = 1, isEnough = (text) => statusesOf(text).length >= answers } = {}) {
  const socket = await connected(listener, peer, 'http/1.1')
  let received = ''
  const ended = new Promise((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (isEnough(received)) resolve('enough')
    })
    socket.on('close', () => resolve('closed'))
  })
  for (const part of [parts].flat()) {
    if (typeof part === 'function') await part()
    else socket.write(Buffer.from(part, 'latin1'))
  }
  if (ends) socket.end()
  if (isEnough(received)) socket.destroy()
  const stop = new AbortController()
  const how = await Promise.race([ended, later(TIMEOUT_MS, 'hangs', { signal: stop.signal })])
  stop.abort()
  socket.destroy()
  return { statuses: statusesOf(received), text: received, how }
}

/** The statuses of answers, but for those that others follow. */
function statusesOf(received) {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n/g)].map((match) => Number(match[1])).filter((status) => status >= 200 || status === 101)
}
