//! What the lab is to do: the work that goes into the namespace, and the events that come out of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::{BrowserKind, Case, GuardKind};
use crate::guard::GuardPlan;
use crate::verdict::{BrowserFacts, CaseResult, Target, TargetKind};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What is done in the namespace.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    Run(Plan),
    Page(PagePlan),
}

impl Work {
    /// Whether the lab may reach this service outside of its namespace.
    #[must_use]
    pub fn may_reach(&self, service: SocketAddr) -> bool {
        match self {
            Self::Run(plan) => plan
                .targets
                .iter()
                .any(|target| target.kind == TargetKind::Service { address: service }),
            // Which ones is said on the page, by whoever sits before it.
            Self::Page(_) => service.ip().is_loopback(),
        }
    }
}

/// What stands around the browser.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Surroundings {
    /// Needed by targets that are guarded.
    pub guard: Option<GuardPlan>,
    pub resolver: Resolver,
}

/// The plan of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    pub browser: BrowserKind,
    pub executable: PathBuf,
    pub surroundings: Surroundings,
    pub targets: Vec<PlannedTarget>,
    pub cases: Vec<Case>,
    /// Cases at a time.
    pub parallel: usize,
}

/// The self-test page in a browser of its own: what is attacked is said on the page.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PagePlan {
    pub browser: BrowserKind,
    pub executable: PathBuf,
    pub surroundings: Surroundings,
    /// The folder of the page.
    pub www: PathBuf,
    /// Where files go that somebody has the browser save.
    pub downloads: PathBuf,
    /// The canary behind the guard, if there is to be one.
    pub guarded: Option<PlannedTarget>,
    /// A policy whose verdicts on what arrives are wanted.
    pub policy: Option<NamedPolicy>,
    pub window: Window,
}

/// A policy as people know it, and as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NamedPolicy {
    pub name: String,
    pub json: Value,
}

/// How the browser is shown.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Window {
    /// On a display; the variables of the environment that lead there.
    Shown(Vec<(String, String)>),
    /// Without a window.
    Headless,
}

/// A target by name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PlannedTarget {
    pub name: String,
    pub kind: TargetKind,
    /// Where the names are rebound to; the lab listens there.
    pub address: IpAddr,
    /// A host under which it answers, for the request that shows that it runs.
    pub own_host: String,
    /// Fields that a canary adds to its answers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

impl PlannedTarget {
    /// The lab's own service without a guard.
    #[must_use]
    pub fn canary() -> Self {
        Self::canary_at("canary", LOOPBACK, &[])
    }

    /// One that names lead to at another address, or that answers with further fields.
    #[must_use]
    pub fn canary_at(name: &str, address: IpAddr, headers: &[(&str, &str)]) -> Self {
        Self {
            name: name.to_owned(),
            kind: TargetKind::Canary,
            address,
            own_host: address.to_string(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// The canary behind a guard, which lets this host pass.
    #[must_use]
    pub fn guarded(guard: GuardKind, own_host: String) -> Self {
        Self {
            name: "guarded".to_owned(),
            kind: TargetKind::Guarded { guard },
            address: LOOPBACK,
            own_host,
            headers: Vec::new(),
        }
    }

    /// A service of this machine.
    #[must_use]
    pub fn service(address: SocketAddr) -> Self {
        Self {
            name: address.to_string(),
            kind: TargetKind::Service { address },
            address: LOOPBACK,
            own_host: address.to_string(),
            headers: Vec::new(),
        }
    }
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
    /// The self-test page is open.
    Page {
        url: String,
    },
    /// The work cannot go on.
    Failed {
        message: String,
    },
    Done,
}
