//! Claims of signed requests, each made once, in the data that the workers of one Envoy share. Moves values; what becomes of them is the engine's.
//!
//! Envoy keeps the data as long as a VM with this `vm_id` lives: over reloads, and over the end of a worker's VM. Source: proxy-wasm-cpp-host,
//! `src/shared_data.cc`.

use hostbound::{ClaimOutcome, Guard, NeedsNonce, ReplayLedger, ReplayShard, ShardClaim, Standing, Timestamp, Verdict};

use crate::host::{self, HostError};
use crate::plugin::now;

/// How often a value is tried to be replaced. Each failure means that another worker was served.
const TRIES: u32 = 64;

/// No value has this version: setting it with that fails unless it is not there yet.
const ABSENT: u32 = u32::MAX;

/// The claims of one filter.
#[derive(Debug)]
pub(crate) struct Replay {
    ledger: ReplayLedger,
}

/// Why there can be no store.
#[derive(Debug)]
pub(crate) enum ReplayError {
    Host(HostError),
    Keys(hostbound::LedgerError),
}

impl From<HostError> for ReplayError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl Replay {
    /// The store for a guard; none for one that has no keys. `scope` tells the filter from others of this VM.
    pub(crate) fn open(guard: &Guard, scope: &str) -> Result<Option<Self>, ReplayError> {
        let ledger = ReplayLedger::new(guard, scope).map_err(ReplayError::Keys)?;
        let mut created = Vec::new();
        for name in ledger.shards() {
            if create(&name, &ReplayShard::EMPTY)? {
                created.push(name);
            }
        }
        if ledger.shards().next().is_none() {
            return Ok(None);
        }
        create(ReplayLedger::NAME, &ReplayLedger::EMPTY)?;
        let now = now()?;
        replace(ReplayLedger::NAME, |value| ledger.loaded(Some(value), &created, now))?;
        let (value, _) = host::shared(ReplayLedger::NAME)?;
        for name in ReplayLedger::former_shards(&value) {
            // What cannot be purged only takes room.
            let _ = replace(&name, |value| ReplayShard::purged(value, now));
        }
        Ok(Some(Self { ledger }))
    }

    /// The verdict, by what became of the claim.
    pub(crate) fn judge<'a>(&self, needs: NeedsNonce<'a>) -> Verdict<'a> {
        let (outcome, epoch) = match self.claim(&needs) {
            Ok(found) => found,
            Err(_) => (ClaimOutcome::Failed, Timestamp(0)),
        };
        needs.answer(outcome, epoch)
    }

    fn claim(&self, needs: &NeedsNonce<'_>) -> Result<(ClaimOutcome, Timestamp), HostError> {
        let (claim, now) = (needs.claim(), needs.now());
        let (ledger, _) = host::shared(ReplayLedger::NAME)?;
        let epoch = match self.ledger.standing(&ledger, claim) {
            Standing::Since(epoch) => epoch,
            Standing::Replaced => return Ok((ClaimOutcome::Failed, Timestamp(0))),
            Standing::Unknown => {
                replace(ReplayLedger::NAME, |value| self.ledger.mended(Some(value), now))?;
                return Ok((ClaimOutcome::Failed, Timestamp(0)));
            }
        };
        let name = ReplayShard::name(claim);
        for _ in 0..TRIES {
            let (value, cas) = host::shared(&name)?;
            match ReplayShard::claim(&value, claim, now) {
                ShardClaim::Known(outcome) => return Ok((outcome, epoch)),
                ShardClaim::Write(value) => match host::set_shared(&name, &value, cas) {
                    Ok(()) => return Ok((ClaimOutcome::Made, epoch)),
                    Err(HostError::CAS_MISMATCH) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok((ClaimOutcome::Failed, epoch))
    }
}

/// Sets a value that is not there. False if it is.
fn create(name: &str, value: &[u8]) -> Result<bool, HostError> {
    match host::shared(name) {
        Ok(_) => return Ok(false),
        Err(HostError::NOT_FOUND) => {}
        Err(error) => return Err(error),
    }
    match host::set_shared(name, value, ABSENT) {
        Ok(()) => Ok(true),
        Err(HostError::CAS_MISMATCH) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces a value by what is made of it; none leaves it.
fn replace(name: &str, make: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<(), HostError> {
    for _ in 0..TRIES {
        let (value, cas) = host::shared(name)?;
        let Some(made) = make(&value) else { return Ok(()) };
        match host::set_shared(name, &made, cas) {
            Err(HostError::CAS_MISMATCH) => {}
            outcome => return outcome,
        }
    }
    Err(HostError::CAS_MISMATCH)
}
