// A worker for workerd: judges the JSON request in the body of what it gets, with the engine that the runtime compiled.
import { Guard, initialize, Policy } from 'hostbound/edge'
import engine from 'hostbound/hostbound.wasm'

initialize(engine)
const guards = new Map()

export default {
  async fetch(message) {
    const { policy, request } = await message.json()
    const key = JSON.stringify(policy)
    if (!guards.has(key)) guards.set(key, new Guard(await Policy.fromObject(policy)))
    return new Response(guards.get(key).decideJson(request))
  },
}
