//! The value of a ledger: its rows, and how they lie in it.

use super::ReplayLedger;
use crate::signature::{shard_count, shard_name};

/// The one format. Another one gets a name of its own.
pub(super) const FORMAT: u8 = 1;
/// In bytes, of one key.
pub(super) const ROW: usize = 139;

/// One key of a scope.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) scope: [u8; 32],
    pub(super) secret: [u8; 32],
    pub(super) rules: [u8; 32],
    pub(super) place: [u8; 32],
    pub(super) shards: u16,
    /// The last guard of the scope does not have it.
    pub(super) is_former: bool,
    pub(super) epoch: u64,
}

impl Row {
    /// Under two sets of rules, or in two sets of shards, a claim of one is unknown to the other.
    pub(super) fn makes_same_claims(&self, other: &Self) -> bool {
        self.rules == other.rules && self.shards == other.shards
    }

    /// What is left of a key that is kept in other shards now.
    pub(super) fn without_key(&self) -> Self {
        Self {
            secret: [0; 32],
            rules: [0; 32],
            is_former: true,
            ..*self
        }
    }

    /// What tells its shards from others.
    pub(super) const fn shards(&self) -> ([u8; 32], u16) {
        (self.place, self.shards)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let Self { place, shards, .. } = *self;
        (0..shards).map(move |index| shard_name(&place, shards, index))
    }

    fn read(bytes: &[u8; ROW]) -> Option<Self> {
        let (scope, rest) = bytes.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let (rules, rest) = rest.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let (shards, rest) = rest.split_first_chunk()?;
        let ([is_former], rest) = rest.split_first_chunk()?;
        let (epoch, _) = rest.split_first_chunk()?;
        let shards = u16::from_le_bytes(*shards);
        // As many as the greatest share has.
        if !(1..=shard_count(u64::MAX)).contains(&shards) {
            return None;
        }
        Some(Self {
            scope: *scope,
            secret: *secret,
            rules: *rules,
            place: *place,
            shards,
            is_former: match is_former {
                0 => false,
                1 => true,
                _ => return None,
            },
            epoch: u64::from_le_bytes(*epoch),
        })
    }

    fn write(&self, value: &mut Vec<u8>) {
        for digest in [&self.scope, &self.secret, &self.rules, &self.place] {
            value.extend(digest);
        }
        value.extend(self.shards.to_le_bytes());
        value.push(u8::from(self.is_former));
        value.extend(self.epoch.to_le_bytes());
    }
}

/// None for what is no value of a ledger.
pub(super) fn read(value: &[u8]) -> Option<Vec<Row>> {
    let (format, rows) = value.split_first()?;
    let (rows, rest) = rows.as_chunks();
    if *format != FORMAT || !rest.is_empty() || rows.len() > ReplayLedger::MAX_KEYS {
        return None;
    }
    rows.iter().map(Row::read).collect()
}

pub(super) fn write(rows: &[Row]) -> Vec<u8> {
    let mut value = ReplayLedger::EMPTY.to_vec();
    for row in rows {
        row.write(&mut value);
    }
    value
}
