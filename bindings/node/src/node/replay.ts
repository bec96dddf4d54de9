import { HostboundError } from '../errors.js'
import type { ReplayClaim, ReplayOutcome } from '../guard.js'

/**
 * A replay store that several processes share. It must make each claim at most once, keep it until `expires` by its own clock,
 * refuse claims that come later, count live entries by `shareKey`, and know since when it has kept every claim.
 */
export interface ReplayStore {
  /** Makes a claim, if nobody has. A rejection is a store that failed: the request is refused. */
  claim(claim: ReplayClaim): Promise<ReplayOutcome>
}

/** Asks a store. Whatever goes wrong there refuses the request. */
export async function claimIn(store: ReplayStore, claim: ReplayClaim, failed: (error: unknown) => void): Promise<ReplayOutcome> {
  try {
    const answer = await store.claim(claim)
    const { outcome, epoch } = answer
    const isKnown = outcome === 'made' || outcome === 'present' || outcome === 'full'
    if (isKnown && Number.isSafeInteger(epoch)) return { outcome, epoch }
    throw new HostboundError('HOSTBOUND_OPTION', 'the replay store gave no outcome and epoch')
  } catch (error) {
    failed(error)
    return { outcome: 'failed', epoch: 0 }
  }
}
