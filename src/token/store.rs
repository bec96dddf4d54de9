//! What a guard keeps of tokens from one request to the next: key sets that were fetched, and tokens that were verified.
//!
//! Decides when keys are to be fetched and how long what was found counts. Nothing that is not verified gets in, and nothing that counts is pushed out.

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustc_hash::FxHashMap;

use super::answer::{self, AnswerError, Introspected, TokenAnswer};
use super::judge::{Evidence, Verified};
use super::key_set::KeySet;
use super::section::TokenSection;
use crate::request::Timestamp;

/// How old fetched keys may be, in seconds, before a request waits for new ones.
const MAX_AGE: u64 = 600;
/// How old they may be before new ones are fetched on the side, in seconds.
const REFRESH_AFTER: u64 = 300;
/// How old they may be while no new ones can be had, in seconds.
const MAX_STALE: u64 = 3600;
/// How long nothing is fetched after an attempt, whatever came of it, in seconds.
const COOL_DOWN: u64 = 30;
/// How far a request's time may lie behind that of an answer before the clock must have gone back, in seconds.
const LONGEST_WAIT: u64 = 60;
/// How long a verified token is not verified again, in seconds.
const KEPT_JWS: u64 = 300;
/// How long the answer about an opaque token counts, in seconds.
const KEPT_INTROSPECTION: u64 = 30;
/// How much all kept tokens may weigh, in bytes: each four times the length of the token or the answer, as its claims and scopes take up
/// about that, and [`ENTRY_WEIGHT`].
const CAPACITY: usize = 8 << 20;
const ENTRY_WEIGHT: usize = 512;

/// What a guard keeps of tokens. Made empty; belongs to the guard that uses it, and begins anew with another.
///
/// It shows no token: tokens are kept by their SHA-256.
#[derive(Default)]
pub struct TokenStore {
    /// Of the guard that it belongs to.
    owner: Option<Arc<()>>,
    /// By section.
    fetched: Vec<Fetched>,
    cache: Cache,
    pub(super) memo: Memo,
    /// What a server said of the token that is judged next.
    next: Option<Introspected>,
    is_caching: bool,
    verifies_outside: bool,
}

/// What was found of the request that is judged, if it is judged again.
#[derive(Default)]
pub(super) struct Memo {
    /// A token whose signature is to be verified outside.
    pub(super) evidence: Option<Evidence>,
    /// What came of that.
    pub(super) is_verified: Option<bool>,
    pub(super) proved: Option<Arc<Verified>>,
    /// What a server said of an opaque token.
    pub(super) introspected: Option<Introspected>,
}

/// The keys of one section that were fetched.
#[derive(Default)]
struct Fetched {
    keys: Option<Arc<KeySet>>,
    /// Of the body that they were read from.
    digest: Vec<u8>,
    at: u64,
    attempted: Option<u64>,
    has_failed: bool,
}

/// The keys for a section, now.
pub(super) enum Held {
    Keys(Arc<KeySet>),
    /// The face did not read them.
    Absent,
    /// To be fetched.
    Wanted,
    /// Not to be had, for so many seconds.
    Unavailable(u64),
}

/// What became of an answer with keys.
#[derive(Debug)]
pub struct KeysKept {
    /// Thumbprints for a log: of keys that were there and are not pinned or, without pins, of all.
    pub thumbprints: Vec<String>,
    /// True if the keys are others than before.
    pub is_new: bool,
}

