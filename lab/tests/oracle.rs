//! The three-log oracle: one row for each thing that the logs can say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use hostbound_lab::case::LocalNetworkAccess::{Default as On, Off};
use hostbound_lab::case::{AttackerSpace, Case, GuardKind, LocalNetworkAccess, Method};
use hostbound_lab::log::{ArrivedRequest, Connection, Control, DnsQuestion, Logs, PageReport, Read};
use hostbound_lab::oracle::{conclude, judge, judge_service};
use hostbound_lab::strategy::Strategy;
use hostbound_lab::verdict::Outcome::{
    BlockedByBrowser, FilteredByResolver, Inconclusive, NotRequeried, NotRunning, Prompted, ReachedReadable,
    ReachedRefused,
};
use hostbound_lab::verdict::{CaseResult, Conclusion, Outcome, ServiceVerdict, Target, TargetKind};

const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn case(target: &str, method: Method, local_network_access: LocalNetworkAccess) -> Case {
    Case {
        strategy: Strategy::FirstThenSecondFlush,
        method,
        local_network_access,
        attacker: AttackerSpace::Public,
        target: target.to_owned(),
        taken_for_public: None,
    }
}

fn target(name: &str, kind: TargetKind, own: Option<u16>, foreign: Option<u16>) -> Target {
    Target {
        name: name.to_owned(),
        kind,
        own_name_status: own,
        foreign_name_status: foreign,
        own_name_upgrade: own.map(|_| 101),
        foreign_name_upgrade: foreign.map(|status| if status < 400 { 101 } else { status }),
        trouble: None,
    }
}

fn canary() -> Target {
    target("canary", TargetKind::Canary, Some(200), Some(200))
}

fn guarded() -> Target {
    target(
        "guarded",
        TargetKind::Guarded { guard: GuardKind::Node },
        Some(200),
        Some(421),
    )
}

fn service(own: Option<u16>, foreign: Option<u16>) -> Target {
    let address = (TARGET, 11434).into();
    target("127.0.0.1:11434", TargetKind::Service { address }, own, foreign)
}

fn question(flipped: bool, target: bool) -> DnsQuestion {
    DnsQuestion {
        at_ms: 10,
        kind: "A".to_owned(),
        transport: "udp".to_owned(),
        addresses: vec![TARGET],
        alias: None,
        target,
        flipped,
    }
}

fn silent() -> Connection {
    Connection::default()
}

fn arrived(status: Option<u16>) -> Connection {
    Connection {
        bytes: 100,
        requests: vec![ArrivedRequest {
            method: "GET".to_owned(),
            target: "/?1".to_owned(),
            headers: vec![("Host".to_owned(), "x.rebind.example:8100".to_owned())],
            status,
            ..ArrivedRequest::default()
        }],
        ..Connection::default()
    }
}

fn failing() -> PageReport {
    PageReport {
        attempts: 9,
        failures: 9,
        errors: BTreeMap::from([("TypeError: Failed to fetch".to_owned(), 9)]),
        ..PageReport::default()
    }
}

fn reading(status: Option<u16>, secret: bool) -> PageReport {
    PageReport {
        attempts: 3,
        read: Some(Read {
            status,
            secret,
            length: 30,
        }),
        ..PageReport::default()
    }
}

/// After the flip the name was asked for again and led to the target.
fn rebound(page: Option<PageReport>, connections: Vec<Connection>) -> Logs {
    Logs {
        dns: vec![question(false, false), question(true, true)],
        connections,
        control: Control::Passed,
        page,
        duration_ms: 3000,
        flipped_ms: Some(500),
        ..Logs::default()
    }
}

#[track_caller]
fn expect(case: &Case, target: &Target, logs: &Logs, outcome: Outcome, evidence: &str) {
    let (found, lines) = judge(case, target, logs);
    assert_eq!(found, outcome, "{lines:#?}");
    assert!(lines[0].contains(evidence), "{lines:#?}");
}

fn fetch(target: &str) -> Case {
    case(target, Method::Fetch, Off)
}

