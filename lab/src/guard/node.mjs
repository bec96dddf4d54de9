// The Node guard in front of the canary. Reads {policy, canary} from standard input, writes {port}, then each denial.
import { createServer, request as send } from 'node:http'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { hostbound } from 'hostbound/node'

const lines = createInterface({ input: process.stdin })
const { value: line } = await lines[Symbol.asyncIterator]().next()
const { policy, canary } = JSON.parse(line)

const guard = await hostbound({
  policy,
  log: false,
  onDeny: (verdict, { target }, { headers: { host } }) => console.log(JSON.stringify({ host: host ?? '', target: String(target), verdict })),
})

const server = createServer((request, response) => {
  const onward = send(
    { host: '127.0.0.1', port: canary, method: request.method, path: request.url, headers: request.headers },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    },
  )
  onward.on('error', () => response.destroy())
  request.pipe(onward)
})
server.on('upgrade', (request, socket, head) => {
  const onward = connect(canary, '127.0.0.1', () => {
    const fields = []
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      fields.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`)
    }
    onward.write(`GET ${request.url} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
    onward.write(head)
    onward.pipe(socket).pipe(onward)
  })
  onward.on('error', () => socket.destroy())
  socket.on('error', () => onward.destroy())
})
guard.protect(server).listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
