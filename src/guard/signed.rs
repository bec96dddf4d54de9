//! What comes after the head of a signed request: its body, then its nonce.

use super::{Inspection, Trial};
use crate::request::{Request, Timestamp};
use crate::signature::{BodyProof, Claim, ClaimOutcome, MemoryReplay, SignedHead};
use crate::verdict::{Detail, Failure, Mode, Reason, Verdict};

/// A request whose head passed: what it still needs is its body, chunk by chunk. Takes constant memory, but for the first 64 KiB.
#[derive(Debug)]
pub struct NeedsBody<'a> {
    trial: Trial<'a>,
    signed: SignedHead<'a>,
    received: u64,
}

impl<'a> NeedsBody<'a> {
    /// Denies what no body can mend (contract §9, tail a and b).
    pub(super) fn begin(trial: Trial<'a>, signed: SignedHead<'a>) -> Inspection<'a> {
        let needs = Self {
            trial,
            signed,
            received: 0,
        };
        let is_unsigned = matches!(&needs.signed.proof, BodyProof::Digest(proof) if proof.signer().is_none());
        if is_unsigned {
            return needs.mismatch();
        }
        if needs.signed.content_length.is_some_and(|length| length > needs.limit()) {
            return needs.too_large();
        }
        Inspection::NeedsBody(Box::new(needs))
    }

    /// The request, without its body.
    #[must_use]
    pub const fn request(&self) -> &Request<'a> {
        &self.trial.request
    }

    /// The most bytes of body that can pass: `max_body` of the section.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.signed.context.section.max_body
    }

    /// True once more than [`NeedsBody::limit`] bytes came: the rest needs not be read, [`NeedsBody::finish`] denies.
    #[must_use]
    pub const fn is_over_limit(&self) -> bool {
        self.received > self.limit()
    }

    /// Takes the next bytes of the body, as they came.
    pub fn update(&mut self, chunk: &[u8]) {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        if !self.is_over_limit() {
            self.signed.proof.update(chunk);
        }
    }

    /// There is no more body.
    #[must_use]
    pub fn finish(self) -> Inspection<'a> {
        if self.is_over_limit() {
            return self.too_large();
        }
        if self.signed.content_length.is_some_and(|length| length != self.received) {
            let detail = Detail::text("the body is not as long as `content-length` says");
            let failure = Failure::new(Reason::RequestMalformed, detail);
            return Inspection::Decided(self.trial.failed(failure));
        }
        let Self {
            mut trial,
            signed,
            received,
        } = self;
        let has_body = received > 0;
        let context = signed.context;
        let rules = &context.section.rules;
        let deny = |reason, what, rule| Err(Failure::new(reason, Detail::text(what)).by(rule));
        let (proof, claimant) = signed.split();
        let key_id = match proof {
            BodyProof::Mac(proof) => proof.finish().ok_or(()).or_else(|()| {
                let what = "the signature is not that of this request";
                deny(Reason::SignatureMismatch, what, &rules.section)
            }),
            BodyProof::Digest(proof) if has_body && !proof.covers_body() => {
                let what = "the body is not covered by a signed `content-digest`";
                deny(Reason::ContentDigestMissing, what, &rules.section)
            }
            BodyProof::Digest(proof) => proof.finish().ok_or(()).or_else(|()| {
                let what = "the body is not the one of the signed `content-digest`";
                deny(Reason::ContentDigestMismatch, what, &rules.section)
            }),
        };
        let key_id = match key_id {
            Ok(_) if context.section.wants_content_type(received) && !claimant.has_content_type => {
                let what = "the body has no content type";
                deny(Reason::SignatureMalformed, what, &rules.content_types)
            }
            other => other,
        };
        let key_id = match key_id {
            Ok(key_id) => key_id,
            Err(failure) => return Inspection::Decided(trial.failed(failure)),
        };
        // In report mode nothing is proved and nothing used up.
        if trial.mode() == Mode::Report {
            return Inspection::Decided(trial.passed());
        }
        trial.identity.signature = Some(claimant.identity(key_id));
        match claimant.claim(key_id) {
            None => Inspection::Decided(trial.passed()),
            Some(claim) => Inspection::NeedsNonce(Box::new(NeedsNonce {
                trial,
                claim,
                rule: &rules.replay,
                now: context.now,
            })),
        }
    }

    fn too_large(self) -> Inspection<'a> {
        let rule = &self.signed.context.section.rules.max_body;
        let detail = Detail::text("the body is longer than the signature may cover");
        let failure = Failure::new(Reason::BodyTooLarge, detail).by(rule);
        Inspection::Decided(self.trial.failed(failure))
    }

    fn mismatch(self) -> Inspection<'a> {
        let rule = &self.signed.context.section.rules.section;
        let detail = Detail::text("the signature is not that of this request");
        let failure = Failure::new(Reason::SignatureMismatch, detail).by(rule);
        Inspection::Decided(self.trial.failed(failure))
    }
}

/// A request that passed everything, if it is the first to use its nonce.
#[derive(Debug)]
pub struct NeedsNonce<'a> {
    trial: Trial<'a>,
    claim: Claim,
    rule: &'a str,
    now: Timestamp,
}

impl<'a> NeedsNonce<'a> {
    /// What is to be claimed in the replay store.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The verdict, by what the store made of the claim, and since when it has kept every claim.
    #[must_use]
    pub fn answer(self, outcome: ClaimOutcome, epoch: Timestamp) -> Verdict<'a> {
        let Self {
            mut trial, claim, rule, ..
        } = self;
        let unavailable = |what| {
            Failure::new(Reason::ReplayStoreUnavailable, Detail::text(what))
                .by(rule)
                .retry_after(claim.retry_after())
        };
        let failure = match outcome {
            _ if claim.is_before(epoch) => unavailable("the signature is older than the replay store"),
            ClaimOutcome::Made => return trial.passed(),
            ClaimOutcome::Present => {
                Failure::new(Reason::NonceReplayed, Detail::text("the nonce was used before")).by(rule)
            }
            ClaimOutcome::Full => unavailable("the replay store, or the key's share of it, is full"),
            ClaimOutcome::Failed => unavailable("the replay store cannot be asked"),
        };
        trial.identity.signature = None;
        trial.failed(failure)
    }

    /// The time at which the request is judged.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What a store in memory makes of the claim.
    pub fn claim_outcome_in(&self, store: &mut MemoryReplay) -> ClaimOutcome {
        store.claim(&self.claim, self.now)
    }

    /// The verdict, by a store in memory.
    #[must_use]
    pub fn claim_in(self, store: &mut MemoryReplay) -> Verdict<'a> {
        let outcome = self.claim_outcome_in(store);
        self.answer(outcome, store.epoch())
    }
}
