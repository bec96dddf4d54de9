//! Claims in the data that a host shares: byte strings under fixed names, each replaced if it is still what was read.
//!
//! Decides what becomes of a claim and of the value; reading and writing are the face's. Which shards a policy needs, and since when they have kept every
//! claim, is the ledger's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Claim, ClaimOutcome};
use crate::request::Timestamp;

/// How many claims of a share make a shard: a value of 12 KiB, which every claim copies.
const CLAIMS: u64 = 512;
/// The most shards of a share.
const MAX_SHARDS: u64 = 1024;

/// The one format. Another one gets names of its own.
const FORMAT: u8 = 1;
/// The format, and the clock.
const HEAD: usize = 9;
/// When it ends, what tells the key's share, and what of the claim did not select the shard.
const ENTRY: usize = 28;

/// What became of a claim in a shard.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum ShardClaim {
    /// The claim is made once this is written in the place of the value that was read; if that is no longer there, it is to be made again with what is.
    Write(Vec<u8>),
    /// Nothing is to be written. Never [`ClaimOutcome::Made`].
    Known(ClaimOutcome),
}

/// Part of a key's share of a replay store in a host's shared data, such as that of proxy-wasm: what reads a value with its version and replaces that
/// version alone, but can neither insert only where nothing is, nor delete.
///
/// A share whose limit is 1,024 or more is cut into shards of 512 claims or a little more, at most 1,024 of them, so that a claim copies some 12 KiB; with
/// the largest `replay_capacity`, and one key, 229 KiB. A claim's digest says where it belongs. The shards together never exceed the limit. As they do not
/// fill alike, a share of many is refused its first claim when it is at 85 to 90 % of its limit; a share of one, exactly at it.
///
/// Keys of which one could make the claim of another, those of `standard-webhooks`, have their shards in common: there each has its own share of every shard.
///
/// A value is the format (1 byte), the clock (8 bytes, little-endian) and claims (8 bytes for the end of each, little-endian, 4 for the share, and 16 of its
/// digest). Nothing in it is secret. The shard's clock never goes back, as that of [`MemoryReplay`](crate::MemoryReplay); it is that of the last claim that was made.
#[derive(Clone, Copy, Debug)]
pub struct ReplayShard<'v> {
    clock: u64,
    entries: &'v [Entry],
}

type Entry = [u8; ENTRY];

impl<'v> ReplayShard<'v> {
    /// The value of a shard that holds no claim: what it begins with.
    pub const EMPTY: [u8; HEAD] = [FORMAT, 0, 0, 0, 0, 0, 0, 0, 0];

    /// The name of the shard in which a claim is kept: `hostbound:1:`, the share in base64url, how many shards it has, and which of them it is.
    #[must_use]
    pub fn name(claim: &Claim) -> String {
        let count = shard_count(claim.share_limit);
        let selects = claim.digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let index = selects
            .checked_rem(u64::from(count))
            .and_then(|index| u16::try_from(index).ok());
        shard_name(&claim.place, count, index.unwrap_or(0))
    }

    /// Makes a claim, if nobody has, in the value of the shard of that name. A value that is none of a shard is a store that fails; it is never mended, since
    /// nobody knows what it held.
    pub fn claim(value: &'v [u8], claim: &Claim, now: Timestamp) -> ShardClaim {
        let Some(shard) = Self::read(value) else {
            return ShardClaim::Known(ClaimOutcome::Failed);
        };
        let clock = shard.clock.max(now.0);
        let id = identifying(claim);
        let live = || shard.entries.iter().filter(|entry| end(entry) > clock);
        if live().any(|entry| entry.ends_with(id)) {
            return ShardClaim::Known(ClaimOutcome::Present);
        }
        let limit = claim
            .share_limit
            .checked_div(u64::from(shard_count(claim.share_limit)))
            .unwrap_or(0);
        let tag = tag_of(&claim.share);
        let own = live().filter(|entry| entry.get(8..12) == Some(tag));
        let count = u64::try_from(own.count()).unwrap_or(u64::MAX);
        if count >= limit || claim.expires <= clock {
            return ShardClaim::Known(ClaimOutcome::Full);
        }
        let mut written = write(clock, live());
        written.extend(claim.expires.to_le_bytes());
        written.extend(tag);
        written.extend(id);
        ShardClaim::Write(written)
    }

