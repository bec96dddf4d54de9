// The shapes that the lab sends, as its Rust says them (`lab/src/{verdict,case,log}.rs`), for editors and checkers.

/**
 * @typedef {'reached_readable' | 'reached_refused' | 'blocked_by_browser' | 'prompted' | 'filtered_by_resolver' | 'not_requeried' | 'not_running' | 'inconclusive'} Outcome
 * @typedef {'control' | 'vulnerable' | 'refuses' | 'not_tested'} ServiceVerdict
 * @typedef {'safe' | 'vulnerable' | 'inconclusive'} Conclusion
 * @typedef {'bad' | 'good' | 'browser' | 'elsewhere' | 'unknown' | 'control'} Tone
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {'canary' | 'guarded' | 'service'} kind
 * @property {string} [guard]
 * @property {string} [address]
 * @property {number | null} own_name_status
 * @property {number | null} foreign_name_status
 * @property {number | null} own_name_upgrade what a WebSocket's handshake is answered
 * @property {number | null} foreign_name_upgrade
 * @property {string} [trouble]
 *
 * @typedef {object} Case
 * @property {string} strategy
 * @property {string} method
 * @property {string} local_network_access
 * @property {string} attacker
 * @property {string} target
 *
 * @typedef {object} ArrivedRequest
 * @property {number} at_ms
 * @property {string} method
 * @property {string} target
 * @property {[string, string][]} headers
 * @property {number | null} status
 * @property {Record<string, unknown>} [refusal] the guard's verdict
 * @property {Record<string, unknown>} [policy] the verdict of the run's policy
 *
 * @typedef {object} Connection
 * @property {number} at_ms
 * @property {number} bytes
 * @property {ArrivedRequest[]} requests
 * @property {number} [not_kept] requests that came when the attempt had kept as many as it may
 *
 * @typedef {object} PageReport
 * @property {number} attempts
 * @property {number} failures
 * @property {Record<string, number>} errors
 * @property {{status: number | null, secret: boolean, length: number} | null} read
 * @property {number | null} rebind_ms
 * @property {boolean | null} wrote
 *
 * @typedef {object} Logs
 * @property {object[]} dns
 * @property {Connection[]} connections
 * @property {'passed' | 'filtered' | 'not_asked'} control
 * @property {PageReport | null} page
 * @property {number | null} flipped_ms
 * @property {number} duration_ms
 *
 * @typedef {object} CaseResult
 * @property {Case} case
 * @property {string} authority
 * @property {Outcome} outcome
 * @property {string[]} evidence
 * @property {Logs} logs
 *
 * @typedef {object} ServiceResult
 * @property {Target} target
 * @property {ServiceVerdict} verdict
 * @property {string} summary
 *
 * @typedef {object} Run
 * @property {number} format
 * @property {string} hostbound
 * @property {string} started
 * @property {number} duration_ms
 * @property {{kind: string, version: string}} browser
 * @property {string} [policy] its name
 * @property {ServiceResult[]} services
 * @property {CaseResult[]} cases
 * @property {Conclusion} conclusion
 * @property {string[]} reasons
 *
 * @typedef {{text: string, policy: string | null, service: string | null}} Advice
 *
 * @typedef {object} LabFacts
 * @property {number} format
 * @property {string} hostbound
 * @property {{kind: string, version: string}} browser
 * @property {{kind: string, trouble: string | null} | null} guard
 * @property {'direct' | 'command'} resolver
 * @property {string[]} methods
 * @property {string[]} strategies
 * @property {number} max_ports
 * @property {string} [downloads] the folder of this machine to which files go
 * @property {string[]} strays names outside of the lab that the browser asked for
 *
 * @typedef {{event: 'targets', targets: Target[]} | {event: 'plan', cases: Case[]} | {event: 'open', number: number, url: string}
 *   | {event: 'close', number: number} | {event: 'case', number: number, result: CaseResult}
 *   | {event: 'done', run: Run, advice: Advice[], html: string} | {event: 'failed', message: string}} LabEvent
 */

export {}