impl TokenStore {
    /// Keeps key sets and verified tokens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            is_caching: true,
            ..Self::default()
        }
    }

    /// Leaves signatures of public keys to the caller ([`crate::Inspection::NeedsVerification`]).
    #[must_use]
    pub fn verifying_outside(self) -> Self {
        Self {
            verifies_outside: true,
            ..self
        }
    }

    #[cfg(feature = "wasm")]
    pub(crate) fn verify_outside(&mut self) {
        self.verifies_outside = true;
    }

    pub(super) const fn verifies_outside(&self) -> bool {
        self.verifies_outside
    }

    /// Forgets what belongs to another guard.
    pub(crate) fn belong_to(&mut self, owner: &Arc<()>, sections: usize) {
        if self.owner.as_ref().is_none_or(|known| !Arc::ptr_eq(known, owner)) {
            self.owner = Some(Arc::clone(owner));
            self.fetched.clear();
            self.fetched.resize_with(sections, Fetched::default);
            self.cache = Cache::default();
        }
    }

    /// Forgets what was found of the request before.
    pub(crate) fn begin(&mut self) {
        self.memo = Memo {
            introspected: self.next.take(),
            ..Memo::default()
        };
    }

    /// The token whose signature is to be verified, if there is one.
    pub(crate) fn take_evidence(&mut self) -> Option<Evidence> {
        self.memo.evidence.take()
    }

    pub(crate) fn give_evidence(&mut self, evidence: Option<Evidence>) {
        self.memo.evidence = evidence;
    }

    /// What came of a signature that is verified outside.
    pub(crate) fn verified(&mut self, is_right: bool) {
        self.memo.is_verified = Some(is_right);
    }

    /// What a server said of the token that is judged.
    pub(crate) fn introspected(&mut self, answer: Introspected) {
        self.memo.introspected = Some(answer);
    }

    /// The same of the token that is judged next.
    #[cfg(feature = "wasm")]
    pub(crate) fn introspected_next(&mut self, answer: Introspected) {
        self.next = Some(answer);
    }

    /// The keys of a section that are held, or whether to fetch them.
    pub(super) fn keys(&mut self, section: usize, now: Timestamp) -> Held {
        let Some(fetched) = self.fetched.get_mut(section) else {
            return Held::Wanted;
        };
        // A clock that went back must not stop everything, or keep keys young, until it is there again. A request that waited is a little behind.
        let latest = now.0.saturating_add(LONGEST_WAIT);
        let settled = |time: u64| if time > latest { now.0 } else { time };
        fetched.attempted = fetched.attempted.map(settled);
        fetched.at = settled(fetched.at);
        let rest = fetched.cool_down(now);
        let age = now.0.saturating_sub(fetched.at);
        match &fetched.keys {
            Some(keys) if age < MAX_AGE => Held::Keys(Arc::clone(keys)),
            _ if rest == 0 => Held::Wanted,
            Some(keys) if age < MAX_STALE && fetched.has_failed => Held::Keys(Arc::clone(keys)),
            _ => Held::Unavailable(rest),
        }
    }

    /// True if keys may be fetched for a `kid` that the held ones do not have.
    pub(super) fn may_fetch(&self, section: usize, now: Timestamp) -> bool {
        self.fetched
            .get(section)
            .is_none_or(|fetched| fetched.cool_down(now) == 0)
    }

    /// Keeps the keys of an answer, or that there was none that can be used.
    pub(crate) fn keep_keys(
        &mut self,
        section: usize,
        rules: &TokenSection,
        now: Timestamp,
        answer: Option<TokenAnswer<'_>>,
    ) -> Result<KeysKept, AnswerError> {
        let Some(fetched) = self.fetched.get_mut(section) else {
            return Err(AnswerError::None);
        };
        fetched.attempted = Some(now.0);
        fetched.has_failed = true;
        let (keys, thumbprints) = answer::keys(answer, &rules.pins)?;
        if !keys.fits_any(&rules.algorithms) {
            return Err(AnswerError::Unfit);
        }
        let digest = digest(&SHA256, answer.map_or(&[][..], |answer| answer.body))
            .as_ref()
            .to_vec();
        fetched.has_failed = false;
        fetched.at = now.0;
        let is_new = fetched.digest != digest || fetched.keys.is_none();
        if is_new {
            fetched.keys = Some(Arc::new(keys));
            fetched.digest = digest;
        }
        Ok(KeysKept { thumbprints, is_new })
    }

    /// When the keys of a section are due to be fetched on the side, if they are held.
    pub(crate) fn refresh_at(&self, section: usize) -> Option<Timestamp> {
        let fetched = self.fetched.get(section)?;
        fetched.keys.as_ref()?;
        let wait = if fetched.has_failed { COOL_DOWN } else { REFRESH_AFTER };
        Some(Timestamp(fetched.attempted?.saturating_add(wait)))
    }

    /// Further ahead than keys are ever due, the time is of a clock that went back: keys from then would never grow old. Keys that do for no request any
    /// longer are not renewed beside one: the next request waits for others.
    pub(crate) fn is_refresh_due(&self, section: usize, now: Timestamp) -> bool {
        let does = |fetched: &Fetched| now.0.saturating_sub(fetched.at) < MAX_STALE;
        self.fetched.get(section).is_some_and(does)
            && self.refresh_at(section).is_some_and(|due| {
                let ahead = due.0.saturating_sub(now.0);
                ahead == 0 || ahead > REFRESH_AFTER.saturating_add(LONGEST_WAIT)
            })
    }

    /// Marks that keys are being fetched on the side: until then, the held ones do.
    pub(crate) fn refreshing(&mut self, section: usize, now: Timestamp) {
        if let Some(fetched) = self.fetched.get_mut(section) {
            fetched.attempted = Some(now.0);
            fetched.has_failed = true;
        }
    }

    /// The hash by which a token is kept; none if it is not.
    pub(super) fn hash(&self, token: &[u8]) -> Option<TokenHash> {
        if !self.is_caching {
            return None;
        }
        digest(&SHA256, token).as_ref().try_into().ok()
    }

    /// What was found of a token before, if that counts still.
    pub(super) fn seen(&self, section: usize, hash: &TokenHash, now: Timestamp) -> Option<Arc<Verified>> {
        let kept = self.cache.entries.get(&(section, *hash))?;
        let counts = now.0 < kept.until && now.0 >= kept.from;
        counts.then(|| Arc::clone(&kept.verified))
    }

    /// Keeps what was found of a token.
    pub(super) fn keep(&mut self, section: usize, hash: TokenHash, verified: &Arc<Verified>, now: Timestamp) {
        let lifetime = if verified.keys.is_some() {
            KEPT_JWS
        } else {
            KEPT_INTROSPECTION
        };
        let until = now
            .0
            .saturating_add(lifetime)
            .min(verified.dates.expires.seconds().unwrap_or(0));
        let share = CAPACITY.checked_div(self.fetched.len()).unwrap_or(0);
        let kept = Kept {
            verified: Arc::clone(verified),
            from: now.0,
            until,
            weight: verified.length.saturating_mul(4).saturating_add(ENTRY_WEIGHT),
        };
        self.cache.insert((section, hash), kept, share, now.0);
    }
}

