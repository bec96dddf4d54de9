//! The trace of a judgement: what every check found, also past the first failure.

use serde::Serialize;

use super::{Guard, Inspection, Pass, Trial};
use crate::origin::OriginPass;
use crate::request::RequestDocument;
use crate::verdict::{Check, Reason, VerdictDocument};

/// A verdict and what led to it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The verdict, as [`Guard::decide`] gives it.
    pub verdict: VerdictDocument,
    /// One step a check, in order.
    pub steps: Vec<Step>,
}

/// What one check found.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The check.
    pub check: Check,
    /// Whether it passed.
    pub outcome: Outcome,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// The entry of the policy that decided, as a dotted path.
    pub rule: Option<String>,
    /// Where that entry stands, as `file:line`; null if it is a default.
    pub place: Option<String>,
    /// One line for a person.
    pub note: String,
    /// True for the first failure: the one that gives the verdict.
    pub decides: bool,
}

/// Whether a check passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It had nothing to judge.
    Skip,
}

impl Guard {
    /// Judges a request in JSON form and says what every check found. Checks after a failing one run on what is known; after a failing check `request` nothing
    /// is.
    #[must_use]
    pub fn explain(&self, document: &RequestDocument) -> Explanation {
        let headers = document.headers();
        let request = document.request(&headers);
        let Inspection::Decided(verdict) = self.inspect(&request, document.now());
        let mut trial = Trial::new(&self.policy, &request);
        let mut steps = Vec::new();
        let mut has_failed = false;
        for check in Check::ALL {
            if check != Check::Request && trial.head.is_none() {
                steps.push(self.step(
                    check,
                    Outcome::Skip,
                    None,
                    "not judged: there is no request to judge".into(),
                ));
                continue;
            }
            match trial.run(check) {
                Ok(pass) => {
                    let outcome = match pass {
                        Pass::Skipped(_) | Pass::Origin(OriginPass::Unchecked) => Outcome::Skip,
                        _ => Outcome::Pass,
                    };
                    let (rule, note) = self.describe(pass, &trial);
                    steps.push(self.step(check, outcome, rule, note));
                }
                Err(failure) => {
                    let rule = failure.rule().map(Into::into);
                    let step = self.step(check, Outcome::Fail, rule, failure.detail().to_string());
                    steps.push(Step {
                        reason: Some(failure.reason()),
                        decides: !has_failed,
                        ..step
                    });
                    has_failed = true;
                }
            }
        }
        Explanation {
            verdict: verdict.document(document.id.as_deref()),
            steps,
        }
    }

    fn step(&self, check: Check, outcome: Outcome, rule: Option<String>, note: String) -> Step {
        let place = rule.as_ref().and_then(|rule| self.policy.place_of(rule));
        Step {
            check,
            outcome,
            reason: None,
            rule,
            place,
            note,
            decides: false,
        }
    }

    fn describe(&self, pass: Pass, trial: &Trial<'_>) -> (Option<String>, String) {
        let host = || trial.identity.host.map(|host| host.to_string()).unwrap_or_default();
        match pass {
            Pass::Skipped(why) => (None, why.into()),
            Pass::Request => (None, "well-formed, within the limits".into()),
            Pass::Host { entry } => (Some(format!("hosts.allow[{entry}]")), format!("host is {}", host())),
            Pass::Forwarded { entry } => (
                Some(format!("hosts.allow[{entry}]")),
                format!("forwarded host of a trusted proxy is {}", host()),
            ),
            Pass::Exempt { entry } => (
                Some(format!("hosts.exempt[{entry}]")),
                "not a host that is allowed, but an exempt path from an exempt peer".into(),
            ),
            Pass::Peer { entry } => (Some(format!("peers.allow[{entry}]")), "peer is allowed".into()),
            Pass::Origin(pass) => {
                let (rule, note) = match pass {
                    OriginPass::Unchecked => ("origins.check", "the check is off"),
                    OriginPass::Listed => ("origins.allow", "Origin is listed"),
                    OriginPass::OwnOrigin => ("origins.allow", "Origin is the host's own (`self`)"),
                    OriginPass::FetchSite => ("origins.fetch_site", "no Origin; Sec-Fetch-Site is listed"),
                    OriginPass::Navigation => ("origins.navigate", "no Origin; a plain link from elsewhere"),
                    OriginPass::Absent => (
                        "origins.absent",
                        "neither Origin nor Sec-Fetch-Site: a program, not a page",
                    ),
                };
                (Some(rule.into()), note.into())
            }
            Pass::Route { entry, preflight } => {
                let name = trial.identity.route.unwrap_or_default();
                let as_preflight = if preflight { "preflight for " } else { "" };
                (Some(format!("routes[{entry}]")), format!("{as_preflight}route {name}"))
            }
            Pass::Preflight => (None, "a preflight; the policy has no routes section".into()),
        }
    }
}
