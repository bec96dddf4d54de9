//! What a case, a service and a run came to.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::case::{BrowserKind, Case, GuardKind};
use crate::log::Logs;

/// How a case ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The page read what the target answered: nobody stopped it.
    ReachedReadable,
    /// The request arrived under the foreign name and was refused: by the service or its policy.
    ReachedRefused,
    /// The name led to the target, and the browser sent nothing: says nothing about the service.
    BlockedByBrowser,
    /// The browser asks the user.
    Prompted,
    /// The target's address never came out of the resolver.
    FilteredByResolver,
    /// The browser never asked for the name again: no defence, the time was too short.
    NotRequeried,
    /// The target did not answer even under its own name.
    NotRunning,
    /// The logs do not say.
    Inconclusive,
}

impl Outcome {
    /// What is sure about the service first.
    pub const ALL: [Self; 8] = [
        Self::ReachedReadable,
        Self::ReachedRefused,
        Self::BlockedByBrowser,
        Self::Prompted,
        Self::FilteredByResolver,
        Self::NotRequeried,
        Self::NotRunning,
        Self::Inconclusive,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReachedReadable => "reached_readable",
            Self::ReachedRefused => "reached_refused",
            Self::BlockedByBrowser => "blocked_by_browser",
            Self::Prompted => "prompted",
            Self::FilteredByResolver => "filtered_by_resolver",
            Self::NotRequeried => "not_requeried",
            Self::NotRunning => "not_running",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Who stopped it, in words.
    #[must_use]
    pub const fn stopped_by(self) -> &'static str {
        match self {
            Self::ReachedReadable => "nobody",
            Self::ReachedRefused => "the service",
            Self::BlockedByBrowser => "the browser",
            Self::Prompted => "the user, who was asked",
            Self::FilteredByResolver => "the resolver",
            Self::NotRequeried => "a cache, for now",
            Self::NotRunning => "nobody: nothing was attacked",
            Self::Inconclusive => "unknown",
        }
    }
}

/// What stands at a target's address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TargetKind {
    /// The lab's own service, which holds a secret and checks nothing: the negative control.
    Canary,
    /// The canary behind a guard.
    Guarded { guard: GuardKind },
    /// A service of this machine.
    Service { address: SocketAddr },
}

impl TargetKind {
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        matches!(self, Self::Guarded { .. })
    }
}

/// A target of a run, and what it answered before the attack.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Target {
    pub name: String,
    #[serde(flatten)]
    pub kind: TargetKind,
    /// The status under its own name; None: no answer.
    pub own_name_status: Option<u16>,
    /// The status under a foreign name; None: no answer.
    pub foreign_name_status: Option<u16>,
    /// The same for WebSocket handshakes; 101 where the target has WebSockets.
    pub own_name_upgrade: Option<u16>,
    pub foreign_name_upgrade: Option<u16>,
    /// What kept it from running, if something is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Target {
    /// Whether it answered under its own name, be it by WebSocket alone.
    #[must_use]
    pub const fn answers(&self) -> bool {
        self.own_name_status.is_some() || matches!(self.own_name_upgrade, Some(101))
    }
}

/// What a case came to, with its evidence.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CaseResult {
    pub case: Case,
    /// The name that was rebound, with its port.
    pub authority: String,
    pub outcome: Outcome,
    /// One sentence a line: what the outcome stands on, the strongest first.
    pub evidence: Vec<String>,
    pub logs: Logs,
}

/// What the cases say about one service, whatever the browser did.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceVerdict {
    /// The bare canary, and at least one case read it: the rig can rebind, and that is no finding.
    Control,
    /// At least one case read it.
    Vulnerable,
    /// Requests under a foreign name arrived, and all of them were refused.
    Refuses,
    /// No request arrived: the service itself was not tested.
    NotTested,
}

impl ServiceVerdict {
    pub const ALL: [Self; 4] = [Self::Control, Self::Vulnerable, Self::Refuses, Self::NotTested];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Vulnerable => "vulnerable",
            Self::Refuses => "refuses",
            Self::NotTested => "not_tested",
        }
    }
}

/// One service and what was found of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServiceResult {
    pub target: Target,
    pub verdict: ServiceVerdict,
    /// One sentence for people.
    pub summary: String,
}

/// What the run as a whole says.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The rig can rebind, and every service under test refused.
    Safe,
    /// A service under test was read.
    Vulnerable,
    /// The rig could not be shown to work, or a service was not tested.
    Inconclusive,
}

impl Conclusion {
    pub const ALL: [Self; 3] = [Self::Safe, Self::Vulnerable, Self::Inconclusive];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Vulnerable => "vulnerable",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The browser of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BrowserFacts {
    pub kind: BrowserKind,
    /// As it says of itself, as `156.0.8078.108`.
    pub version: String,
}

/// A whole run: what reports are made from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Run {
    /// Of this form: 1.
    pub format: u32,
    /// The version of Hostbound.
    pub hostbound: String,
    /// RFC 3339, in UTC.
    pub started: String,
    pub duration_ms: u64,
    pub browser: BrowserFacts,
    /// The policy whose verdicts are given, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub services: Vec<ServiceResult>,
    pub cases: Vec<CaseResult>,
    pub conclusion: Conclusion,
    /// Why, one sentence a line.
    pub reasons: Vec<String>,
}