    /// The value without the claims that have ended, to be written in the place of the one that was read; none if it has none. For shards that no policy uses
    /// any longer: the others do so at each claim.
    #[must_use]
    pub fn purged(value: &'v [u8], now: Timestamp) -> Option<Vec<u8>> {
        let shard = Self::read(value)?;
        let clock = shard.clock.max(now.0);
        let is_live = |entry: &&Entry| end(entry) > clock;
        let is_due = !shard.entries.iter().all(|entry| is_live(&entry));
        is_due.then(|| write(clock, shard.entries.iter().filter(is_live)))
    }

    fn read(value: &'v [u8]) -> Option<Self> {
        let (head, entries) = value.split_at_checked(HEAD)?;
        let (format, clock) = head.split_first()?;
        let (entries, rest) = entries.as_chunks();
        (*format == FORMAT && rest.is_empty()).then_some(Self {
            clock: number(clock),
            entries,
        })
    }
}

/// In how many shards a share of that limit is cut.
pub(crate) fn shard_count(share_limit: u64) -> u16 {
    let wanted = share_limit.checked_div(CLAIMS).unwrap_or(0).clamp(1, MAX_SHARDS);
    u16::try_from(wanted).unwrap_or(1)
}

/// What the names of all shards of a share begin with.
pub(crate) fn share_name(share: &[u8; 32], count: u16) -> String {
    format!("hostbound:1:{}:{count}", URL_SAFE_NO_PAD.encode(share))
}

/// The name of one of the shards of a share.
pub(crate) fn shard_name(share: &[u8; 32], count: u16, index: u16) -> String {
    format!("{}:{index}", share_name(share, count))
}

/// The last 16 bytes of the digest: the first ones chose the shard.
fn identifying(claim: &Claim) -> &[u8; 16] {
    claim.digest.last_chunk().unwrap_or(&[0; 16])
}

/// The first bytes of a share: enough to tell the keys of one section apart.
fn tag_of(share: &[u8; 32]) -> &[u8] {
    share.first_chunk::<4>().map_or(&[], |tag| tag)
}

fn end(entry: &Entry) -> u64 {
    entry.first_chunk::<8>().map_or(0, |end| number(end))
}

