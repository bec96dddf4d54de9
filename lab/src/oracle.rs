//! The three-log oracle: DNS, sockets and page joined into one outcome with its evidence, and cases into a conclusion.
//!
//! Page script alone cannot tell a block by the browser from a closed port or a name that was never asked for again: all
//! are one `TypeError`. What arrived at the target, and what was asked of the DNS server, tells them apart.

use crate::case::{Case, LocalNetworkAccess, Method};
use crate::log::{ArrivedRequest, Connection, Control, Logs, PageReport};
use crate::verdict::{CaseResult, Conclusion, Outcome, ServiceResult, ServiceVerdict, Target, TargetKind};

/// Attempts without a connection from which on the browser is taken not to want one.
const TRIED: u32 = 3;

/// What one case came to, and the sentences that it stands on, the strongest first.
#[must_use]
pub fn judge(case: &Case, target: &Target, logs: &Logs) -> (Outcome, Vec<String>) {
    let mut evidence = Vec::new();
    let outcome = decide(case, target, logs, &mut evidence);
    describe(logs, &mut evidence);
    (outcome, evidence)
}

fn decide(case: &Case, target: &Target, logs: &Logs, evidence: &mut Vec<String>) -> Outcome {
    if !target.answers() {
        evidence.push(match &target.trouble {
            Some(trouble) => format!("the target does not run: {trouble}"),
            None => "the target did not answer under its own name".to_owned(),
        });
        return Outcome::NotRunning;
    }
    let Some(page) = &logs.page else {
        evidence.push(no_page(logs));
        return Outcome::Inconclusive;
    };
    let arrived: Vec<&ArrivedRequest> = logs.connections.iter().flat_map(|found| &found.requests).collect();
    if page.read.as_ref().is_some_and(|read| read.secret) {
        evidence.push("the page read the canary's secret".to_owned());
        return Outcome::ReachedReadable;
    }
    let refused = arrived.iter().find(|request| is_refusal(case, target, request));
    if let Some(refused) = refused.filter(|_| !read_beside_refusals(case, target, page, &arrived)) {
        evidence.push(refusal(refused));
        return Outcome::ReachedRefused;
    }
    if !arrived.is_empty() {
        return reached(case, target, page, &arrived, evidence);
    }
    if page.read.is_some() {
        evidence.push("the page read an answer that arrived at no listener of the lab".to_owned());
        return Outcome::Inconclusive;
    }
    not_reached(case, page, logs, evidence)
}

/// A request arrived and nothing refused it.
fn reached(
    case: &Case,
    target: &Target,
    page: &PageReport,
    arrived: &[&ArrivedRequest],
    evidence: &mut Vec<String>,
) -> Outcome {
    let mut served = arrived.iter().filter(|request| !is_refusal(case, target, request));
    let first = served
        .next()
        .map(|request| status_words(request.status))
        .unwrap_or_default();
    if page.read.is_some() && matches!(target.kind, TargetKind::Service { .. }) {
        evidence.push(format!(
            "the page read the service's answer to a request under the foreign name ({first}); under its own name it answers {}",
            status_words(own_status(case, target))
        ));
        return Outcome::ReachedReadable;
    }
    if case.method == Method::Websocket && target.own_name_upgrade != Some(101) {
        evidence.push(format!(
            "the target has no WebSocket at `/`: under its own name a handshake is answered {}",
            status_words(target.own_name_upgrade)
        ));
        return Outcome::Inconclusive;
    }
    evidence.push(format!(
        "{} arrived under the foreign name and {} not refused ({first}), but the page could not read the answer: \
         side effects are possible",
        count(arrived.len(), "request"),
        if arrived.len() == 1 { "was" } else { "were" }
    ));
    Outcome::Inconclusive
}

