//! Since when a replay store in a host's shared data has kept every claim, key by key: what outlives the guards that use the store.
//!
//! Decides which signatures may have been used before anybody kept count. Claims themselves are in shards; reading and writing are the face's.

mod row;

use std::fmt;

use ring::digest::{SHA256, digest};
use row::{FORMAT, Row};

use super::Guard;
use super::keys::ClaimRule;
use crate::request::Timestamp;
use crate::signature::{Claim, shard_count, share_name};
use crate::table::Table;

/// What one guard asks of the ledger of a replay store in a host's shared data: a value beside the [`ReplayShard`](crate::ReplayShard)s, under
/// [`ReplayLedger::NAME`], that is replaced only if it is still what was read.
///
/// For every key it holds what stands for its secret (a MAC under it), what its claims depend on (a digest), and its epoch: signatures from before are refused.
/// A key that is new, or whose claims are others now (by its section, id or window, or by being kept in other shards), begins anew; the other keys go on. As
/// the number of shards follows from the share's limit, that is so for all keys of a large section that gets another key.
///
/// Several guards may share a store. Each has a scope, such as the name of its listener: a guard takes the place of the one before it in its own scope alone.
/// A guard whose place was taken, as that of a listener that drains, goes on with the keys that both have alike, and with those that the new one does not
/// have; a claim of another would be unknown to the new guard, and is refused. The scope says nothing of claims: guards of several scopes whose keys have one
/// section, id and number of shards share them.
///
/// A face, once for each guard, before it judges by it: creates the shards that are missing, then the ledger, then replaces it by what
/// [`ReplayLedger::loaded`] gives. For each claim: reads the ledger, takes [`ReplayLedger::standing`], makes the claim in its shard, and answers
/// [`NeedsNonce`](super::NeedsNonce) with both.
#[derive(Clone)]
pub struct ReplayLedger {
    scope: [u8; 32],
    /// The share of each key.
    shares: Vec<[u8; 32]>,
    /// The keys, in the same order. Their epochs are not known here.
    rows: Vec<Row>,
}

/// What the ledger says of a claim's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Every claim was kept since.
    Since(Timestamp),
    /// Nothing is known of the key: the value was lost, or there are too many. [`ReplayLedger::mended`] mends that.
    Unknown,
    /// A guard of this scope that makes other claims has taken the place of this one: the store has failed for it.
    Replaced,
}

/// Why a guard cannot have a ledger: more keys than [`ReplayLedger::MAX_KEYS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedgerError;

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the policy's signatures have more than {} keys",
            ReplayLedger::MAX_KEYS
        )
    }
}

impl std::error::Error for LedgerError {}

/// What of a guard's keys is to be written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Merge {
    /// All, in the place of what the scope has.
    Load,
    /// Those that are missing.
    Mend,
}

impl ReplayLedger {
    /// The name of the value.
    pub const NAME: &'static str = "hostbound:1:ledger";

    /// The value that knows of no key: what a ledger begins with.
    pub const EMPTY: [u8; 1] = [FORMAT];

    /// The most keys that a ledger holds, of all guards: 556 KiB. Those beyond are forgotten, former ones first, and begin anew.
    pub const MAX_KEYS: usize = 4096;

    /// For a guard. `scope` tells it from others that share the store.
    ///
    /// # Errors
    /// [`LedgerError`]
    pub fn new(guard: &Guard, scope: &str) -> Result<Self, LedgerError> {
        let scope = scope_of(scope);
        let row = |((secret, rules), (_, place, limit)): ((ClaimRule, ClaimRule), (_, _, _))| Row {
            scope,
            secret: secret.bytes(),
            rules: rules.bytes(),
            place,
            shards: shard_count(limit),
            is_former: false,
            epoch: 0,
        };
        let rows: Vec<_> = guard.claim_rules().zip(guard.shares()).map(row).collect();
        let shares = guard.shares().map(|(share, ..)| share).collect();
        if rows.len() > Self::MAX_KEYS {
            return Err(LedgerError);
        }
        Ok(Self { scope, shares, rows })
    }

    /// The names of all shards that the guard needs, each to be created with [`ReplayShard::EMPTY`](crate::ReplayShard::EMPTY) if it is missing. None for a
    /// guard without keys.
    pub fn shards(&self) -> impl Iterator<Item = String> {
        self.rows.iter().flat_map(Row::names)
    }

