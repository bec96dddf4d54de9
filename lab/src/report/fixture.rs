//! Runs for the tests of the reports.

use std::collections::BTreeMap;

use serde_json::json;

use crate::case::{AttackerSpace, BrowserKind, Case, GuardKind, LocalNetworkAccess, Method};
use crate::log::{ArrivedRequest, Connection, DnsQuestion, Logs, PageReport, Read};
use crate::strategy::Strategy;
use crate::verdict::{
    BrowserFacts, CaseResult, Conclusion, Outcome, Run, ServiceResult, ServiceVerdict, Target, TargetKind,
};

use LocalNetworkAccess::{Default as OnByDefault, Navigations, Off};
use Outcome::{
    BlockedByBrowser, FilteredByResolver, Inconclusive, NotRequeried, NotRunning, Prompted, ReachedReadable,
    ReachedRefused,
};
use Strategy::{Cname, FirstThenSecond, FirstThenSecondFlush, Ipv6Loopback, MultipleAnswers};

/// Every outcome, every verdict, every kind of target.
pub(super) fn run() -> Run {
    let mut cases = Vec::new();
    for method in [Method::Fetch, Method::Iframe, Method::Websocket] {
        for setting in [OnByDefault, Off, Navigations] {
            let (open, guarded) = match setting {
                Off => (ReachedReadable, ReachedRefused),
                _ => (BlockedByBrowser, BlockedByBrowser),
            };
            cases.push(case("canary", MultipleAnswers, method, setting, open));
            cases.push(case("guarded", MultipleAnswers, method, setting, guarded));
            cases.push(case("ollama", MultipleAnswers, method, setting, open));
        }
    }
    for (target, popup) in [
        ("canary", ReachedReadable),
        ("guarded", ReachedRefused),
        ("ollama", ReachedReadable),
    ] {
        cases.push(case(target, MultipleAnswers, Method::Popup, OnByDefault, popup));
        cases.push(case(target, MultipleAnswers, Method::Popup, Off, popup));
        cases.push(case(
            target,
            MultipleAnswers,
            Method::Popup,
            Navigations,
            BlockedByBrowser,
        ));
        cases.push(case(target, FirstThenSecond, Method::Fetch, Off, NotRequeried));
        cases.push(case(target, FirstThenSecondFlush, Method::Fetch, OnByDefault, Prompted));
        cases.push(case(target, FirstThenSecondFlush, Method::Fetch, Off, popup));
        cases.push(case(target, Cname, Method::Worker, Off, FilteredByResolver));
        cases.push(case(target, Ipv6Loopback, Method::Fetch, Off, Inconclusive));
    }
    let mut local = case(
        "ollama",
        FirstThenSecondFlush,
        Method::Fetch,
        OnByDefault,
        ReachedReadable,
    );
    local.case.attacker = AttackerSpace::Local;
    cases.push(local.clone());
    local.outcome = BlockedByBrowser;
    local.case.taken_for_public = Some("192.168.77.0/24".to_owned());
    cases.push(local);
    cases.push(case(
        "comfyui",
        MultipleAnswers,
        Method::Fetch,
        OnByDefault,
        BlockedByBrowser,
    ));
    cases.push(case("comfyui", MultipleAnswers, Method::Fetch, Off, Inconclusive));
    cases.push(case("jenkins", MultipleAnswers, Method::Fetch, Off, NotRunning));
    Run {
        format: 1,
        hostbound: "0.1.0".to_owned(),
        started: "2026-10-20T10:04:12Z".to_owned(),
        duration_ms: 192_400,
        browser: BrowserFacts {
            kind: BrowserKind::Chromium,
            version: "156.0.8078.108".to_owned(),
        },
        policy: Some("policies/local.toml".to_owned()),
        services: vec![
            service(
                "canary",
                TargetKind::Canary,
                ServiceVerdict::Vulnerable,
                "Read in 5 of 17 cases, as it should be.",
            ),
            service(
                "guarded",
                TargetKind::Guarded { guard: GuardKind::Node },
                ServiceVerdict::Refuses,
                "Refused all 5 requests that arrived under a foreign name, with 421.",
            ),
            service(
                "ollama",
                at("127.0.0.1:11434"),
                ServiceVerdict::Vulnerable,
                "Read in 6 of 19 cases; the fastest took 0.5 s.",
            ),
            service(
                "comfyui",
                at("127.0.0.1:8188"),
                ServiceVerdict::NotTested,
                "No request arrived: the browser blocked it, or the logs do not say.",
            ),
            ServiceResult {
                target: Target {
                    name: "jenkins".to_owned(),
                    kind: at("127.0.0.1:8080"),
                    own_name_status: None,
                    foreign_name_status: None,
                    own_name_upgrade: None,
                    foreign_name_upgrade: None,
                    trouble: Some("connection refused".to_owned()),
                },
                verdict: ServiceVerdict::NotTested,
                summary: "Did not answer under its own name.".to_owned(),
            },
        ],
        cases,
        conclusion: Conclusion::Vulnerable,
        reasons: vec![
            "ollama was read under a foreign name in 6 of 19 cases, by popup with the browser as it comes.".to_owned(),
            "comfyui and jenkins were not tested.".to_owned(),
            "The negative control was read: the rig can rebind.".to_owned(),
        ],
    }
}