#[test]
fn a_secret_that_was_read_outweighs_everything() {
    let mut logs = rebound(
        Some(reading(Some(200), true)),
        vec![silent(), arrived(Some(200)), arrived(Some(421))],
    );
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        ReachedReadable,
        "the canary's secret",
    );
    logs.console = vec!["net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS".to_owned()];
    expect(
        &fetch("guarded"),
        &guarded(),
        &logs,
        ReachedReadable,
        "the canary's secret",
    );
}

#[test]
fn a_refusal_that_the_page_read_is_a_refusal() {
    let logs = rebound(Some(reading(Some(421), false)), vec![arrived(Some(421))]);
    expect(
        &fetch("guarded"),
        &guarded(),
        &logs,
        ReachedRefused,
        "Host: x.rebind.example:8100` and was refused: 421",
    );
}

#[test]
fn a_refusal_that_the_page_could_not_read_is_a_refusal() {
    let logs = rebound(Some(failing()), vec![silent(), arrived(Some(421))]);
    let websocket = case("guarded", Method::Websocket, Off);
    expect(&websocket, &guarded(), &logs, ReachedRefused, "421");
}

#[test]
fn a_refusal_carries_the_guards_reason() {
    let mut logs = rebound(Some(reading(Some(421), false)), vec![arrived(Some(421))]);
    logs.connections[0].requests[0].refusal = Some(serde_json::json!({ "reason": "host_not_allowed" }));
    expect(
        &fetch("guarded"),
        &guarded(),
        &logs,
        ReachedRefused,
        "`host_not_allowed`",
    );
}

#[test]
fn a_service_is_read_if_it_answers_a_foreign_name_as_its_own() {
    let logs = |status| rebound(Some(reading(Some(status), false)), vec![arrived(Some(status))]);
    let name = "127.0.0.1:11434";
    for (own, foreign, status, outcome) in [
        (200, 200, 200, ReachedReadable),
        // It asks everybody for credentials: it does not refuse the name.
        (401, 401, 401, ReachedReadable),
        (404, 404, 404, ReachedReadable),
        (401, 403, 403, ReachedRefused),
        // Another page of it is missing; its name was not refused.
        (200, 200, 404, ReachedReadable),
        (500, 500, 500, ReachedReadable),
        (200, 403, 403, ReachedRefused),
        (302, 400, 400, ReachedRefused),
        (200, 421, 421, ReachedRefused),
        // A failure is no refusal.
        (200, 500, 500, ReachedReadable),
    ] {
        let target = service(Some(own), Some(foreign));
        let (found, evidence) = judge(&fetch(name), &target, &logs(status));
        assert_eq!(found, outcome, "{own} {foreign} {status} {evidence:#?}");
    }
}

#[test]
fn a_service_that_was_read_once_beside_refusals_was_read() {
    let name = "127.0.0.1:11434";
    let target = service(Some(200), Some(403));
    for (method, status) in [(Method::Fetch, Some(200)), (Method::Popup, None)] {
        let case = case(name, method, Off);
        let logs = rebound(
            Some(reading(status, false)),
            vec![arrived(Some(403)), arrived(Some(200))],
        );
        expect(&case, &target, &logs, ReachedReadable, "under the foreign name (200)");
    }
    // An icon that is missing is no answer to the page.
    let mut logs = rebound(Some(reading(None, false)), vec![arrived(Some(403)), arrived(Some(404))]);
    logs.connections[1].requests[0].target = "/favicon.ico".to_owned();
    expect(&case(name, Method::Popup, Off), &target, &logs, ReachedRefused, "403");
}

#[test]
fn a_service_that_hangs_up_on_foreign_names_refuses() {
    let logs = rebound(Some(failing()), vec![arrived(None)]);
    let target = service(Some(200), None);
    expect(&fetch("127.0.0.1:11434"), &target, &logs, ReachedRefused, "no answer");
    let target = service(Some(200), Some(200));
    expect(
        &fetch("127.0.0.1:11434"),
        &target,
        &logs,
        Inconclusive,
        "side effects are possible",
    );
}