/// Little-endian, of eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// With room for one more.
fn write<'e>(clock: u64, entries: impl Iterator<Item = &'e Entry>) -> Vec<u8> {
    let mut value = ReplayShard::EMPTY.to_vec();
    if let Some(to) = value.last_chunk_mut() {
        *to = clock.to_le_bytes();
    }
    for entry in entries {
        value.extend(entry);
    }
    value
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "in a test a panic is the message")]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::super::{ClaimParts, MemoryReplay, share};
    use super::*;

    fn claim(nonce: u64, key_id: &str, created: u64, share_limit: u64) -> Claim {
        Claim::new(&ClaimParts {
            parts: [b"hb1", b"s", b"h", &nonce.to_be_bytes(), key_id.as_bytes()],
            share: share("s", key_id),
            place: share("s", key_id),
            created,
            max_age: 120,
            clock_tolerance: 5,
            share_limit,
            is_shared: false,
        })
    }

    /// A store as a face makes one.
    #[derive(Default)]
    struct Shards(HashMap<String, Vec<u8>>);

    impl Shards {
        fn claim(&mut self, claim: &Claim, now: u64) -> ClaimOutcome {
            let value = self
                .0
                .entry(ReplayShard::name(claim))
                .or_insert_with(|| ReplayShard::EMPTY.to_vec());
            match ReplayShard::claim(value, claim, Timestamp(now)) {
                ShardClaim::Write(written) => {
                    *value = written;
                    ClaimOutcome::Made
                }
                ShardClaim::Known(outcome) => outcome,
            }
        }

        /// Live or not.
        fn held(&self) -> usize {
            self.0.values().map(|value| (value.len() - HEAD) / ENTRY).sum()
        }
    }

    #[test]
    fn a_claim_is_made_once_and_forgotten_when_its_signature_is_dead() {
        let mut store = Shards::default();
        let first = claim(1, "k", 1000, 2);
        assert_eq!(store.claim(&first, 1000), ClaimOutcome::Made);
        assert_eq!(store.claim(&first, 1000), ClaimOutcome::Present);
        assert_eq!(store.claim(&first, 1184), ClaimOutcome::Present);
        assert_eq!(store.claim(&claim(2, "k", 1185, 2), 1185), ClaimOutcome::Made);
        assert_eq!(store.held(), 1);
        // The clock does not go back.
        assert_eq!(store.claim(&first, 1000), ClaimOutcome::Full);
    }

    #[test]
    fn one_key_cannot_use_up_the_others_share() {
        let mut store = Shards::default();
        for nonce in [1, 2] {
            assert_eq!(store.claim(&claim(nonce, "k", 1000, 2), 1000), ClaimOutcome::Made);
        }
        assert_eq!(store.claim(&claim(3, "k", 1000, 2), 1000), ClaimOutcome::Full);
        assert_eq!(store.claim(&claim(1, "k", 1000, 2), 1000), ClaimOutcome::Present);
        assert_eq!(store.claim(&claim(3, "other", 1000, 2), 1000), ClaimOutcome::Made);
        assert_eq!(store.claim(&claim(3, "k", 1300, 2), 1300), ClaimOutcome::Made);
    }

    #[test]
    fn what_is_no_value_of_a_shard_is_a_store_that_fails() {
        let claim = claim(1, "k", 1000, 2);
        let mut longer = ReplayShard::EMPTY.to_vec();
        longer.push(0);
        let mut other = ReplayShard::EMPTY.to_vec();
        other[0] = 2;
        for value in [&[][..], &[1], &[1; 8], &longer, &other, &[0; 9]] {
            let made = ReplayShard::claim(value, &claim, Timestamp(1000));
            assert_eq!(made, ShardClaim::Known(ClaimOutcome::Failed), "{value:?}");
            assert_eq!(ReplayShard::purged(value, Timestamp(u64::MAX)), None, "{value:?}");
        }
    }

    #[test]
    fn a_value_has_its_form() {
        let claim = claim(1, "k", 1000, 2);
        let ShardClaim::Write(value) = ReplayShard::claim(&ReplayShard::EMPTY, &claim, Timestamp(0x3e9)) else {
            panic!("nothing was claimed before");
        };
        assert_eq!(value[..9], [1, 0xe9, 3, 0, 0, 0, 0, 0, 0]);
        assert_eq!(value[9..17], 1185_u64.to_le_bytes());
        assert_eq!(value[17..21], claim.share[..4]);
        assert_eq!(value[21..], claim.digest[16..]);
    }

    #[test]
    fn keys_in_one_place_know_each_others_claims_and_have_shares_of_their_own() {
        // As those of `standard-webhooks`: the claim does not say which key signed.
        let of = |id: &str, key_id: &str| {
            Claim::new(&ClaimParts {
                parts: [b"hb1", b"s", b"h", id.as_bytes(), b"1000"],
                share: share("s", key_id),
                place: super::super::common_place("s"),
                created: 1000,
                max_age: 120,
                clock_tolerance: 5,
                share_limit: 1,
                is_shared: false,
            })
        };
        let (now, first) = (Timestamp(1000), of("a", "one"));
        assert_eq!(ReplayShard::name(&first), ReplayShard::name(&of("a", "two")));
        let ShardClaim::Write(value) = ReplayShard::claim(&ReplayShard::EMPTY, &first, now) else {
            panic!("nothing was claimed before");
        };
        let known = |key_id, id| ReplayShard::claim(&value, &of(id, key_id), now);
        assert_eq!(known("two", "a"), ShardClaim::Known(ClaimOutcome::Present));
        assert_eq!(known("one", "b"), ShardClaim::Known(ClaimOutcome::Full));
        assert!(matches!(known("two", "b"), ShardClaim::Write(_)));
    }

    #[test]
    fn shards_are_as_many_as_the_limit_needs_and_never_more_than_it() {
        for (limit, want) in [
            (1, 1),
            (512, 1),
            (1023, 1),
            (1024, 2),
            (100_000, 195),
            (524_288, 1024),
            (10_000_000, 1024),
            (u64::MAX, 1024),
        ] {
            assert_eq!(shard_count(limit), want, "{limit}");
        }
        let names: HashSet<_> = (0..200)
            .map(|nonce| ReplayShard::name(&claim(nonce, "k", 0, 2048)))
            .collect();
        let want = (0..4).map(|index| shard_name(&share("s", "k"), 4, index));
        assert_eq!(names, want.collect());
    }

    /// The figure of the documentation: how full a share is when it refuses first.
    #[test]
    fn a_share_of_many_shards_is_nearly_used_up_when_it_refuses() {
        for limit in [10_000, 100_000] {
            let mut counts = HashMap::<_, u64>::new();
            let most = limit / u64::from(shard_count(limit));
            let taken = (0..).take_while(|nonce| {
                let count = counts
                    .entry(ReplayShard::name(&claim(*nonce, "k", 1000, limit)))
                    .or_default();
                *count += 1;
                *count <= most
            });
            let percent = taken.count() * 100 / usize::try_from(limit).unwrap();
            assert!((85..=95).contains(&percent), "{limit}: {percent} %");
        }
    }

    #[test]
    fn what_has_ended_is_purged_and_nothing_else() {
        let mut value = ReplayShard::EMPTY.to_vec();
        for (nonce, created) in [(1, 1000), (2, 1050)] {
            match ReplayShard::claim(&value, &claim(nonce, "k", created, 9), Timestamp(created)) {
                ShardClaim::Write(written) => value = written,
                ShardClaim::Known(outcome) => panic!("{outcome:?}"),
            }
        }
        assert_eq!(ReplayShard::purged(&value, Timestamp(1184)), None);
        let purged = ReplayShard::purged(&value, Timestamp(1185)).unwrap();
        assert_eq!(purged.len(), HEAD + ENTRY);
        let again = ReplayShard::claim(&purged, &claim(2, "k", 1050, 9), Timestamp(1000));
        assert_eq!(again, ShardClaim::Known(ClaimOutcome::Present));
        // What was forgotten is not made anew, even if the clock is set back.
        let forgotten = ReplayShard::claim(&purged, &claim(1, "k", 1000, 9), Timestamp(1000));
        assert_eq!(forgotten, ShardClaim::Known(ClaimOutcome::Full));
        let empty = ReplayShard::purged(&purged, Timestamp(9999)).unwrap();
        assert_eq!(empty.len(), HEAD);
        assert_eq!(ReplayShard::purged(&empty, Timestamp(99_999)), None);
    }

    /// Of a small set of nonces and keys: how much later than the one before, and how old its signature is.
    fn steps() -> impl Strategy<Value = Vec<(u64, bool, u64, u64)>> {
        proptest::collection::vec((0..40_u64, any::<bool>(), 0..30_u64, 0..240_u64), 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// Each share alone, as the memory's clock is common to all of them.
        #[test]
        fn a_share_of_one_shard_answers_as_memory_does(steps in steps(), limit in 1..30_u64) {
            let (mut shards, mut memory) = (Shards::default(), MemoryReplay::new(Timestamp(0)));
            let mut now = 1000;
            for (nonce, is_other, later, age) in steps {
                now += later;
                let key_id = if is_other { "other" } else { "k" };
                let claim = claim(nonce, key_id, now.saturating_sub(age), limit);
                prop_assert_eq!(shards.claim(&claim, now), memory.claim(&claim, Timestamp(now)));
                prop_assert!(u64::try_from(shards.held()).unwrap() <= 2 * limit);
            }
        }

        #[test]
        fn a_share_of_many_shards_answers_as_memory_does_while_none_is_full(steps in steps(), limit in 1024..1_000_000_u64) {
            let (mut shards, mut memory) = (Shards::default(), MemoryReplay::new(Timestamp(0)));
            let mut now = 1000;
            for (nonce, is_other, later, age) in steps {
                now += later;
                let key_id = if is_other { "other" } else { "k" };
                let claim = claim(nonce, key_id, now.saturating_sub(age), limit);
                prop_assert_eq!(shards.claim(&claim, now), memory.claim(&claim, Timestamp(now)));
            }
        }

        /// The clock may go anywhere: nothing is made twice, and no shard outgrows its part.
        #[test]
        fn nothing_is_made_twice_whatever_the_clock_does(
            steps in proptest::collection::vec((0..3000_u64, 0..2000_u64, 0..2000_u64), 1..400),
            limit in prop_oneof![1..8_u64, 1024..3000_u64],
        ) {
            let mut shards = Shards::default();
            let mut made = HashSet::new();
            for (nonce, created, now) in steps {
                let claim = claim(nonce % (limit * 2), "k", created, limit);
                if shards.claim(&claim, now) == ClaimOutcome::Made {
                    // A claim whose end is another is one of another signature.
                    prop_assert!(made.insert((claim.digest, created)));
                }
                let most = usize::try_from(limit / u64::from(shard_count(limit))).unwrap();
                prop_assert!(shards.0.values().all(|value| value.len() <= HEAD + most * ENTRY));
            }
            prop_assert!(u64::try_from(shards.held()).unwrap() <= limit);
        }
    }
}