    /// The value to write in the place of `earlier`, from which on this guard is that of its scope; none if there is nothing to change. A value that is none
    /// of a ledger counts as absent: all keys begin anew.
    ///
    /// `created` are the shards that the face has just created. As it may have done so over claims that somebody else had made in the meantime, their keys
    /// begin anew, in every scope. `now` is taken after that.
    #[must_use]
    pub fn loaded(&self, earlier: Option<&[u8]>, created: &[String], now: Timestamp) -> Option<Vec<u8>> {
        self.merged(earlier, created, now, Merge::Load)
    }

    /// As [`ReplayLedger::loaded`], but for keys that the scope does not know at all, and no others: for a guard that found [`Standing::Unknown`].
    #[must_use]
    pub fn mended(&self, earlier: Option<&[u8]>, now: Timestamp) -> Option<Vec<u8>> {
        self.merged(earlier, &[], now, Merge::Mend)
    }

    /// What the value says of a claim of this guard.
    #[must_use]
    pub fn standing(&self, value: &[u8], claim: &Claim) -> Standing {
        let mut keys = self.shares.iter().zip(&self.rows);
        let (Some((_, own)), Some(rows)) = (keys.find(|(share, _)| *share == claim.share()), row::read(value)) else {
            return Standing::Unknown;
        };
        let is_same_key = |row: &&Row| row.scope == own.scope && row.secret == own.secret;
        match rows.iter().find(is_same_key) {
            None => Standing::Unknown,
            Some(row) if row.makes_same_claims(own) => Standing::Since(Timestamp(row.epoch)),
            Some(_) => Standing::Replaced,
        }
    }

    /// The names of the shards of keys that no guard has any longer: to be purged now and then, as they cannot be deleted.
    #[must_use]
    pub fn former_shards(value: &[u8]) -> Vec<String> {
        let rows = row::read(value).unwrap_or_default();
        let name = |row: &Row| share_name(&row.place, row.shards);
        let mut seen = Table::default();
        for row in rows.iter().filter(|row| !row.is_former) {
            seen.insert(name(row).as_bytes(), ());
        }
        let former = rows
            .iter()
            .filter(|row| seen.insert(name(row).as_bytes(), ()).is_none());
        former.flat_map(Row::names).collect()
    }

    fn merged(&self, earlier: Option<&[u8]>, created: &[String], now: Timestamp, merge: Merge) -> Option<Vec<u8>> {
        let mut rows = earlier.and_then(row::read).unwrap_or_default();
        // The first whole second that is not over.
        let epoch = now.0.saturating_add(1);
        let mut shares = Table::default();
        for (share, _) in created.iter().filter_map(|name| name.rsplit_once(':')) {
            shares.insert(share.as_bytes(), ());
        }
        if !shares.is_empty() {
            let is_created = |row: &&mut Row| shares.contains(share_name(&row.place, row.shards).as_bytes());
            for row in rows.iter_mut().filter(is_created) {
                row.epoch = row.epoch.max(epoch);
            }
        }
        let mut left = Vec::new();
        // Those of the guard that the ledger does not have yet.
        let mut own = Table::<Option<&Row>>::default();
        for row in &self.rows {
            own.insert(&row.secret, Some(row));
        }
        for row in rows.iter_mut().filter(|row| row.scope == self.scope) {
            let wanted = own.update(&row.secret, Option::take);
            match (wanted, merge) {
                (_, Merge::Mend) => {}
                (None, Merge::Load) => row.is_former = true,
                (Some(wanted), Merge::Load) => {
                    left.extend((row.shards() != wanted.shards()).then(|| row.without_key()));
                    let epoch = if row.makes_same_claims(wanted) {
                        row.epoch
                    } else {
                        row.epoch.max(epoch)
                    };
                    *row = Row { epoch, ..*wanted };
                }
            }
        }
        for row in left {
            if !rows
                .iter()
                .any(|other| other.is_former && other.shards() == row.shards())
            {
                rows.push(row);
            }
        }
        let is_new = |row: &&Row| own.get(&row.secret).is_some_and(Option::is_some);
        rows.extend(self.rows.iter().filter(is_new).map(|row| Row { epoch, ..*row }));
        self.bound(&mut rows);
        let value = row::write(&rows);
        (earlier != Some(&value)).then_some(value)
    }

    /// Forgets what is too much: former keys first, then those of other scopes, the oldest first.
    fn bound(&self, rows: &mut Vec<Row>) {
        let mut excess = rows.len().saturating_sub(Self::MAX_KEYS);
        let mut forget = |is_forgettable: &dyn Fn(&Row) -> bool| {
            rows.retain(|row| {
                let is_kept = excess == 0 || !is_forgettable(row);
                excess = excess.saturating_sub(usize::from(!is_kept));
                is_kept
            });
        };
        forget(&|row| row.is_former);
        // INVARIANT: a guard has no more keys than that.
        forget(&|row| row.scope != self.scope);
    }
}

