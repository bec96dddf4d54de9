//! `hostbound decide`: one request a line in, one verdict a line out, in order and in constant memory.

use clap::Args;
use hostbound::{Decision, RequestDocument, Timestamp, VerdictDocument};

use crate::answers::{OfflineArgs, Run};
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output::printable;
use crate::replay::SharedReplay;
use crate::secrets::SecretsArgs;
use crate::stream::{JudgedLine, StreamArgs};

/// Judge requests, one JSON a line
///
/// Writes one verdict a line, in order. A line that is no request gets a verdict too (deny, 400, request_malformed), so that the lines of output and
/// input correspond; blank lines are passed over. Nonces are used up within the run. Keys that the policy fetches, and what servers say of opaque tokens, are
/// asked for over the network, as `egress` allows, unless a request brings the answer along. Ends with 0 if all are allowed, 1 if some are denied, 3 if some lines are no request.
#[derive(Args, Debug)]
pub(crate) struct Decide {
    #[command(flatten)]
    stream: StreamArgs,

    #[command(flatten)]
    secrets: SecretsArgs,

    #[command(flatten)]
    offline: OfflineArgs,

    /// Since when the run's replay store has kept every claim, in Unix seconds: signatures from before are refused
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    epoch: u64,

    /// Use up nonces in this Redis, which other processes share, instead: redis://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with = "epoch")]
    replay: Option<String>,
}

impl Decide {
    pub(super) fn format_of_words(&self) -> Format {
        self.stream.format_of_words()
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let guard = self.stream.policy.guard_with(&self.secrets)?;
        let mut run = match &self.replay {
            Some(url) => Run::sharing(SharedReplay::connect(url)?),
            None => Run::new(Timestamp(self.epoch)),
        };
        run = run.asking(self.offline.fetcher(&guard, self.stream.policy.folder()));
        self.stream.run(&guard, |line| {
            let document = RequestDocument::from_json(line)?;
            Ok(guard.decide_with(&document, &mut run.answers(&document)))
        })
    }
}

impl JudgedLine for VerdictDocument {
    fn decision(&self) -> Decision {
        self.decision
    }

    fn is_reported(&self) -> bool {
        !self.reported.is_empty()
    }

    fn summary(&self) -> String {
        summary(self)
    }
}

/// A verdict in one line: decision, status, what decided, the request's id.
pub(super) fn summary(verdict: &VerdictDocument) -> String {
    let mut words = match verdict.decision {
        Decision::Allow => "allow".to_owned(),
        Decision::Deny => format!("deny {}", verdict.status),
    };
    if let (Some(reason), Some(detail)) = (verdict.reason, &verdict.detail) {
        words.push_str(&format!(" {reason}: {detail}"));
    }
    if let Some(identity) = &verdict.identity {
        if let Some(host) = &identity.host {
            words.push_str(&format!(" host {host}"));
        }
        if let Some(route) = &identity.route {
            words.push_str(&format!(" route {}", printable(route, 100)));
        }
        if let Some(signature) = &identity.signature {
            words.push_str(&format!(" signed by {} {}", signature.name, signature.key_id));
        }
        if identity.preflight {
            words.push_str(" preflight");
        }
    }
    for report in &verdict.reported {
        words.push_str(&format!(
            " (reported: {} {}: {})",
            report.status, report.reason, report.detail
        ));
    }
    if let Some(id) = &verdict.id {
        words.push_str(&format!(" [{}]", printable(id, 100)));
    }
    words
}
