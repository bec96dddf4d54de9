// A reverse proxy without a rule of its own: `createServer(proxyTo({ address, port }))`.

import { request as send } from 'node:http'

/** Hands over method, target, headers and body as they came, and the answer likewise. */
export function proxyTo({ address, port }) {
  return (request, response) => {
    const { method, url: path, rawHeaders: headers } = request
    const onward = send({ host: address, port, method, path, headers, agent: false })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  }
}