/// The page ran, and no request arrived at the target.
fn not_reached(case: &Case, page: &PageReport, logs: &Logs, evidence: &mut Vec<String>) -> Outcome {
    if logs.flipped_ms.is_none() {
        evidence.push("the page never came to ask for the flip".to_owned());
        return Outcome::Inconclusive;
    }
    let answered = logs.dns.iter().any(|question| question.target);
    let asked_again = logs.dns.iter().any(|question| question.flipped);
    let empty = logs.connections.iter().filter(|found| found.bytes == 0).count();
    if empty > 0 && page.pending && page.failures == 0 {
        evidence.push(format!(
            "{} without a byte at the target, and the page's attempt neither ends nor fails: the browser waits for its user",
            count(empty, "connection")
        ));
        return Outcome::Prompted;
    }
    if empty > 0 && page.failures > 0 {
        evidence.push(format!(
            "the name led to the target, which accepted {} and got no byte; the page saw {}",
            count(empty, "connection"),
            count(page.failures as usize, "failure")
        ));
        return Outcome::BlockedByBrowser;
    }
    if logs.control == Control::Filtered && answered {
        evidence.push(
            "the DNS server gave the target's address, and it came out of the resolver neither for this name nor for one \
             that leads straight there"
                .to_owned(),
        );
        return Outcome::FilteredByResolver;
    }
    if let Some(told) = logs.console.iter().find(|line| tells_of_block(line)) {
        evidence.push(format!(
            "the browser says that it blocked the request: `{}`",
            shortened(told)
        ));
        return Outcome::BlockedByBrowser;
    }
    // Where the attacker still listens, the attempts may have gone there.
    let alone = case.strategy.closes_listener() && case.strategy.ends_at_target() && logs.control == Control::Passed;
    if answered && alone && page.failures >= TRIED {
        evidence.push(format!(
            "the browser had the target's address, the attacker listened no more, and in {} the browser did not connect",
            count(page.failures as usize, "attempt")
        ));
        return Outcome::BlockedByBrowser;
    }
    if !answered || !asked_again {
        evidence.push(format!(
            "after the flip the browser did not ask for the name again in {:.1} s",
            seconds_since_flip(logs)
        ));
        return Outcome::NotRequeried;
    }
    evidence.push("the DNS server gave the target's address, and no connection came".to_owned());
    Outcome::Inconclusive
}

fn no_page(logs: &Logs) -> String {
    let early = logs.connections.iter().flat_map(|found| &found.requests).count();
    if early > 0 {
        "the target answered the first request: the browser put its address before the attacker's, which is no rebinding"
            .to_owned()
    } else {
        "the attacker's page never ran".to_owned()
    }
}

/// Whether what the page read of a service is another answer than a refusal: then it does not matter what else was refused.
fn read_beside_refusals(case: &Case, target: &Target, page: &PageReport, arrived: &[&ArrivedRequest]) -> bool {
    let (Some(read), TargetKind::Service { .. }) = (&page.read, &target.kind) else {
        return false;
    };
    // The page's own attempts; a browser also asks for icons.
    let mut attempts = arrived.iter().filter(|request| request.target.starts_with("/?"));
    match read.status {
        Some(_) => attempts.any(|request| request.status == read.status && !is_refusal(case, target, request)),
        None => attempts.any(|request| request.status.is_some() && !is_refusal(case, target, request)),
    }
}

/// Whether the service refused the request for its name: it answers otherwise under its own.
fn is_refusal(case: &Case, target: &Target, request: &ArrivedRequest) -> bool {
    if request.refusal.is_some() {
        return true;
    }
    let (own, foreign) = (own_status(case, target), foreign_status(case, target));
    // What it says to another foreign name, and not to its own: 4xx, or the end of the connection.
    let is_for_the_name = request.status == foreign && own.is_some() && own != foreign;
    is_for_the_name && request.status.is_none_or(|status| (400..500).contains(&status))
}

fn own_status(case: &Case, target: &Target) -> Option<u16> {
    if case.method == Method::Websocket {
        target.own_name_upgrade
    } else {
        target.own_name_status
    }
}

fn foreign_status(case: &Case, target: &Target) -> Option<u16> {
    if case.method == Method::Websocket {
        target.foreign_name_upgrade
    } else {
        target.foreign_name_status
    }
}

fn refusal(request: &ArrivedRequest) -> String {
    let reason = request
        .refusal
        .as_ref()
        .and_then(|verdict| verdict.get("reason")?.as_str());
    format!(
        "`{} {}` arrived with `Host: {}` and was refused: {}{}",
        request.method,
        shortened(&request.target),
        shortened(request.header("host").unwrap_or_default()),
        status_words(request.status),
        reason.map(|reason| format!(", `{reason}`")).unwrap_or_default()
    )
}

/// Adds what all outcomes have in common: what each log holds.
fn describe(logs: &Logs, evidence: &mut Vec<String>) {
    let questions = logs.dns.len();
    let flipped = logs.dns.iter().filter(|question| question.flipped).count();
    let target = logs.dns.iter().filter(|question| question.target).count();
    evidence.push(format!(
        "DNS: {}, {flipped} after the flip, {target} answered with the target's address",
        count(questions, "question")
    ));
    let empty = logs.connections.iter().filter(|found| found.bytes == 0).count();
    let requests: usize = logs
        .connections
        .iter()
        .map(|Connection { requests, .. }| requests.len())
        .sum();
    evidence.push(format!(
        "target: {}, {empty} of them without a byte, {}",
        count(logs.connections.len(), "connection"),
        count(requests, "request")
    ));
    if let Some(page) = &logs.page {
        let mut line = format!(
            "page: {}, {} after the flip",
            count(page.attempts as usize, "attempt"),
            count(page.failures as usize, "failure")
        );
        if let Some((text, _)) = page.errors.iter().max_by_key(|(_, times)| **times) {
            line.push_str(&format!(", mostly `{}`", shortened(text)));
        }
        if let Some(milliseconds) = page.rebind_ms {
            line.push_str(&format!(
                ", rebound {:.1} s after the flip",
                milliseconds as f64 / 1000.0
            ));
        }
        match page.wrote {
            Some(true) => line.push_str(", and a POST with a header of its own was answered"),
            Some(false) => line.push_str(", and a POST was not answered as asked"),
            None => {}
        }
        evidence.push(line);
    }
}

