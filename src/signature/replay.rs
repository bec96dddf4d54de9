//! Replay: what a signed request claims, and the store in memory where each claim is made once.
//!
//! `shard` is the store in a host's shared data.

mod shard;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use rustc_hash::{FxHashMap, FxHashSet};
pub use shard::{ReplayShard, ShardClaim};
pub(crate) use shard::{shard_count, shard_name, share_name};

use crate::request::Timestamp;

/// How much longer than a signature an entry lives: clocks differ.
const GRACE: u64 = 60;

/// The one use of a signed request. Whoever makes it first is served.
#[derive(Clone, Debug)]
pub struct Claim {
    digest: [u8; 32],
    share: [u8; 32],
    place: [u8; 32],
    created: u64,
    clock_tolerance: u64,
    expires: u64,
    share_limit: u64,
    is_shared: bool,
}

/// What a claim is made of, and how long it lasts.
pub(crate) struct ClaimParts<'a> {
    /// `hb1`, section, host, and what is used once: each with its length before it.
    pub(crate) parts: [&'a [u8]; 5],
    pub(crate) share: [u8; 32],
    /// Where a host's shared data keeps it: claims that could be the same are in one place.
    pub(crate) place: [u8; 32],
    pub(crate) created: u64,
    pub(crate) max_age: u64,
    pub(crate) clock_tolerance: u64,
    pub(crate) share_limit: u64,
    pub(crate) is_shared: bool,
}

impl Claim {
    pub(crate) fn new(from: &ClaimParts<'_>) -> Self {
        Self {
            digest: digest(&from.parts),
            share: from.share,
            place: from.place,
            created: from.created,
            clock_tolerance: from.clock_tolerance,
            expires: from
                .created
                .saturating_add(seconds_kept(from.max_age, from.clock_tolerance)),
            share_limit: from.share_limit,
            is_shared: from.is_shared,
        }
    }

    /// The key under which a shared store keeps it: `hostbound:1:` and base64url.
    #[must_use]
    pub fn key(&self) -> String {
        format!("hostbound:1:{}", URL_SAFE_NO_PAD.encode(self.digest))
    }

    /// The key of the set in which a shared store counts the share.
    #[must_use]
    pub fn share_key(&self) -> String {
        format!("hostbound:1:share:{}", URL_SAFE_NO_PAD.encode(self.share))
    }

    /// What the live claims of its key are counted under.
    pub(crate) const fn share(&self) -> &[u8; 32] {
        &self.share
    }

    /// How many live entries one key may have.
    #[must_use]
    pub const fn share_limit(&self) -> u64 {
        self.share_limit
    }

    /// Until when a store must keep the entry, by its own clock; from then on it refuses the claim, since it cannot know.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        Timestamp(self.expires)
    }

    /// True if the policy asks for a store that all processes of the service share.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// In seconds: when a signature that an epoch refused can be made anew.
    pub(crate) const fn retry_after(&self) -> u64 {
        self.clock_tolerance.saturating_add(1)
    }

    /// A signature that may have been used before the store was there (RFC 8446 §8.2).
    pub(crate) const fn is_before(&self, epoch: Timestamp) -> bool {
        self.created < epoch.0.saturating_add(self.clock_tolerance)
    }
}

/// How long an entry lives from the making of its signature.
pub(super) const fn seconds_kept(max_age: u64, clock_tolerance: u64) -> u64 {
    max_age.saturating_add(clock_tolerance).saturating_add(GRACE)
}

/// What the live claims of a key are counted under.
pub(crate) fn share(section: &str, key_id: &str) -> [u8; 32] {
    digest(&[b"hb1-share", section.as_bytes(), key_id.as_bytes()])
}