#[test]
fn a_websocket_proves_nothing_where_the_service_has_none() {
    let logs = rebound(Some(failing()), vec![arrived(Some(404))]);
    let mut target = service(Some(200), Some(200));
    (target.own_name_upgrade, target.foreign_name_upgrade) = (Some(404), Some(404));
    let websocket = case("127.0.0.1:11434", Method::Websocket, Off);
    expect(&websocket, &target, &logs, Inconclusive, "no WebSocket at `/`");
}

#[test]
fn a_request_that_was_served_and_not_read_is_no_safety() {
    let logs = rebound(Some(failing()), vec![arrived(Some(200))]);
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        Inconclusive,
        "side effects are possible",
    );
}

#[test]
fn connections_without_a_byte_are_a_block() {
    let logs = rebound(Some(failing()), vec![silent(), silent()]);
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        BlockedByBrowser,
        "accepted 2 connections and got no byte",
    );
}

#[test]
fn connections_without_a_byte_prove_nothing_without_a_failure() {
    let page = PageReport {
        attempts: 2,
        ..PageReport::default()
    };
    let mut logs = rebound(Some(page), vec![silent()]);
    logs.dns.pop();
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        NotRequeried,
        "did not ask for the name again in 2.5 s",
    );
}

#[test]
fn an_attempt_that_waits_is_a_prompt() {
    let page = PageReport {
        pending: true,
        ..PageReport::default()
    };
    let logs = rebound(Some(page), vec![silent()]);
    expect(&fetch("canary"), &canary(), &logs, Prompted, "waits for its user");
}

#[test]
fn a_block_before_the_connection_is_told_by_the_console() {
    let mut logs = rebound(Some(failing()), Vec::new());
    logs.console = vec!["Failed to load resource: net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS".to_owned()];
    expect(&fetch("canary"), &canary(), &logs, BlockedByBrowser, "the browser says");
}

#[test]
fn a_resolver_that_keeps_the_address_is_told_by_the_control() {
    let mut logs = rebound(Some(failing()), Vec::new());
    logs.control = Control::Filtered;
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        FilteredByResolver,
        "came out of the resolver neither",
    );
    logs.control = Control::Passed;
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        BlockedByBrowser,
        "the browser did not connect",
    );
    logs.page.as_mut().unwrap().failures = 2;
    expect(&fetch("canary"), &canary(), &logs, Inconclusive, "no connection came");
    // The attempts may have gone to the attacker, who still listens.
    logs.page.as_mut().unwrap().failures = 9;
    let mut case = fetch("canary");
    case.strategy = Strategy::FirstThenSecond;
    expect(&case, &canary(), &logs, Inconclusive, "no connection came");
}

#[test]
fn a_name_that_is_not_asked_for_again_is_no_defence() {
    let mut logs = rebound(Some(failing()), Vec::new());
    logs.dns = vec![question(false, false)];
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        NotRequeried,
        "did not ask for the name again",
    );
}

#[test]
fn without_the_page_nothing_is_known() {
    expect(
        &fetch("canary"),
        &canary(),
        &rebound(None, Vec::new()),
        Inconclusive,
        "never ran",
    );
    let logs = rebound(None, vec![arrived(Some(200))]);
    expect(
        &fetch("canary"),
        &canary(),
        &logs,
        Inconclusive,
        "the target answered the first request",
    );
}

#[test]
fn what_does_not_run_is_not_safe() {
    let mut target = service(None, None);
    let logs = rebound(Some(failing()), vec![silent()]);
    expect(
        &fetch("127.0.0.1:11434"),
        &target,
        &logs,
        NotRunning,
        "did not answer under its own name",
    );
    target.trouble = Some("no such package".to_owned());
    expect(&fetch("127.0.0.1:11434"), &target, &logs, NotRunning, "no such package");
}

fn ended(case: Case, outcome: Outcome) -> CaseResult {
    CaseResult {
        case,
        authority: String::new(),
        outcome,
        evidence: Vec::new(),
        logs: Logs::default(),
    }
}