/// A run in which the guard held.
pub(super) fn safe() -> Run {
    let mut run = run();
    run.services
        .retain(|service| !matches!(service.target.kind, TargetKind::Service { .. }));
    run.cases
        .retain(|case| matches!(case.case.target.as_str(), "canary" | "guarded"));
    run.conclusion = Conclusion::Safe;
    run.reasons = vec![
        "guarded refused every request that arrived under a foreign name.".to_owned(),
        "The negative control was read: the rig can rebind.".to_owned(),
    ];
    run
}

/// A run that came to nothing.
pub(super) fn empty() -> Run {
    Run {
        policy: None,
        services: Vec::new(),
        cases: Vec::new(),
        conclusion: Conclusion::Inconclusive,
        reasons: Vec::new(),
        duration_ms: 0,
        ..run()
    }
}

/// What an attacker would like to see in a report.
pub(super) fn hostile_text() -> String {
    let marks = "<script>alert(1)</script><img src=x onerror=alert(1)>]]>\"'&amp;<!--\u{0}\u{1b}[31m\u{7f}\u{85}\u{fffe}\r\n\u{202e}\u{200f}\u{e0041}漢字";
    format!("{marks}{}", "A".repeat(10_000))
}

/// The same run with such a text wherever there is room for one.
pub(super) fn hostile() -> Run {
    let mut run = run();
    let text = hostile_text;
    run.hostbound = text();
    run.started = text();
    run.browser.version = text();
    run.policy = Some(text());
    run.reasons = vec![text(); 3];
    for service in &mut run.services {
        service.target.name.push_str(&text());
        service.target.trouble = Some(text());
        service.summary = text();
    }
    for case in &mut run.cases {
        case.case.target.push_str(&text());
        case.case.taken_for_public = Some(text());
        case.authority = text();
        case.evidence = vec![text(); 3];
        case.logs.console = vec![text(); 3];
        for question in &mut case.logs.dns {
            question.kind = text();
            question.transport = text();
            question.alias = Some(text());
        }
        for connection in &mut case.logs.connections {
            for request in &mut connection.requests {
                request.method = text();
                request.target = text();
                request.headers = vec![("host".to_owned(), text()), ("Origin".to_owned(), text())];
                request.refusal = Some(json!({"decision": text(), "reason": text(), "detail": text()}));
                request.policy = Some(json!([text(), {text(): text()}]));
            }
        }
        if let Some(page) = &mut case.logs.page {
            page.errors = BTreeMap::from([(text(), 3)]);
            page.permissions = BTreeMap::from([(text(), text())]);
            page.user_agent = text();
        }
    }
    run
}

/// 200 cases with long logs.
pub(super) fn long() -> Run {
    let mut run = run();
    let mut case = case("ollama", MultipleAnswers, Method::Fetch, Off, ReachedReadable);
    let logs = &mut case.logs;
    logs.dns = logs.dns.iter().cycle().take(300).cloned().collect();
    logs.connections = logs.connections.iter().cycle().take(300).cloned().collect();
    logs.console = (0..300)
        .map(|number| format!("{number}: {}", "a long line ".repeat(20)))
        .collect();
    run.cases = vec![case; 200];
    run
}

fn at(address: &str) -> TargetKind {
    TargetKind::Service {
        address: address.parse().unwrap(),
    }
}

fn service(name: &str, kind: TargetKind, verdict: ServiceVerdict, summary: &str) -> ServiceResult {
    let foreign_name_status = if kind.is_guarded() { 421 } else { 200 };
    ServiceResult {
        target: Target {
            name: name.to_owned(),
            kind,
            own_name_status: Some(200),
            foreign_name_status: Some(foreign_name_status),
            own_name_upgrade: Some(101),
            foreign_name_upgrade: Some(foreign_name_status),
            trouble: None,
        },
        verdict,
        summary: summary.to_owned(),
    }
}