impl fmt::Debug for ReplayLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayLedger")
            .field("keys", &self.rows.len())
            .finish_non_exhaustive()
    }
}

fn scope_of(name: &str) -> [u8; 32] {
    let mut scope = [0; 32];
    let found = digest(&SHA256, name.as_bytes());
    for (to, from) in scope.iter_mut().zip(found.as_ref()) {
        *to = *from;
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::row::{ROW, read};
    use super::*;
    use crate::policy::Policy;
    use crate::secret::Secrets;
    use crate::signature::{ClaimParts, ReplayShard, share};

    const NOW: Timestamp = Timestamp(1000);
    const LATER: Timestamp = Timestamp(2000);

    /// Keys are their own ids, but for what stands behind a colon. `extra` is more of the section.
    fn ledger(scope: &str, keys: &[&str], extra: &str) -> ReplayLedger {
        let list = keys.iter().map(|key| {
            let (id, secret) = key.split_once(':').unwrap_or((key, key));
            format!(r#"{{"id": "{id}", "secret": {{"name": "{secret}"}}, "hosts": ["a.example"]}}"#)
        });
        let list = list.collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"version": 1, "hosts": {{"allow": ["a.example"]}},
                "signatures": {{"main": {{"profile": "host-nonce", {extra} "headers": {{"key_id": "x-key-id"}}, "keys": [{list}]}}}},
                "routes": [{{"path": "/**", "require": ["signature:main"]}}]}}"#
        );
        let policy = Policy::from_json(&text, "test").unwrap();
        let mut secrets = Secrets::new();
        for key in keys {
            let (_, secret) = key.split_once(':').unwrap_or((key, key));
            let value = format!("published-test-key-of-the-ledger-{secret}");
            assert!(secrets.insert_named(policy.secrets(), secret, &value));
        }
        ReplayLedger::new(&Guard::with_secrets(policy, &secrets).unwrap(), scope).unwrap()
    }

    fn claim(key_id: &str) -> Claim {
        Claim::new(&ClaimParts {
            parts: [b"hb1", b"main", b"a.example", b"0123456789abcdef", key_id.as_bytes()],
            share: share("main", key_id),
            place: share("main", key_id),
            created: 1000,
            max_age: 120,
            clock_tolerance: 5,
            share_limit: 100_000,
            is_shared: false,
        })
    }

    fn since(second: u64) -> Standing {
        Standing::Since(Timestamp(second))
    }

    #[test]
    fn a_key_begins_in_the_second_after_it_was_loaded_and_goes_on() {
        let one = ledger("l", &["one"], "");
        let value = one.loaded(None, &[], NOW).unwrap();
        assert_eq!(value.len(), 1 + ROW);
        assert_eq!(one.standing(&value, &claim("one")), since(1001));
        // The same guard, in another worker, and again.
        assert_eq!(ledger("l", &["one"], "").loaded(Some(&value), &[], LATER), None);
        assert_eq!(one.mended(Some(&value), LATER), None);
        // What does not change claims.
        assert_eq!(
            ledger("l", &["one"], r#""max_body": "2MiB","#).loaded(Some(&value), &[], LATER),
            None
        );
    }

    #[test]
    fn a_key_whose_claims_are_others_begins_anew_and_the_rest_go_on() {
        let old = ledger("l", &["one", "two"], "");
        let value = old.loaded(None, &[], NOW).unwrap();
        for (name, new, key_id, want) in [
            ("the same", ledger("l", &["one", "two"], ""), "one", since(1001)),
            (
                "another secret",
                ledger("l", &["one:three", "two"], ""),
                "one",
                since(2001),
            ),
            (
                "the other key",
                ledger("l", &["one:three", "two"], ""),
                "two",
                since(1001),
            ),
            (
                "another id",
                ledger("l", &["three:one", "two"], ""),
                "three",
                since(2001),
            ),
            (
                "another window",
                ledger("l", &["one", "two"], r#""max_age": "90s","#),
                "one",
                since(2001),
            ),
            (
                "another tolerance",
                ledger("l", &["one", "two"], r#""clock_tolerance": "9s","#),
                "one",
                since(2001),
            ),
            (
                "fewer shards",
                ledger("l", &["one", "two"], r#""replay_capacity": 2000,"#),
                "one",
                since(2001),
            ),
            (
                "another limit",
                ledger("l", &["one", "two"], r#""replay_capacity": 100001,"#),
                "one",
                since(1001),
            ),
            (
                "a key more, so fewer shards",
                ledger("l", &["one", "two", "three"], ""),
                "one",
                since(2001),
            ),
            ("another scope", ledger("m", &["one", "two"], ""), "one", since(2001)),
        ] {
            let value = new.loaded(Some(&value), &[], LATER).unwrap_or_else(|| value.clone());
            assert_eq!(new.standing(&value, &claim(key_id)), want, "{name}");
            // Back again: what was claimed in between is unknown to the old one, unless it is the same.
            let back = old.loaded(Some(&value), &[], Timestamp(3000)).unwrap_or(value);
            let want = match (key_id, want) {
                ("one", Standing::Since(Timestamp(2001))) if name != "another secret" && name != "another scope" => {
                    3001
                }
                _ => 1001,
            };
            if key_id != "three" {
                assert_eq!(old.standing(&back, &claim(key_id)), since(want), "{name}, back");
            }
        }
    }

    #[test]
    fn an_epoch_never_goes_back() {
        let value = ledger("l", &["one"], "").loaded(None, &[], LATER).unwrap();
        let new = ledger("l", &["one"], r#""max_age": "90s","#);
        let value = new.loaded(Some(&value), &[], NOW).unwrap();
        assert_eq!(new.standing(&value, &claim("one")), since(2001));
    }

    #[test]
    fn a_guard_whose_place_was_taken_goes_on_with_what_both_have_alike() {
        let old = ledger("l", &["one", "two"], r#""replay_capacity": 100,"#);
        let value = old.loaded(None, &[], NOW).unwrap();
        let without = ledger("l", &["one"], r#""replay_capacity": 100,"#);
        let value = without.loaded(Some(&value), &[], LATER).unwrap();
        assert_eq!(old.standing(&value, &claim("one")), since(1001));
        assert_eq!(old.standing(&value, &claim("two")), since(1001));
        assert_eq!(without.standing(&value, &claim("two")), Standing::Unknown);
        let other = ledger("l", &["one"], r#""replay_capacity": 100, "max_age": "90s","#);
        let value = other.loaded(Some(&value), &[], LATER).unwrap();
        assert_eq!(old.standing(&value, &claim("one")), Standing::Replaced);
        assert_eq!(old.mended(Some(&value), LATER), None);
        // It comes back, and goes on: nobody has made other claims.
        let value = old.loaded(Some(&value), &[], Timestamp(3000)).unwrap();
        assert_eq!(old.standing(&value, &claim("two")), since(1001));
        assert_eq!(old.standing(&value, &claim("one")), since(3001));
    }

    #[test]
    fn scopes_leave_each_other_alone() {
        let (one, other) = (ledger("l", &["one"], ""), ledger("m", &["one"], r#""max_age": "90s","#));
        let value = one.loaded(None, &[], NOW).unwrap();
        let value = other.loaded(Some(&value), &[], LATER).unwrap();
        assert_eq!(one.standing(&value, &claim("one")), since(1001));
        assert_eq!(other.standing(&value, &claim("one")), since(2001));
        let none = ledger("l", &["two"], "");
        let value = none.loaded(Some(&value), &[], LATER).unwrap();
        assert_eq!(other.standing(&value, &claim("one")), since(2001));
    }

    #[test]
    fn keys_of_shards_that_were_created_over_begin_anew() {
        let both = ledger("l", &["one", "two"], r#""replay_capacity": 100,"#);
        let value = both.loaded(None, &[], NOW).unwrap();
        let created = [ReplayShard::name(&Claim::new(&ClaimParts {
            parts: [b"", b"", b"", b"", b""],
            share: share("main", "two"),
            place: share("main", "two"),
            created: 0,
            max_age: 0,
            clock_tolerance: 0,
            share_limit: 50,
            is_shared: false,
        }))];
        assert!(both.shards().any(|name| name == created[0]));
        for scope in ["l", "m"] {
            let loading = ledger(scope, &["one", "two"], r#""replay_capacity": 100,"#);
            let value = loading.loaded(Some(&value), &created, LATER).unwrap();
            assert_eq!(both.standing(&value, &claim("one")), since(1001));
            assert_eq!(both.standing(&value, &claim("two")), since(2001));
        }
    }

    #[test]
    fn what_is_no_ledger_knows_nothing_and_is_begun_anew() {
        let one = ledger("l", &["one"], "");
        let value = one.loaded(None, &[], NOW).unwrap();
        let with = |index: usize, byte: u8| {
            let mut value = value.clone();
            value[index] = byte;
            value
        };
        for value in [
            Vec::new(),
            ReplayLedger::EMPTY.to_vec(),
            vec![2],
            value[..value.len() - 1].to_vec(),
            [&*value, b"x"].concat(),
            with(0, 0),
            // No shards, too many of them; neither former nor not.
            with(129, 0),
            with(130, 0xff),
            with(131, 2),
        ] {
            assert_eq!(one.standing(&value, &claim("one")), Standing::Unknown, "{value:?}");
            for again in [one.loaded(Some(&value), &[], LATER), one.mended(Some(&value), LATER)] {
                assert_eq!(one.standing(&again.unwrap(), &claim("one")), since(2001));
            }
        }
    }

    #[test]
    fn the_shards_of_former_keys_are_told() {
        let both = ledger("l", &["one", "two"], r#""replay_capacity": 2048,"#);
        assert_eq!(both.shards().count(), 4);
        let value = both.loaded(None, &[], NOW).unwrap();
        assert!(ReplayLedger::former_shards(&value).is_empty());
        let one = ledger("l", &["one"], r#""replay_capacity": 1024,"#);
        let value = one.loaded(Some(&value), &[], NOW).unwrap();
        let former = ReplayLedger::former_shards(&value);
        assert!(former.iter().all(|name| both.shards().any(|other| other == *name)));
        assert!(former.iter().all(|name| one.shards().all(|other| other != *name)));
        assert_eq!(former.len(), 2);
        // Of what another guard has they are not.
        let other = ledger("m", &["two:three"], r#""replay_capacity": 1024,"#);
        let value = other.loaded(Some(&value), &[], NOW).unwrap();
        assert!(ReplayLedger::former_shards(&value).is_empty());
        // A key that is kept in three shards leaves its two behind, until it is back in them; again and again.
        let mut value = value;
        for _ in 0..3 {
            let three = ledger("l", &["one"], r#""replay_capacity": 1536,"#);
            value = three.loaded(Some(&value), &[], NOW).unwrap();
            let former = ReplayLedger::former_shards(&value);
            assert_eq!(former, one.shards().collect::<Vec<_>>());
            value = one.loaded(Some(&value), &[], NOW).unwrap();
            assert_eq!(ReplayLedger::former_shards(&value), three.shards().collect::<Vec<_>>());
        }
        assert_eq!(read(&value).unwrap().len(), 5);
        assert!(ReplayLedger::former_shards(b"").is_empty());
    }

    /// Ledgers of made-up keys.
    fn many(scope: u8, secrets: std::ops::Range<u32>) -> ReplayLedger {
        let row = |number: u32| {
            let mut secret = [scope; 32];
            *secret.first_chunk_mut().unwrap() = number.to_be_bytes();
            Row {
                scope: [scope; 32],
                secret,
                rules: [0; 32],
                place: secret,
                shards: 1,
                is_former: false,
                epoch: 0,
            }
        };
        let rows: Vec<_> = secrets.map(row).collect();
        ReplayLedger {
            scope: [scope; 32],
            shares: rows.iter().map(|row| row.place).collect(),
            rows,
        }
    }

    #[test]
    fn it_is_bounded_and_forgets_former_keys_first() {
        let first = many(1, 0..3000);
        let value = first.loaded(None, &[], NOW).unwrap();
        let value = many(1, 2000..3000).loaded(Some(&value), &[], NOW).unwrap();
        let value = many(2, 0..2500).loaded(Some(&value), &[], NOW).unwrap();
        assert_eq!(value.len(), 1 + ReplayLedger::MAX_KEYS * ROW);
        let rows = read(&value).unwrap();
        let count = |scope, is_former| {
            let is_counted = |row: &&Row| row.scope == [scope; 32] && row.is_former == is_former;
            rows.iter().filter(is_counted).count()
        };
        assert_eq!((count(1, true), count(1, false), count(2, false)), (596, 1000, 2500));
        let value = many(3, 0..4096).loaded(Some(&value), &[], NOW).unwrap();
        assert_eq!(value.len(), 1 + ReplayLedger::MAX_KEYS * ROW);
        assert!(read(&value).unwrap().iter().all(|row| row.scope == [3; 32]));
        // What was forgotten begins anew.
        let value = many(2, 0..1).mended(Some(&value), LATER).unwrap();
        assert_eq!(read(&value).unwrap().last().unwrap().epoch, 2001);
        assert_eq!(value.len(), 1 + ReplayLedger::MAX_KEYS * ROW);
    }
}
