// A process that judges requests in the order in which it is told: the requests of a file, as indices on standard input. Writes the
// indices of those it allowed.

import { readFileSync } from 'node:fs'

import { Guard, Policy } from 'hostbound'
import { redisReplay } from 'hostbound/redis'
import { createClient } from 'redis'

const [, , policyFile, secretsFile, requestsFile, orderFile, port] = process.argv
const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
const guard = new Guard(await Policy.fromFile(policyFile), { secrets: read(secretsFile) })
const client = await createClient({ socket: { port: Number(port), host: '127.0.0.1' } }).connect()
const store = redisReplay(client)
const requests = readFileSync(requestsFile, 'utf8').trim().split('\n').map(JSON.parse)
const order = read(orderFile)
// All begin together: when standard input ends.
console.log('ready')
for await (const _ of process.stdin);
const allowed = []
for (const index of order) {
  const request = requests[index]
  const claim = guard.claim(request)
  const code = claim === undefined ? guard.judge(request) : guard.answer(request, await store.claim(claim))
  if (code === 0) allowed.push(index)
}
console.log(JSON.stringify(allowed))
await client.close()