fn concluded(targets: &[Target], cases: &[CaseResult]) -> (Conclusion, String) {
    let services: Vec<_> = targets.iter().map(|target| judge_service(target, cases)).collect();
    let (conclusion, reasons) = conclude(&services, cases);
    (conclusion, reasons.join("\n"))
}

#[test]
fn a_run_is_safe_if_the_control_was_read_and_the_rest_refused() {
    let cases = [
        ended(case("canary", Method::Fetch, On), BlockedByBrowser),
        ended(case("guarded", Method::Fetch, On), BlockedByBrowser),
        ended(case("canary", Method::Fetch, Off), ReachedReadable),
        ended(case("guarded", Method::Fetch, Off), ReachedRefused),
    ];
    assert_eq!(concluded(&[canary(), guarded()], &cases).0, Conclusion::Safe);
}

#[test]
fn a_run_without_a_negative_control_is_inconclusive() {
    for (canary_on, canary_off) in [(BlockedByBrowser, BlockedByBrowser), (ReachedReadable, Inconclusive)] {
        let cases = [
            ended(case("canary", Method::Popup, On), canary_on),
            ended(case("canary", Method::Popup, Off), canary_off),
            ended(case("guarded", Method::Popup, On), ReachedRefused),
            ended(case("guarded", Method::Popup, Off), ReachedRefused),
        ];
        let (conclusion, reasons) = concluded(&[canary(), guarded()], &cases);
        assert_eq!(conclusion, Conclusion::Inconclusive);
        assert!(reasons.contains("negative control: no case by popup"), "{reasons}");
    }
}

#[test]
fn what_the_browser_hides_before_the_canary_too_is_passed_over_if_another_method_has_a_control() {
    let run = |canary_by_fetch, canary_by_popup| {
        let cases = [
            ended(case("canary", Method::Fetch, On), canary_by_fetch),
            ended(case("guarded", Method::Fetch, On), BlockedByBrowser),
            ended(case("canary", Method::Popup, On), canary_by_popup),
            ended(case("guarded", Method::Popup, On), ReachedRefused),
        ];
        concluded(&[canary(), guarded()], &cases)
    };
    let (conclusion, reasons) = run(BlockedByBrowser, ReachedReadable);
    assert_eq!(conclusion, Conclusion::Safe);
    assert!(
        reasons.contains("by fetch the browser let nothing through"),
        "{reasons}"
    );
    let (conclusion, reasons) = run(BlockedByBrowser, BlockedByBrowser);
    assert_eq!(conclusion, Conclusion::Inconclusive);
    assert!(reasons.contains("negative control: no case read"), "{reasons}");
    let (conclusion, reasons) = run(Inconclusive, ReachedReadable);
    assert_eq!(conclusion, Conclusion::Inconclusive);
    assert!(reasons.contains("negative control: no case by fetch"), "{reasons}");
}

#[test]
fn what_refused_once_and_served_once_is_not_taken_for_refusing() {
    let with = |method, outcome, status| CaseResult {
        logs: rebound(Some(failing()), vec![arrived(status)]),
        ..ended(case("127.0.0.1:11434", method, On), outcome)
    };
    let refused = with(Method::Popup, ReachedRefused, Some(421));
    let mut target = service(Some(200), Some(421));
    target.own_name_upgrade = Some(404);
    let verdict = |other| judge_service(&target, &[refused.clone(), other]);
    let served = verdict(with(Method::Fetch, Inconclusive, Some(200)));
    assert_eq!(served.verdict, ServiceVerdict::NotTested);
    assert!(
        served.summary.contains("it may be open; in 1 of 2 cases it refused"),
        "{}",
        served.summary
    );
    // What was refused and not seen by the page, and a handshake with what has no WebSocket, take nothing away.
    for other in [
        with(Method::Fetch, Inconclusive, Some(421)),
        with(Method::Websocket, Inconclusive, Some(404)),
        with(Method::Fetch, BlockedByBrowser, None),
    ] {
        assert_eq!(verdict(other).verdict, ServiceVerdict::Refuses);
    }
}

