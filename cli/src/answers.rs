//! What answers a judgement's questions in a run of the command: stores in memory or in Redis, what requests bring along, and other servers.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;

use clap::Args;
use hostbound::{
    AnswerError, Answers, ClaimOutcome, Guard, KeysKept, Memory, NeedsNonce, OwnedAnswer, RequestDocument, Timestamp,
    TokenQuestion, TokenStore,
};

use crate::fetch::{Fetcher, Method, Outgoing};
use crate::output::{printable, say};
use crate::replay::SharedReplay;

/// So many different messages about other servers are told in one run.
const MAX_MESSAGES: usize = 50;

/// Whether other servers are asked.
#[derive(Args, Debug)]
pub(crate) struct OfflineArgs {
    /// Ask no other server for keys or about tokens: only what requests bring along as `answers` counts
    #[arg(long)]
    offline: bool,
}

impl OfflineArgs {
    /// What asks other servers, if the policy needs that and it is allowed. Paths in the policy are relative to `folder`.
    pub(crate) fn fetcher(&self, guard: &Guard, folder: &Path) -> Option<Fetcher> {
        let is_asking = guard.policy().needs_fetching() && !self.offline;
        // Without the secrets: it has no use for them.
        is_asking.then(|| Fetcher::new(Guard::new(guard.policy().clone()), folder))
    }
}

/// What is kept from one request of a run to the next.
pub(crate) struct Run {
    memory: Memory,
    shared: Option<SharedReplay>,
    fetcher: Option<Fetcher>,
    voice: Voice,
}

impl Run {
    /// With a replay store in memory, which has kept every claim since `epoch`.
    pub(crate) fn new(epoch: Timestamp) -> Self {
        Self {
            memory: Memory::new(epoch),
            shared: None,
            fetcher: None,
            voice: Voice::default(),
        }
    }

    /// With a replay store in Redis.
    pub(crate) fn sharing(shared: SharedReplay) -> Self {
        Self {
            shared: Some(shared),
            ..Self::new(Timestamp(0))
        }
    }

    /// With other servers to ask.
    pub(crate) fn asking(self, fetcher: Option<Fetcher>) -> Self {
        Self { fetcher, ..self }
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
        if self.document.answers(question) {
            return self.document.answer_to(question);
        }
        let fetcher = self.run.fetcher.as_ref()?;
        fetched(fetcher, question, &mut self.run.voice)
    }

    fn keys_kept(&mut self, section: &str, kept: &Result<KeysKept, AnswerError>) {
        match kept {
            Ok(kept) if kept.is_new => {
                for thumbprint in &kept.thumbprints {
                    let what = format!("a key that is not pinned, with the thumbprint {thumbprint}");
                    self.run.voice.tell(section, &what);
                }
            }
            Ok(_) => {}
            Err(error) => self.run.voice.unusable(section, error),
        }
    }

    fn introspected(&mut self, section: &str, kept: &Result<(), AnswerError>) {
        if let Err(error) = kept {
            self.run.voice.unusable(section, error);
        }
    }
}

/// Asks another server: GET for keys, POST about a token.
fn fetched(fetcher: &Fetcher, question: &TokenQuestion<'_>, voice: &mut Voice) -> Option<OwnedAnswer> {
    let mut headers = Vec::new();
    headers.extend(question.authorization().map(|value| ("authorization", value)));
    if question.body().is_some() {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
    }
    let answer = fetcher.fetch(&Outgoing {
        url: question.url(),
        method: match question.body() {
            Some(_) => Method::Post,
            None => Method::Get,
        },
        headers: &headers,
        body: question.body().map(str::as_bytes),
    });
    match answer {
        Ok(answer) => {
            for report in &answer.reported {
                let what = format!("asked in report mode, else {}: {}", report.reason, report.detail);
                voice.tell(question.section(), &what);
            }
            Some(OwnedAnswer {
                status: answer.status,
                content_type: answer.content_type,
                body: answer.body,
            })
        }
        Err(error) => {
            voice.tell(question.section(), &format!("no answer: {error}"));
            None
        }
    }
}

/// Tells what is wrong with other servers' answers, each thing once in a run. Never has a token or a secret to tell.
#[derive(Default)]
struct Voice {
    said: HashSet<String>,
}

impl Voice {
    /// That no answer came was told by whoever asked; a request that says so itself needs no telling.
    fn unusable(&mut self, section: &str, error: &AnswerError) {
        if !matches!(error, AnswerError::None) {
            self.tell(section, &error.to_string());
        }
    }

    fn tell(&mut self, section: &str, what: &str) {
        let message = format!("warning: tokens.{section}: {}", printable(what, 500));
        if self.said.len() < MAX_MESSAGES && self.said.insert(message.clone()) {
            say(&message);
        }
    }
}
