//! What a run does: the plan that goes into the namespace, and the events that come out of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::case::{BrowserKind, Case};
use crate::guard::GuardPlan;
use crate::verdict::{BrowserFacts, CaseResult, Target, TargetKind};

/// A plan.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    pub browser: BrowserKind,
    pub executable: PathBuf,
    pub targets: Vec<PlannedTarget>,
    /// Needed by targets that are guarded.
    pub guard: Option<GuardPlan>,
    pub cases: Vec<Case>,
    /// Cases at a time.
    pub parallel: usize,
    pub resolver: Resolver,
}

/// A target by name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PlannedTarget {
    pub name: String,
    pub kind: TargetKind,
    /// Where the names are rebound to; the lab listens there.
    pub address: std::net::IpAddr,
    /// A host under which it answers, for the request that shows that it runs.
    pub own_host: String,
    /// Fields that a canary adds to its answers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// Who answers the browser's questions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolver {
    /// The attacker's DNS server itself.
    #[default]
    Direct,
    /// A command that resolves at 127.0.0.1:53, with its arguments; `{upstream}` stands for the DNS server's address.
    Command(Vec<String>),
}

impl Plan {
    /// The services outside of the namespace, by their numbers.
    #[must_use]
    pub fn services(&self) -> Vec<SocketAddr> {
        self.targets
            .iter()
            .filter_map(|target| match target.kind {
                TargetKind::Service { address } => Some(address),
                TargetKind::Canary | TargetKind::Guarded { .. } => None,
            })
            .collect()
    }
}

/// What comes out while it runs, one a line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// What the targets answered before the attack.
    Targets {
        targets: Vec<Target>,
    },
    Browser {
        browser: BrowserFacts,
    },
    Case {
        result: Box<CaseResult>,
    },
    /// The run cannot go on.
    Failed {
        message: String,
    },
    Done,
}