/// What the browsers' consoles say when Local Network Access blocks.
fn tells_of_block(line: &str) -> bool {
    [
        "LOCAL_NETWORK_ACCESS",
        "more-private address space",
        "local network access",
        "LocalNetworkAccess",
    ]
    .iter()
    .any(|text| line.contains(text))
}

fn seconds_since_flip(logs: &Logs) -> f64 {
    logs.duration_ms.saturating_sub(logs.flipped_ms.unwrap_or(0)) as f64 / 1000.0
}

fn status_words(status: Option<u16>) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Text of others, kept to one short line.
fn shortened(text: &str) -> String {
    const LIMIT: usize = 160;
    let clean: String = text
        .chars()
        .filter(|character| !character.is_control())
        .take(LIMIT)
        .collect();
    if text.chars().count() > LIMIT {
        format!("{clean}…")
    } else {
        clean
    }
}

/// What all cases of one target say about it.
#[must_use]
pub fn judge_service(target: &Target, cases: &[CaseResult]) -> ServiceResult {
    let outcomes = || {
        cases
            .iter()
            .filter(|result| result.case.target == target.name)
            .map(|result| result.outcome)
    };
    let of = |wanted: Outcome| outcomes().filter(|outcome| *outcome == wanted).count();
    let (readable, refused, blocked) = (
        of(Outcome::ReachedReadable),
        of(Outcome::ReachedRefused),
        of(Outcome::BlockedByBrowser),
    );
    let all = outcomes().count();
    // Neither refused nor read. A handshake says nothing of a target that has no WebSocket.
    let is_served = |result: &&CaseResult| {
        let is_speechless = result.case.method == Method::Websocket && target.own_name_upgrade != Some(101);
        result.case.target == target.name && result.outcome == Outcome::Inconclusive && !is_speechless
    };
    let served = cases
        .iter()
        .filter(is_served)
        .flat_map(|result| {
            let requests = result.logs.connections.iter().flat_map(|found| &found.requests);
            requests.filter(|request| !is_refusal(&result.case, target, request))
        })
        .count();
    let (verdict, summary) = if readable > 0 && target.kind == TargetKind::Canary {
        (
            ServiceVerdict::Control,
            format!(
                "a foreign page read it in {readable} of {}, as it must: it checks nothing",
                count(all, "case")
            ),
        )
    } else if readable > 0 {
        (
            ServiceVerdict::Vulnerable,
            format!("a foreign page read it in {readable} of {}", count(all, "case")),
        )
    } else if refused > 0 && served == 0 {
        (
            ServiceVerdict::Refuses,
            format!(
                "it was reached under a foreign name in {refused} of {} and refused each time",
                count(all, "case")
            ),
        )
    } else if served > 0 {
        let more = match (blocked, refused) {
            (0, 0) => String::new(),
            (blocked, 0) => format!("; in {blocked} of {} the browser blocked it", count(all, "case")),
            (_, refused) => format!("; in {refused} of {} it refused", count(all, "case")),
        };
        (
            ServiceVerdict::NotTested,
            format!(
                "{} under a foreign name reached it and {} not refused, but no page could read the answer: it may be open{more}",
                count(served, "request"),
                if served == 1 { "was" } else { "were" },
            ),
        )
    } else if blocked > 0 {
        (
            ServiceVerdict::NotTested,
            format!(
                "only the browser stopped it, in {blocked} of {}: other browsers and older ones do not, so nothing is known \
                 of the service; `hostbound lab run` attacks with Local Network Access off too",
                count(all, "case")
            ),
        )
    } else if !target.answers() {
        (
            ServiceVerdict::NotTested,
            target
                .trouble
                .clone()
                .unwrap_or_else(|| "it did not answer under its own name".to_owned()),
        )
    } else {
        (
            ServiceVerdict::NotTested,
            "no request under a foreign name reached it".to_owned(),
        )
    };
    ServiceResult {
        target: target.clone(),
        verdict,
        summary,
    }
}

