//! A whole run: the plan is carried out, its events are gathered, and what they say is concluded.

use std::time::{Instant, SystemTime};

use hostbound::{Guard, Memory, RequestDocument, Timestamp};
use serde_json::{Value, json};

use crate::log::ArrivedRequest;
use crate::namespace::{self, LabError};
use crate::oracle;
use crate::plan::{Event, Plan};
use crate::verdict::{BrowserFacts, CaseResult, Run, Target};

/// A policy whose verdicts on what arrived are wanted.
pub struct PolicyInQuestion<'a> {
    /// As people know it: its file.
    pub name: String,
    pub guard: &'a Guard,
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
    let started = SystemTime::now();
    let clock = Instant::now();
    let mut targets: Vec<Target> = Vec::new();
    let mut browser: Option<BrowserFacts> = None;
    let mut cases: Vec<CaseResult> = Vec::new();
    namespace::run(plan, arguments, |event| match event {
        Event::Targets { targets: told } => targets = told,
        Event::Browser { browser: told } => browser = Some(told),
        Event::Case { mut result } => {
            if let Some(policy) = policy {
                judge_requests(&mut result, policy.guard);
            }
            on_case(&result);
            cases.push(*result);
        }
        Event::Failed { .. } | Event::Done => {}
    })?;
    let place = |result: &CaseResult| plan.cases.iter().position(|case| *case == result.case);
    cases.sort_by_key(place);
    let services: Vec<_> = targets
        .iter()
        .map(|target| oracle::judge_service(target, &cases))
        .collect();
    let (conclusion, reasons) = oracle::conclude(&services, &cases);
    Ok(Run {
        format: 1,
        hostbound: env!("CARGO_PKG_VERSION").to_owned(),
        started: humantime::format_rfc3339_seconds(started).to_string(),
        duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        browser: browser.ok_or_else(|| LabError::Failed("no browser was started".to_owned()))?,
        policy: policy.map(|policy| policy.name.clone()),
        services,
        cases,
        conclusion,
        reasons,
    })
}

fn judge_requests(result: &mut CaseResult, guard: &Guard) {
    for connection in &mut result.logs.connections {
        for request in &mut connection.requests {
            request.policy = verdict(request, guard);
        }
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
