// What an attacker needs: a server that keeps what it is sent, and a client that sends it on as it likes.

import { once } from 'node:events'
import { createServer, request as start } from 'node:http'

/** Listens, on a free port if it is 0. */
export async function listening(server, address, port = 0) {
  server.listen(port, address)
  await once(server, 'listening')
  return { address, port: server.address().port, server }
}

/** A server that thanks for every request and keeps it, as `send` takes it. */
export async function thief(address, port) {
  const taken = []
  const server = createServer(async (request, response) => {
    const { method, url: target, rawHeaders: headers } = request
    taken.push({ method, target, headers, body: await text(request) })
    response.end('thanks')
  })
  return { ...(await listening(server, address, port)), taken }
}

/**
 * Sends a request as it is, but for the changes. In those, headers replace the ones of their name or are added.
 *
 * @returns Status and text of the answer.
 */
export async function send({ address, port }, request, { headers: changed = {}, ...changes } = {}) {
  const { method, target: path, headers: kept, body } = { ...request, ...changes }
  const names = [...Object.keys(changed), 'content-length', 'connection']
  const headers = kept.flatMap((name, at) => (at % 2 === 1 || names.includes(name.toLowerCase()) ? [] : [name, kept[at + 1]]))
  for (const pair of Object.entries(changed)) headers.push(...pair)
  const sent = start({ host: address, port, method, path, headers: [...headers, 'content-length', Buffer.byteLength(body), 'connection', 'close'], agent: false })
  sent.end(body)
  const [answer] = await once(sent, 'response')
  return { status: answer.statusCode, text: await text(answer) }
}

/** The body of a message. */
export async function text(message) {
  const chunks = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** The value of a header of a request that was kept. */
export function header({ headers }, wanted) {
  return headers[headers.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === wanted) + 1]
}