/// A case with logs as they are when it ends like this.
fn case(
    target: &str,
    strategy: Strategy,
    method: Method,
    local_network_access: LocalNetworkAccess,
    outcome: Outcome,
) -> CaseResult {
    let authority = format!("c{}.rebind.test:8000", target.len() * 7919 + outcome.name().len());
    let rebind_ms = if method == Method::Popup { 2140 } else { 530 };
    CaseResult {
        case: Case {
            strategy,
            method,
            local_network_access,
            attacker: AttackerSpace::Public,
            target: target.to_owned(),
            taken_for_public: None,
        },
        evidence: evidence(outcome),
        logs: logs(&authority, method, outcome, rebind_ms),
        authority,
        outcome,
    }
}

fn evidence(outcome: Outcome) -> Vec<String> {
    let lines: &[&str] = match outcome {
        ReachedReadable => &[
            "The page read 200 and the canary's secret from an answer without the attacker's marker.",
            "GET / arrived with a foreign Host and was answered 200.",
        ],
        ReachedRefused => &["GET / arrived with a foreign Host and was answered 421 host_not_allowed."],
        BlockedByBrowser => &[
            "The name led to the target, 3 connections arrived with 0 bytes, and the page saw nothing but errors.",
            "The console names Local Network Access.",
        ],
        Prompted => &["An attempt has been under way for longer than three seconds, and nothing arrived."],
        FilteredByResolver => {
            &["The answer that leads to the target was given, and the page failed without a connection."]
        }
        NotRequeried => &["After the flip the name was not asked for again within 20 s."],
        NotRunning => &["The target did not answer under its own name."],
        Inconclusive => &["The page never ran."],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn logs(authority: &str, method: Method, outcome: Outcome, rebind_ms: u64) -> Logs {
    let question = |at_ms, flipped| DnsQuestion {
        at_ms,
        kind: "A".to_owned(),
        transport: "udp".to_owned(),
        addresses: vec!["203.0.113.10".parse().unwrap(), "127.0.0.1".parse().unwrap()],
        alias: None,
        target: flipped,
        flipped,
    };
    let verdict = json!({
        "id": null, "decision": "deny", "status": 421, "check": "host", "reason": "host_not_allowed",
        "public_reason": "host_not_allowed", "rule": "hosts.allow", "detail": format!("`{authority}` is not on the list"),
    });
    let is_refused = outcome == ReachedRefused;
    let request = ArrivedRequest {
        at_ms: 902,
        method: "GET".to_owned(),
        target: "/?r=0.1947".to_owned(),
        headers: vec![
            ("Host".to_owned(), authority.to_owned()),
            ("Origin".to_owned(), format!("http://{authority}")),
            ("User-Agent".to_owned(), "Mozilla/5.0".to_owned()),
        ],
        status: Some(if is_refused { 421 } else { 200 }),
        refusal: is_refused.then(|| verdict.clone()),
        policy: Some(verdict),
    };
    let silent = |at_ms| Connection {
        at_ms,
        ..Connection::default()
    };
    let connections = match outcome {
        ReachedReadable | ReachedRefused => vec![
            silent(880),
            Connection {
                at_ms: 900,
                bytes: 412,
                requests: vec![request],
                ..Connection::default()
            },
        ],
        BlockedByBrowser => vec![silent(880), silent(1380), silent(1890)],
        _ => Vec::new(),
    };
    let is_read = outcome == ReachedReadable;
    let page = PageReport {
        attempts: 4,
        failures: if is_read { 0 } else { 3 },
        errors: BTreeMap::from([("TypeError: Failed to fetch".to_owned(), 3)]),
        read: is_read.then_some(Read {
            status: Some(200),
            secret: true,
            length: 412,
        }),
        rebind_ms: is_read.then_some(rebind_ms),
        wrote: (is_read && method == Method::Popup).then_some(true),
        pending: outcome == Prompted,
        secure_context: false,
        permissions: BTreeMap::from([("local-network-access".to_owned(), "denied".to_owned())]),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36".to_owned(),
    };
    let blocked = "Access to fetch at 'http://c1.rebind.test:8000/' has been blocked by CORS policy: The request client is not a secure context and the resource is in more-private address space `loopback`.";
    Logs {
        dns: vec![question(3, false), question(610, true)],
        connections,
        control: crate::log::Control::Passed,
        page: (!matches!(outcome, Inconclusive | NotRunning)).then_some(page),
        console: if outcome == BlockedByBrowser {
            vec![blocked.to_owned(); 3]
        } else {
            Vec::new()
        },
        flipped_ms: Some(370),
        duration_ms: 2950,
    }
}