impl Fetched {
    /// How many seconds nothing is fetched yet.
    fn cool_down(&self, now: Timestamp) -> u64 {
        let until = self
            .attempted
            .map_or(0, |attempted| attempted.saturating_add(COOL_DOWN));
        until.saturating_sub(now.0)
    }
}

/// The full SHA-256 of a token.
pub(super) type TokenHash = [u8; 32];

/// Tokens that were verified, by section and hash.
#[derive(Default)]
struct Cache {
    /// Not against flooding: only tokens get in that their issuers vouch for.
    entries: FxHashMap<(usize, TokenHash), Kept>,
    /// What the entries of each section weigh.
    weights: Vec<(usize, usize)>,
    /// When what is over was last thrown out.
    swept: u64,
}

struct Kept {
    verified: Arc<Verified>,
    from: u64,
    until: u64,
    weight: usize,
}

impl Cache {
    /// Adds an entry, if the section's share has room for it: one that counts is not pushed out.
    fn insert(&mut self, key: (usize, TokenHash), kept: Kept, share: usize, now: u64) {
        if self.weight(key.0).saturating_add(kept.weight) > share && self.swept != now {
            self.sweep(now);
        }
        let weight = self.weight(key.0).saturating_add(kept.weight);
        if weight > share {
            return;
        }
        let (section, added) = (key.0, kept.weight);
        let replaced = self.entries.insert(key, kept).map_or(0, |earlier| earlier.weight);
        self.weigh(section, |total| total.saturating_add(added).saturating_sub(replaced));
    }

    fn weigh(&mut self, section: usize, change: impl FnOnce(usize) -> usize) {
        match self.weights.iter_mut().find(|(other, _)| *other == section) {
            Some((_, total)) => *total = change(*total),
            None => self.weights.push((section, change(0))),
        }
    }

    fn weight(&self, section: usize) -> usize {
        let mut weights = self.weights.iter();
        weights
            .find(|(other, _)| *other == section)
            .map_or(0, |(_, weight)| *weight)
    }

    /// Throws out what is over.
    fn sweep(&mut self, now: u64) {
        self.swept = now;
        self.entries.retain(|_, kept| now < kept.until);
        self.weights.clear();
        let weights: Vec<_> = self
            .entries
            .iter()
            .map(|((section, _), kept)| (*section, kept.weight))
            .collect();
        for (section, weight) in weights {
            self.weigh(section, |total| total.saturating_add(weight));
        }
    }
}

impl fmt::Debug for TokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenStore").finish_non_exhaustive()
    }
}