#[test]
fn a_run_that_tests_nothing_is_not_safe() {
    let cases = [ended(case("canary", Method::Fetch, Off), ReachedReadable)];
    let (conclusion, reasons) = concluded(&[canary()], &cases);
    assert_eq!(conclusion, Conclusion::Inconclusive);
    assert!(reasons.contains("nothing but the bare canary"), "{reasons}");
}

#[test]
fn one_method_without_a_control_is_enough_to_doubt() {
    let cases = [
        ended(case("canary", Method::Fetch, Off), ReachedReadable),
        ended(case("guarded", Method::Fetch, Off), ReachedRefused),
        ended(case("canary", Method::Iframe, Off), Inconclusive),
        ended(case("guarded", Method::Iframe, Off), ReachedRefused),
    ];
    let (conclusion, reasons) = concluded(&[canary(), guarded()], &cases);
    assert_eq!(conclusion, Conclusion::Inconclusive);
    assert!(
        reasons.contains("by iframe") && !reasons.contains("by fetch"),
        "{reasons}"
    );
}

#[test]
fn a_guarded_case_must_be_refused_where_its_bare_twin_was_read() {
    for (outcome, expected) in [
        (ReachedRefused, Conclusion::Safe),
        (ReachedReadable, Conclusion::Vulnerable),
        (BlockedByBrowser, Conclusion::Inconclusive),
        (Inconclusive, Conclusion::Inconclusive),
    ] {
        let cases = [
            ended(case("canary", Method::Fetch, Off), ReachedReadable),
            ended(case("guarded", Method::Fetch, Off), outcome),
        ];
        assert_eq!(concluded(&[canary(), guarded()], &cases).0, expected, "{outcome:?}");
    }
}

#[test]
fn a_block_by_the_browser_is_never_safety_of_the_service() {
    let name = "127.0.0.1:11434";
    let cases = [
        ended(case("canary", Method::Fetch, Off), ReachedReadable),
        ended(case(name, Method::Fetch, On), BlockedByBrowser),
    ];
    let service = service(Some(200), Some(403));
    assert_eq!(judge_service(&service, &cases).verdict, ServiceVerdict::NotTested);
    let (conclusion, reasons) = concluded(&[canary(), service], &cases);
    assert_eq!(conclusion, Conclusion::Inconclusive);
    assert!(reasons.contains("only the browser stopped it"), "{reasons}");
}

#[test]
fn a_service_that_was_read_once_is_vulnerable() {
    let name = "127.0.0.1:11434";
    let cases = [
        ended(case("canary", Method::Fetch, Off), ReachedReadable),
        ended(case(name, Method::Fetch, On), BlockedByBrowser),
        ended(case(name, Method::Fetch, Off), ReachedReadable),
        ended(case(name, Method::Iframe, Off), ReachedRefused),
    ];
    let service = service(Some(200), Some(200));
    assert_eq!(judge_service(&service, &cases).verdict, ServiceVerdict::Vulnerable);
    assert_eq!(concluded(&[canary(), service], &cases).0, Conclusion::Vulnerable);
}

#[test]
fn outcomes_are_spelled_as_the_documents_say() {
    let names: Vec<String> = [
        ReachedReadable,
        ReachedRefused,
        BlockedByBrowser,
        Prompted,
        FilteredByResolver,
        NotRequeried,
        NotRunning,
        Inconclusive,
    ]
    .iter()
    .map(|outcome| {
        let json = serde_json::to_string(outcome).unwrap();
        assert_eq!(json, format!("\"{}\"", outcome.name()));
        json
    })
    .collect();
    assert_eq!(
        names.join(" "),
        "\"reached_readable\" \"reached_refused\" \"blocked_by_browser\" \"prompted\" \"filtered_by_resolver\" \
         \"not_requeried\" \"not_running\" \"inconclusive\""
    );
}