/// Where the claims of all keys of a section are kept, if a claim does not say which key signed.
pub(crate) fn common_place(section: &str) -> [u8; 32] {
    digest(&[b"hb1-place", section.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // INVARIANT: every part is part of a head, or of a policy; both are far below 4 GiB.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        context.update(&length.to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}

/// What a store made of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimOutcome {
    /// It was not there, and now it is.
    Made,
    /// It was there.
    Present,
    /// The store, or the key's share of it, is full.
    Full,
    /// The store could not be asked.
    Failed,
}

/// An entry, and the share that it is part of.
#[derive(Clone)]
struct Ending {
    digest: [u8; 32],
    share: [u8; 32],
}

/// A store in memory: for one process. It never forgets a live entry, and its clock never goes back.
#[derive(Clone)]
pub struct MemoryReplay {
    epoch: Timestamp,
    clock: u64,
    entries: FxHashSet<[u8; 32]>,
    /// What to forget, by the second in which it may be forgotten.
    ends: BTreeMap<u64, Vec<Ending>>,
    shares: FxHashMap<[u8; 32], u64>,
}

impl MemoryReplay {
    /// An empty store. `epoch` is the first whole second after it was created: signatures from before it are refused, since they may have been used already.
    #[must_use]
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            epoch,
            clock: 0,
            entries: FxHashSet::default(),
            ends: BTreeMap::new(),
            shares: FxHashMap::default(),
        }
    }

    /// Since when it has kept every claim.
    #[must_use]
    pub const fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// Begins anew, but for the claims that it holds: signatures from before `epoch` are refused from now on.
    pub fn restart(&mut self, epoch: Timestamp) {
        self.epoch = self.epoch.max(epoch);
    }

    /// How many claims it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Makes a claim, if nobody has.
    pub fn claim(&mut self, claim: &Claim, now: Timestamp) -> ClaimOutcome {
        self.clock = self.clock.max(now.0);
        self.forget();
        if self.entries.contains(&claim.digest) {
            return ClaimOutcome::Present;
        }
        let share = self.shares.entry(claim.share).or_insert(0);
        if *share >= claim.share_limit || claim.expires <= self.clock {
            return ClaimOutcome::Full;
        }
        *share = share.saturating_add(1);
        self.entries.insert(claim.digest);
        self.ends.entry(claim.expires).or_default().push(Ending {
            digest: claim.digest,
            share: claim.share,
        });
        ClaimOutcome::Made
    }

    fn forget(&mut self) {
        while let Some(first) = self.ends.first_entry() {
            if *first.key() > self.clock {
                return;
            }
            for Ending { digest, share } in first.remove() {
                self.entries.remove(&digest);
                if let Some(count) = self.shares.get_mut(&share) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.shares.remove(&share);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for MemoryReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplay")
            .field("epoch", &self.epoch)
            .field("len", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// How a claim is made in Redis, in one step. A script that the server does not know marks a server that has started anew: its `EVALSHA` fails with
/// `NOSCRIPT`, and the caller then runs [`REDIS_EPOCH`] before it loads this one. Redis keeps no scripts over a restart, so that a snapshot which is older
/// than the last claims cannot pass for the store it was.
///
/// The server's clock alone says when an entry ends, and whether a claim comes too late to be known: clocks of callers that differ do no harm.
///
/// KEYS: the claim's name (a member of the third key), the share's key, `hostbound:1:claims`. ARGV: when the entry ends in Unix seconds, the share's limit,
/// the caller's Unix seconds. Result: `{1 made | 0 present | -1 full, epoch}`.
pub const REDIS_CLAIM: &str = include_str!("claim.lua");

/// Writes the epoch, never an earlier one. KEYS: `hostbound:1:claims`. ARGV: the caller's Unix seconds. Result: the epoch.
pub const REDIS_EPOCH: &str = include_str!("epoch.lua");

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(nonce: &str, key_id: &str, created: u64) -> Claim {
        Claim::new(&ClaimParts {
            parts: [b"hb1", b"s", b"h", nonce.as_bytes(), key_id.as_bytes()],
            share: share("s", key_id),
            place: share("s", key_id),
            created,
            max_age: 120,
            clock_tolerance: 5,
            share_limit: 2,
            is_shared: false,
        })
    }

    #[test]
    fn a_claim_is_made_once_and_forgotten_when_its_signature_is_dead() {
        let mut store = MemoryReplay::new(Timestamp(0));
        let first = claim("a", "k", 1000);
        assert_eq!(store.claim(&first, Timestamp(1000)), ClaimOutcome::Made);
        assert_eq!(store.claim(&first, Timestamp(1000)), ClaimOutcome::Present);
        assert_eq!(store.claim(&first, Timestamp(1184)), ClaimOutcome::Present);
        // The clock does not go back.
        assert_eq!(store.claim(&claim("b", "k", 1185), Timestamp(1185)), ClaimOutcome::Made);
        assert_eq!(store.len(), 1);
        assert_eq!(store.claim(&first, Timestamp(1000)), ClaimOutcome::Full);
    }

    #[test]
    fn one_key_cannot_use_up_the_others_share() {
        let mut store = MemoryReplay::new(Timestamp(0));
        let now = Timestamp(1000);
        for nonce in ["a", "b"] {
            assert_eq!(store.claim(&claim(nonce, "k", 1000), now), ClaimOutcome::Made);
        }
        assert_eq!(store.claim(&claim("c", "k", 1000), now), ClaimOutcome::Full);
        assert_eq!(store.claim(&claim("a", "k", 1000), now), ClaimOutcome::Present);
        assert_eq!(store.claim(&claim("c", "other", 1000), now), ClaimOutcome::Made);
        assert_eq!(store.claim(&claim("c", "k", 1300), Timestamp(1300)), ClaimOutcome::Made);
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let parts = |nonce, key_id| claim(nonce, key_id, 0).digest;
        assert_ne!(parts("ab", "c"), parts("a", "bc"));
    }

    #[test]
    fn signatures_from_before_the_epoch_may_have_been_used() {
        let claim = claim("a", "k", 1000);
        assert!(claim.is_before(Timestamp(996)));
        assert!(!claim.is_before(Timestamp(995)));
    }
}