/// What the run says, and why: never `Safe` without a negative control by every method.
#[must_use]
pub fn conclude(services: &[ServiceResult], cases: &[CaseResult]) -> (Conclusion, Vec<String>) {
    let mut vulnerable = Vec::new();
    let mut unknown = Vec::new();
    let mut hidden = Vec::new();
    for method in Method::ALL {
        match control(method, services, cases) {
            MethodControl::NotTried | MethodControl::Read => {}
            MethodControl::Hidden => hidden.push(method.name()),
            MethodControl::Lacking(reason) => unknown.push(reason),
        }
    }
    let was_read =
        |result: &CaseResult| is_canary(&result.case.target, services) && result.outcome == Outcome::ReachedReadable;
    if !hidden.is_empty() && !cases.iter().any(was_read) {
        unknown.push("negative control: no case read the canary without a guard".to_owned());
    }
    if services.iter().all(|service| service.target.kind == TargetKind::Canary) {
        unknown.push("nothing but the bare canary was attacked".to_owned());
    }
    for service in services {
        let name = &service.target.name;
        match (service.verdict, &service.target.kind) {
            (_, TargetKind::Canary) | (ServiceVerdict::Control | ServiceVerdict::Refuses, _) => {}
            (ServiceVerdict::Vulnerable, _) => vulnerable.push(format!("`{name}`: {}", service.summary)),
            (ServiceVerdict::NotTested, _) => unknown.push(format!("`{name}` was not tested: {}", service.summary)),
        }
    }
    for guarded in cases {
        if twin_was_read(guarded, services, cases) && guarded.outcome != Outcome::ReachedRefused {
            let what = format!(
                "`{}` by {} and {}: the canary without a guard was read, with it the case ended `{}`",
                guarded.case.target,
                guarded.case.strategy.name(),
                guarded.case.method.name(),
                guarded.outcome.name()
            );
            if guarded.outcome == Outcome::ReachedReadable {
                vulnerable.push(what);
            } else {
                unknown.push(what);
            }
        }
    }
    if !vulnerable.is_empty() {
        vulnerable.append(&mut unknown);
        return (Conclusion::Vulnerable, vulnerable);
    }
    if !unknown.is_empty() {
        return (Conclusion::Inconclusive, unknown);
    }
    let mut reasons = vec![if hidden.is_empty() {
        "every method read the canary without a guard, and everything under test refused the same requests".to_owned()
    } else {
        "the canary without a guard was read, and everything under test refused the same requests".to_owned()
    }];
    if !hidden.is_empty() {
        reasons.push(format!(
            "by {} the browser let nothing through, to the canary either: that says nothing about the services",
            hidden.join(" and ")
        ));
    }
    (Conclusion::Safe, reasons)
}

/// Whether what a method finds proves anything.
enum MethodControl {
    NotTried,
    /// It read the bare canary, in the browser that hid least.
    Read,
    /// Local Network Access was never off, and the browser blocked it before the bare canary too: nothing was found by it.
    Hidden,
    /// Why not.
    Lacking(String),
}

fn control(method: Method, services: &[ServiceResult], cases: &[CaseResult]) -> MethodControl {
    let by_method = || cases.iter().filter(|result| result.case.method == method);
    if by_method().next().is_none() {
        return MethodControl::NotTried;
    }
    let off = by_method().any(|result| result.case.local_network_access == LocalNetworkAccess::Off);
    let read = by_method().any(|result| {
        is_canary(&result.case.target, services)
            && result.outcome == Outcome::ReachedReadable
            && (!off || result.case.local_network_access == LocalNetworkAccess::Off)
    });
    if read {
        return MethodControl::Read;
    }
    let mut of_canary = by_method()
        .filter(|result| is_canary(&result.case.target, services))
        .peekable();
    if !off && of_canary.peek().is_some() && of_canary.all(|result| result.outcome == Outcome::BlockedByBrowser) {
        return MethodControl::Hidden;
    }
    MethodControl::Lacking(format!(
        "negative control: no case by {} read the canary without a guard{}",
        method.name(),
        if off { " with Local Network Access off" } else { "" }
    ))
}

fn twin_was_read(guarded: &CaseResult, services: &[ServiceResult], cases: &[CaseResult]) -> bool {
    let is_guarded = services
        .iter()
        .any(|service| service.target.name == guarded.case.target && service.target.kind.is_guarded());
    is_guarded
        && cases.iter().any(|result| {
            let twin = Case {
                target: guarded.case.target.clone(),
                ..result.case.clone()
            };
            is_canary(&result.case.target, services)
                && result.outcome == Outcome::ReachedReadable
                && twin == guarded.case
        })
}

fn is_canary(name: &str, services: &[ServiceResult]) -> bool {
    services
        .iter()
        .any(|service| service.target.name == name && service.target.kind == TargetKind::Canary)
}
