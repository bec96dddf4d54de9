import { Policy } from 'hostbound'

/** A small policy; `sections` are merged into it. */
export function policyOf(sections = {}, options = undefined) {
  return Policy.fromObject({ version: 1, hosts: { allow: ['localhost'] }, ...sections }, options)
}

/** What is thrown, for `assert.throws` and `assert.rejects`. */
export function coded(code, message = /./) {
  return (error) => error.code === code && message.test(error.message)
}
