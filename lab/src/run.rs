//! A whole run: the plan is carried out, its events are gathered, and what they say is concluded.

use std::time::{Instant, SystemTime};

use hostbound::{Guard, Memory, RequestDocument, Timestamp};
use serde_json::{Value, json};

use crate::case::Case;
use crate::log::ArrivedRequest;
use crate::namespace::{self, LabError};
use crate::oracle;
use crate::plan::{Event, Plan, Work};
use crate::verdict::{BrowserFacts, CaseResult, Run, Target};

/// A policy whose verdicts on what arrived are wanted.
pub struct PolicyInQuestion<'a> {
    /// As people know it: its file.
    pub name: String,
    pub guard: &'a Guard,
}

impl PolicyInQuestion<'_> {
    /// Adds what it says of every request that arrived.
    pub(crate) fn judge(&self, result: &mut CaseResult) {
        for connection in &mut result.logs.connections {
            for request in &mut connection.requests {
                request.policy = verdict(request, self.guard);
            }
        }
    }
}

/// Carries a plan out. `arguments` make this program call [`crate::inside::run`]; `on_case` sees each case when it has
/// ended.
///
/// # Errors
///
/// When the machine does not let us, or the run breaks.
pub fn run(
    plan: &Plan,
    arguments: &[&str],
    policy: Option<&PolicyInQuestion<'_>>,
    mut on_case: impl FnMut(&CaseResult),
) -> Result<Run, LabError> {
    let clock = Clock::start();
    let mut targets: Vec<Target> = Vec::new();
    let mut browser: Option<BrowserFacts> = None;
    let mut cases: Vec<CaseResult> = Vec::new();
    namespace::run(&Work::Run(plan.clone()), None, arguments, |event| match event {
        Event::Targets { targets: told } => targets = told,
        Event::Browser { browser: told } => browser = Some(told),
        Event::Case { mut result } => {
            if let Some(policy) = policy {
                policy.judge(&mut result);
            }
            on_case(&result);
            cases.push(*result);
        }
        Event::Page { .. } | Event::Failed { .. } | Event::Done => {}
    })?;
    let browser = browser.ok_or_else(|| LabError::Failed("no browser was started".to_owned()))?;
    let policy = policy.map(|policy| policy.name.clone());
    Ok(conclude(&clock, browser, policy, &targets, &plan.cases, cases))
}

/// When a run began.
pub(crate) struct Clock {
    started: SystemTime,
    since: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: SystemTime::now(),
            since: Instant::now(),
        }
    }
}

/// The run, from what was found: the results in the order of the cases.
pub(crate) fn conclude(
    clock: &Clock,
    browser: BrowserFacts,
    policy: Option<String>,
    targets: &[Target],
    order: &[Case],
    mut cases: Vec<CaseResult>,
) -> Run {
    cases.sort_by_key(|result| order.iter().position(|case| *case == result.case));
    let services: Vec<_> = targets
        .iter()
        .map(|target| oracle::judge_service(target, &cases))
        .collect();
    let (conclusion, reasons) = oracle::conclude(&services, &cases);
    Run {
        format: 1,
        hostbound: env!("CARGO_PKG_VERSION").to_owned(),
        started: humantime::format_rfc3339_seconds(clock.started).to_string(),
        duration_ms: u64::try_from(clock.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        browser,
        policy,
        services,
        cases,
        conclusion,
        reasons,
    }
}

/// What the policy says of a request that arrived: over plain HTTP, from this machine.
fn verdict(request: &ArrivedRequest, guard: &Guard) -> Option<Value> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let document: RequestDocument = serde_json::from_value(json!({
        "method": request.method,
        "scheme": "http",
        "version": "1.1",
        "target": request.target,
        "headers": request.headers,
        "peer": "127.0.0.1",
        "now": now,
    }))
    .ok()?;
    serde_json::to_value(guard.decide(&document, &mut Memory::new(Timestamp(0)))).ok()
}
