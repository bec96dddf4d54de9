//! `hostbound explain`: what every check finds in one request, and where the policy says so.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::styling::Style;
use hostbound::{Check, Decision, Explanation, Guard, NeedsBody, Outcome, Reason, RequestDocument, Step, Timestamp};

use super::decide::summary;
use crate::answers::{OfflineArgs, Run};
use crate::args::Format;
use crate::clock;
use crate::color::{BAD, FAINT, GOOD};
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{self, printable};
use crate::policy::PolicyArgs;
use crate::secrets::SecretsArgs;
use crate::shorthand::Shorthand;

/// Show what every check finds in one request
///
/// The request is one JSON, from a file or standard input, or it is told as to curl: a method, a URL or target, and header fields.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, override_usage = "hostbound explain [OPTIONS] [FILE]\n       hostbound explain [OPTIONS] METHOD URL")]
pub(crate) struct Explain {
    /// A file with one request in JSON, or a method and a URL [default: standard input]
    #[arg(value_name = "FILE | METHOD")]
    first: Option<String>,

    /// A URL, or the raw request target
    #[arg(value_name = "URL")]
    url: Option<String>,

    #[command(flatten)]
    shorthand: Shorthand,

    /// The address of the transport connection, or `unix` [default: not known]
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<String>,

    /// A file with the body; `-` is standard input [default: no body]
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// When the request is judged, in Unix seconds [default: as the request says, else the clock]
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,

    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    secrets: SecretsArgs,

    #[command(flatten)]
    offline: OfflineArgs,

    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

const EXAMPLES: &str = "\
Examples:
  hostbound explain GET http://127.0.0.1:8080/path -H 'Host: evil.test' --peer 127.0.0.1
  hostbound explain POST https://api.example.com/orders -H 'Origin: https://evil.test'
  hostbound explain request.json";

impl Explain {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        // Before the policy is read: what cannot be asked needs no answer.
        let request = self.request()?;
        let guard = self.policy.guard_with(&self.secrets)?;
        let explanation = self.explain(&guard, &request)?;
        match self.format {
            Format::Json => serde_json::to_string(&explanation)
                .map_err(io::Error::from)
                .and_then(|json| output::line(&json)),
            Format::Human => {
                let policy = guard.policy();
                let has_credentials = policy.signatures().next().is_some() || policy.tokens().next().is_some();
                print(&explanation, has_credentials)
            }
        }
        .map_err(Failure::Output)?;
        self.hint(&explanation);
        Ok(match explanation.verdict.decision {
            Decision::Allow => Exit::Clean,
            Decision::Deny => Exit::Findings,
        })
    }

    /// A body in a file is read only if it is asked for, and never held as a whole.
    fn explain(&self, guard: &Guard, document: &RequestDocument) -> Result<Explanation, Failure> {
        let headers = document.headers();
        let request = document.request(&headers);
        let now = match self.now.map(Timestamp).or(document.now()) {
            Some(now) => now,
            None => clock::now()?,
        };
        let mut read = Ok(());
        let feed = |needs: &mut NeedsBody<'_>| match &self.body {
            None => needs.update(document.body()),
            Some(path) => {
                read = Input::open(Some(path)).and_then(|input| {
                    input.read_chunks(|chunk| {
                        needs.update(chunk);
                        !needs.is_over_limit()
                    })
                });
            }
        };
        let fetcher = self.offline.fetcher(guard, self.policy.folder());
        let mut run = Run::new(Timestamp(0)).asking(fetcher);
        let id = document.id.as_deref();
        let explanation = guard.explain_request(&request, id, Some(now), feed, &mut run.answers(document));
        read.map(|()| explanation)
    }

    fn request(&self) -> Result<RequestDocument, Failure> {
        if let (Some(method), Some(url)) = (&self.first, &self.url) {
            return self
                .shorthand
                .request(method, url, self.peer.as_deref())
                .map_err(Failure::Usage);
        }
        if let Some(url) = self.first.as_ref().filter(|word| word.contains("://")) {
            return Err(Failure::Usage(format!(
                "a method goes before the URL: hostbound explain GET {url}"
            )));
        }
        if self.shorthand.is_given() || self.peer.is_some() || self.body.is_some() {
            return Err(Failure::Usage(
                "-H, --peer, --scheme, --http and --body go with a method and a URL".into(),
            ));
        }
        let path = self.first.as_deref().map(Path::new);
        let json = Input::open(path)?.read_one()?;
        RequestDocument::from_json(&json).map_err(|error| Failure::Input(format!("this is no request: {error}")))
    }

    /// The one thing that is easily forgotten.
    fn hint(&self, explanation: &Explanation) {
        let is_failed_peer = |step: &Step| step.check == Check::Peer && step.outcome == Outcome::Fail;
        if self.url.is_some() && self.peer.is_none() && explanation.steps.iter().any(is_failed_peer) {
            output::say("help: the policy judges the peer; say who connects with --peer ADDRESS");
        }
    }
}

/// Checks of credentials are left out where the policy never asks for any.
fn print(explanation: &Explanation, has_credentials: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let is_shown = |step: &&Step| {
        has_credentials
            || !matches!(
                step.check,
                Check::Signature | Check::Token | Check::Claims | Check::Nonce
            )
    };
    let steps: Vec<_> = explanation.steps.iter().filter(is_shown).collect();
    let width = steps.iter().map(|step| step.check.as_str().len()).max().unwrap_or(0) + 2;
    for step in steps {
        let (word, style) = word(step.outcome);
        writeln!(
            out,
            "{style}{word}{style:#}  {:<width$}{}{}",
            step.check.as_str(),
            told(step.reason, &step.note),
            place(step.rule.as_deref(), step.place.as_deref())
        )?;
        let width = step
            .findings
            .iter()
            .map(|finding| finding.name.len())
            .max()
            .unwrap_or(0)
            + 2;
        for finding in &step.findings {
            let (word, style) = self::word(finding.outcome);
            writeln!(
                out,
                "        {style}{word}{style:#}  {:<width$}{}{}",
                finding.name,
                told(finding.reason, &finding.note),
                place(Some(&finding.rule), finding.place.as_deref())
            )?;
        }
    }
    let verdict = &explanation.verdict;
    writeln!(out, "\nverdict  {}", summary(verdict))?;
    match verdict.public_reason {
        Some(reason) => writeln!(out, "answer   {} {reason}", verdict.status),
        None => writeln!(out, "answer   the service's own"),
    }?;
    out.flush()
}

const fn word(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Pass => ("pass", GOOD),
        Outcome::Fail => ("FAIL", BAD),
        Outcome::Skip => ("skip", FAINT),
    }
}

fn told(reason: Option<Reason>, note: &str) -> String {
    let reason = reason.map_or_else(String::new, |reason| format!("{reason}: "));
    format!("{reason}{}", printable(note, 500))
}

/// The entry of the policy that decided, and its line.
fn place(rule: Option<&str>, place: Option<&str>) -> String {
    match (rule, place) {
        (Some(rule), Some(place)) => format!("  {FAINT}({rule}, {place}){FAINT:#}"),
        (Some(rule), None) => format!("  {FAINT}({rule}, by default){FAINT:#}"),
        (None, _) => String::new(),
    }
}
