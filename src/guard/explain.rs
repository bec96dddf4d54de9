//! The trace of a judgement: what every check found, also past the first failure.

use serde::Serialize;

use super::memory::InMemory;
use super::{Answers, Guard, Memory, NeedsBody, Pass, Trial};
use crate::origin::OriginPass;
use crate::request::{Request, RequestDocument, Timestamp};
#[cfg(feature = "tokens")]
use crate::token::{Found, TokenFinding};
use crate::verdict::{Check, Failure, Reason, Verdict, VerdictDocument};

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
    /// What each rule found, of a token that was judged: the first that failed is why the check did. Rules after it run where nothing depends on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// What one rule of a check found. Tells no value of a token but `alg`, `typ`, times and counts.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is about, such as `alg` or `exp`.
    pub name: &'static str,
    /// Whether it passed.
    pub outcome: Outcome,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// The entry of the policy that it goes by, as a dotted path.
    pub rule: String,
    /// Where that entry stands, as `file:line`; null if it is a default.
    pub place: Option<String>,
    /// One line for a person.
    pub note: String,
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
    /// Judges a request in JSON form and says what every check found. Checks after a failing one run on what is known, but for those of credentials; after
    /// a failing check `request` nothing is. Nonces are looked up in `memory` and not claimed there.
    #[must_use]
    pub fn explain(&self, document: &RequestDocument, memory: &mut Memory) -> Explanation {
        let headers = document.headers();
        let request = document.request(&headers);
        let feed = |needs: &mut NeedsBody<'_>| needs.update(document.body());
        let mut answers = InMemory::looking(memory, document);
        self.explain_request(&request, document.id.as_deref(), document.now(), feed, &mut answers)
    }

    /// The same for a request whose body is fed in chunk by chunk, if it is asked for, and with answers of the caller's.
    #[must_use]
    pub fn explain_request<'a>(
        &'a self,
        request: &Request<'a>,
        id: Option<&str>,
        now: Option<Timestamp>,
        feed: impl FnMut(&mut NeedsBody<'a>),
        answers: &mut impl Answers,
    ) -> Explanation {
        let inspection = self.begin(request, now, answers);
        let (verdict, has_claim) = Self::conclude(inspection, feed, answers);
        let mut trial = Trial::new(self, request, now);
        let mut steps = Vec::new();
        let mut has_failed = false;
        #[cfg(feature = "tokens")]
        let mut of_claims = Vec::new();
        for check in Check::ALL {
            let is_credential = check.is_of_route();
            // With what was found of the request when it was judged.
            #[cfg(feature = "tokens")]
            let mut run = |trial: &mut Trial<'a>| trial.run(check, answers.tokens());
            #[cfg(not(feature = "tokens"))]
            let run = |trial: &mut Trial<'a>| trial.run(check, &mut ());
            let outcome = if check != Check::Request && trial.head.is_none() {
                Ok(Pass::Skipped("not judged: there is no request to judge"))
            } else if is_credential && has_failed {
                Ok(Pass::Skipped("not judged: an earlier check failed"))
            } else if is_credential {
                run(&mut trial).and_then(|pass| settled(pass, &verdict, has_claim))
            } else {
                run(&mut trial)
            };
            #[cfg(feature = "tokens")]
            let findings = match check {
                Check::Token if !has_failed => {
                    let found = trial.trace_token(answers.tokens());
                    // Where a claim is why the token itself is refused, all of them belong to that.
                    let is_of_token = |found: &TokenFinding| outcome.is_err() || found.check == Check::Token;
                    let (of_token, others) = found.into_iter().partition(is_of_token);
                    of_claims = others;
                    of_token
                }
                Check::Claims => std::mem::take(&mut of_claims),
                _ => Vec::new(),
            };
            match outcome {
                Ok(pass) => {
                    let outcome = match pass {
                        Pass::Skipped(_) | Pass::Origin(OriginPass::Unchecked) => Outcome::Skip,
                        _ => Outcome::Pass,
                    };
                    let (rule, note) = self.describe(pass, &trial, &verdict);
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
            #[cfg(feature = "tokens")]
            if let Some(step) = steps.last_mut() {
                let is_chosen = |found: &TokenFinding| matches!(found.name, "signature" | "answer");
                if step.check == Check::Token && step.outcome == Outcome::Pass && !findings.iter().any(is_chosen) {
                    "well-formed, but of no issuer whose keys could be held against it".clone_into(&mut step.note);
                }
                step.findings = findings.into_iter().map(|found| self.finding(found)).collect();
            }
        }
        Explanation {
            verdict: verdict.document(id),
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
            findings: Vec::new(),
        }
    }

    #[cfg(feature = "tokens")]
    fn finding(&self, found: TokenFinding) -> Finding {
        let (outcome, reason) = match found.outcome {
            Found::Pass => (Outcome::Pass, None),
            Found::Fail(reason) => (Outcome::Fail, Some(reason)),
            Found::Nothing => (Outcome::Skip, None),
        };
        Finding {
            name: found.name,
            outcome,
            reason,
            place: self.policy.place_of(&found.rule),
            rule: found.rule,
            note: found.note,
        }
    }

    fn describe(&self, pass: Pass, trial: &Trial<'_>, verdict: &Verdict<'_>) -> (Option<String>, String) {
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
            Pass::Signature => {
                let section = trial.signed.as_ref().map(|signed| signed.context.section);
                let rule = section.map(|section| section.rules.section.clone());
                let identity = verdict.identity().and_then(|identity| identity.signature());
                let note = match identity {
                    Some(signature) => format!("signed with the key `{}`", signature.key_id()),
                    None if verdict.denied().is_some() => "the signature's head is as it must be".to_owned(),
                    None => "signed, in report mode".to_owned(),
                };
                (rule, note)
            }
            #[cfg(feature = "tokens")]
            Pass::Asks(_) => (None, "not judged: another server would have to be asked".into()),
            #[cfg(feature = "tokens")]
            Pass::Token if trial.is_opaque() => (None, "a server says what it is worth".into()),
            #[cfg(feature = "tokens")]
            Pass::Token => (None, "signed by a key of the policy".into()),
            #[cfg(feature = "tokens")]
            Pass::Claims => {
                let identity = verdict.identity();
                let token = identity.as_ref().and_then(|identity| identity.token());
                let name = token.map(|token| format!("tokens.{}", token.name()));
                (name, "the claims are as the policy wants them".into())
            }
            Pass::Later => {
                let section = trial.signed.as_ref().map(|signed| signed.context.section);
                (
                    section.map(|section| section.rules.replay.clone()),
                    "used for the first time".into(),
                )
            }
            Pass::Preflight => (None, "a preflight; the policy has no routes section".into()),
        }
    }
}

/// What became of a signature whose head passed. No earlier check failed, so that the verdict's failure, if it has one, is of the body or the nonce.
fn settled<'a>(pass: Pass, verdict: &Verdict<'a>, has_claim: bool) -> Result<Pass, Failure<'a>> {
    let failure = verdict.denied().or(verdict.reported());
    match (pass, failure) {
        (Pass::Signature, Some(failure)) if matches!(failure.reason().check(), Check::Request | Check::Signature) => {
            Err(failure)
        }
        (Pass::Later, Some(failure)) => Err(failure),
        (Pass::Later, None) if !has_claim => Ok(Pass::Skipped("nothing is used up")),
        (pass, _) => Ok(pass),
    }
}
