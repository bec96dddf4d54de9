//! What answers a judgement's questions in a run of the command: stores in memory or in Redis, and what requests bring along.

use hostbound::{
    Answers, ClaimOutcome, Memory, NeedsNonce, OwnedAnswer, RequestDocument, Timestamp, TokenQuestion, TokenStore,
};

use crate::replay::SharedReplay;

/// What is kept from one request of a run to the next.
pub(crate) struct Run {
    memory: Memory,
    shared: Option<SharedReplay>,
}

impl Run {
    /// With a replay store in memory, which has kept every claim since `epoch`.
    pub(crate) fn new(epoch: Timestamp) -> Self {
        Self {
            memory: Memory::new(epoch),
            shared: None,
        }
    }

    /// With a replay store in Redis.
    pub(crate) fn sharing(shared: SharedReplay) -> Self {
        Self {
            memory: Memory::new(Timestamp(0)),
            shared: Some(shared),
        }
    }

    /// The answers for one request.
    pub(crate) fn answers<'r>(&'r mut self, document: &'r RequestDocument) -> RunAnswers<'r> {
        RunAnswers { run: self, document }
    }
}

/// What answers the questions about one request.
pub(crate) struct RunAnswers<'r> {
    run: &'r mut Run,
    document: &'r RequestDocument,
}

impl Answers for RunAnswers<'_> {
    fn claim(&mut self, needs: &NeedsNonce<'_>) -> (ClaimOutcome, Timestamp) {
        match &mut self.run.shared {
            Some(shared) => shared.claim(needs),
            None => {
                let replay = &mut self.run.memory.replay;
                (needs.claim_outcome_in(replay), replay.epoch())
            }
        }
    }

    fn tokens(&mut self) -> &mut TokenStore {
        &mut self.run.memory.tokens
    }

    fn ask(&mut self, question: &TokenQuestion<'_>) -> Option<OwnedAnswer> {
        self.document.answer_to(question)
    }
}
