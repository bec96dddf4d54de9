//! `hostbound egress`: one outbound request a line in, one verdict a line out, in order and in constant memory.

use clap::Args;
use hostbound::{Decision, EgressDocument, EgressVerdictDocument};

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output::printable;
use crate::stream::{JudgedLine, StreamArgs};

/// Judge outbound requests, one JSON a line
///
/// Connects nowhere and looks nothing up: the addresses that a name resolved to stand in the request. Writes one verdict a line, in order. A line that
/// is no request gets a verdict too (deny, 400, request_malformed), so that the lines of output and input correspond; blank lines are passed over. Ends
/// with 0 if all are allowed, 1 if some are denied, 3 if some lines are no request.
#[derive(Args, Debug)]
pub(crate) struct Egress {
    #[command(flatten)]
    stream: StreamArgs,
}

impl Egress {
    pub(super) fn format_of_words(&self) -> Format {
        self.stream.format_of_words()
    }

    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let guard = self.stream.policy.guard()?;
        self.stream
            .run(&guard, |line| Ok(guard.judge_egress(&EgressDocument::from_json(line)?)))
    }
}

impl JudgedLine for EgressVerdictDocument {
    fn decision(&self) -> Decision {
        self.decision
    }

    fn is_reported(&self) -> bool {
        !self.reported.is_empty()
    }

    /// Decision, what decided, where to connect, the request's id. The URL is left out: its path and query may be secrets.
    fn summary(&self) -> String {
        let mut words = match self.decision {
            Decision::Allow => "allow".to_owned(),
            Decision::Deny => "deny".to_owned(),
        };
        if let (Some(reason), Some(detail)) = (self.reason, &self.detail) {
            words.push_str(&format!(" {reason}: {detail}"));
        }
        if let Some(identity) = &self.identity {
            words.push_str(&format!(" host {} port {}", identity.host, identity.port));
            if let Some(addresses) = &identity.addresses {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                words.push_str(&format!(" at {}", addresses.join(", ")));
            }
        }
        for report in &self.reported {
            words.push_str(&format!(" (reported: {}: {})", report.reason, report.detail));
        }
        if let Some(id) = &self.id {
            words.push_str(&format!(" [{}]", printable(id, 100)));
        }
        words
    }
}
