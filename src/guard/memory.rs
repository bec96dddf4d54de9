//! Judging a request to its end: what is kept from one request to the next, and what answers a judgement's questions.

use super::{Guard, Inspection, NeedsBody, NeedsNonce};
use crate::request::{Request, RequestDocument, Timestamp};
use crate::signature::{ClaimOutcome, MemoryReplay};
use crate::verdict::Verdict;
#[cfg(feature = "tokens")]
use crate::{
    guard::TokenQuestion,
    token::{AnswerError, KeysKept, OwnedAnswer, TokenStore},
};

/// What a guard keeps from one request to the next, in one process.
#[derive(Debug)]
pub struct Memory {
    /// Nonces that were used.
    pub replay: MemoryReplay,
    /// Keys that were fetched, and tokens that were verified.
    #[cfg(feature = "tokens")]
    pub tokens: TokenStore,
}

impl Memory {
    /// Empty. `epoch` is since when the replay store has kept every claim, in Unix seconds.
    #[must_use]
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            replay: MemoryReplay::new(epoch),
            #[cfg(feature = "tokens")]
            tokens: TokenStore::new(),
        }
    }

    /// Answers from here, and of other servers from what the document says that they answer.
    pub fn with_answers_of<'m>(&'m mut self, document: &'m RequestDocument) -> impl Answers {
        InMemory::new(self, Some(document))
    }
}

/// What answers the questions of a judgement.
pub trait Answers {
    /// What a replay store makes of a claim, and since when it has kept every claim.
    fn claim(&mut self, needs: &NeedsNonce<'_>) -> (ClaimOutcome, Timestamp);

    /// What is kept of tokens.
    #[cfg(feature = "tokens")]
    fn tokens(&mut self) -> &mut TokenStore;

    /// What another server answers; none if it gives no answer.
    #[cfg(feature = "tokens")]
    fn ask(&mut self, question: &TokenQuestion<'_>) -> Option<OwnedAnswer>;

    /// What became of the keys that were asked for last, of a `tokens` section: for a log.
    #[cfg(feature = "tokens")]
    fn keys_kept(&mut self, section: &str, kept: &Result<KeysKept, AnswerError>) {
        let _ = (section, kept);
    }

    /// What became of the answer about a token that was asked for last: for a log.
    #[cfg(feature = "tokens")]
    fn introspected(&mut self, section: &str, kept: &Result<(), AnswerError>) {
        let _ = (section, kept);
    }
}

/// Answers from memory, and from what the request's document brings along.
#[cfg_attr(not(feature = "tokens"), expect(dead_code, reason = "no policy has tokens then"))]
pub(super) struct InMemory<'m> {
    memory: &'m mut Memory,
    document: Option<&'m RequestDocument>,
    /// Whether claims are made; else it is only said what would become of them.
    is_claiming: bool,
}

impl<'m> InMemory<'m> {
    pub(super) const fn new(memory: &'m mut Memory, document: Option<&'m RequestDocument>) -> Self {
        Self {
            memory,
            document,
            is_claiming: true,
        }
    }

    pub(super) const fn looking(memory: &'m mut Memory, document: &'m RequestDocument) -> Self {
        Self {
            memory,
            document: Some(document),
            is_claiming: false,
        }
    }
}

impl Answers for InMemory<'_> {
    fn claim(&mut self, needs: &NeedsNonce<'_>) -> (ClaimOutcome, Timestamp) {
        let replay = &mut self.memory.replay;
        let outcome = if self.is_claiming {
            needs.claim_outcome_in(replay)
        } else {
            needs.claim_outcome_in(&mut replay.clone())
        };
        (outcome, replay.epoch())
    }

    #[cfg(feature = "tokens")]
    fn tokens(&mut self) -> &mut TokenStore {
        &mut self.memory.tokens
    }

    #[cfg(feature = "tokens")]
    fn ask(&mut self, question: &TokenQuestion<'_>) -> Option<OwnedAnswer> {
        self.document?.answer_to(question)
    }
}

impl Guard {
    /// Judges a request that is there as a whole, with answers of the caller's.
    #[must_use]
    pub fn judge_with<'a>(
        &'a self,
        request: &Request<'a>,
        now: Option<Timestamp>,
        body: &[u8],
        answers: &mut impl Answers,
    ) -> Verdict<'a> {
        let inspection = self.begin(request, now, answers);
        let (verdict, _) = Self::conclude(inspection, |needs| needs.update(body), answers);
        verdict
    }

    #[cfg_attr(
        not(feature = "tokens"),
        expect(unused_variables, reason = "no policy has tokens then")
    )]
    pub(super) fn begin<'a>(
        &'a self,
        request: &Request<'a>,
        now: Option<Timestamp>,
        answers: &mut impl Answers,
    ) -> Inspection<'a> {
        #[cfg(feature = "tokens")]
        return self.inspect_in(request, now, answers.tokens());
        #[cfg(not(feature = "tokens"))]
        return self.inspect(request, now);
    }

    /// Judges to the end what was inspected; and says whether a nonce was claimed for it.
    pub(super) fn conclude<'a>(
        mut inspection: Inspection<'a>,
        mut feed: impl FnMut(&mut NeedsBody<'a>),
        answers: &mut impl Answers,
    ) -> (Verdict<'a>, bool) {
        loop {
            inspection = match inspection {
                Inspection::Decided(verdict) => return (verdict, false),
                Inspection::NeedsBody(mut needs) => {
                    feed(&mut needs);
                    needs.finish()
                }
                Inspection::NeedsNonce(needs) => {
                    let (outcome, epoch) = answers.claim(&needs);
                    return (needs.answer(outcome, epoch), true);
                }
                #[cfg(feature = "tokens")]
                Inspection::NeedsKeys(needs) => {
                    let question = needs.question();
                    let answer = answers.ask(&question);
                    let answer = answer.as_ref().map(OwnedAnswer::borrowed);
                    // All of this is at the time of the request: a caller for whom time passes while it asks judges by [`Guard::inspect_in`].
                    let kept = needs.keep(answer, needs.now(), answers.tokens());
                    answers.keys_kept(question.section(), &kept);
                    needs.resume(answers.tokens())
                }
                #[cfg(feature = "tokens")]
                Inspection::NeedsIntrospection(mut needs) => {
                    let question = needs.question();
                    let answer = answers.ask(&question);
                    let answer = answer.as_ref().map(OwnedAnswer::borrowed);
                    let kept = needs.take(answer);
                    answers.introspected(question.section(), &kept);
                    needs.resume(answers.tokens())
                }
                #[cfg(feature = "tokens")]
                Inspection::NeedsVerification(needs) => {
                    let is_right = needs.is_right();
                    needs.resume(is_right, answers.tokens())
                }
            }
        }
    }
}
