//! One case on the page: its evidence and its logs.

use maud::{Markup, html};
use serde_json::Value;

use super::badge;
use super::limits::Limits;
use crate::log::{ArrivedRequest, Connection, DnsQuestion, Logs, PageReport};
use crate::report::grid::Entry;
use crate::report::text::{count, outcome, plain, seconds};
use crate::report::words;
use crate::verdict::CaseResult;

pub(super) fn case(entry: Entry<'_>, is_control: bool, limits: Limits) -> Markup {
    let result = entry.result;
    let (symbol, tone) = words::at(result.outcome, is_control);
    let number = entry.index + 1;
    html! {
        details.case {
            summary {
                span.title { span.index { (number) } " " (result.case.strategy.name()) ", " (result.case.method.name()) }
                span.settings { "Local Network Access " (result.case.local_network_access.name()) }
                (badge(symbol, &outcome(result), tone))
            }
            // Inside, so that a link to it opens the case.
            div.body id={ "case-" (number) } {
                @if !result.evidence.is_empty() {
                    ul.evidence { (limits.lines(&result.evidence, |line| html! { li { (limits.text(line)) } }, |left| html! { li { (left) } })) }
                }
                (facts(result, limits))
                (dns(&result.logs, limits))
                (connections(&result.logs.connections, limits))
                (page(result.logs.page.as_ref(), limits))
                (console(&result.logs.console, limits))
            }
        }
    }
}

fn facts(result: &CaseResult, limits: Limits) -> Markup {
    let logs = &result.logs;
    let attacker = format!("{:?}", result.case.attacker).to_lowercase();
    let mut facts = vec![
        ("Outcome", result.outcome.name().to_owned()),
        ("Stopped by", result.outcome.stopped_by().to_owned()),
        ("Rebound name", limits.text(&result.authority)),
        ("Attacker's address space", attacker),
    ];
    if let Some(range) = &result.case.taken_for_public {
        facts.push(("Taken for public", limits.text(range)));
    }
    facts.push((
        "Name flipped",
        logs.flipped_ms
            .map_or_else(|| "never".to_owned(), |at| format!("after {at} ms")),
    ));
    facts.push(("Took", seconds(logs.duration_ms)));
    pairs(facts)
}

fn pairs(pairs: Vec<(&str, String)>) -> Markup {
    html! { dl.facts { @for (name, value) in pairs { div { dt { (name) } dd { (value) } } } } }
}

/// A log that can be opened, if there is anything in it.
fn log(title: &str, number: String, empty: bool, content: Markup) -> Markup {
    html! {
        @if empty {
            p.empty { (title) ": " (number) }
        } @else {
            details.log { summary { (title) ": " (number) } div.scroll role="region" tabindex="0" aria-label=(title) { (content) } }
        }
    }
}

fn left_out(columns: usize) -> impl Fn(String) -> Markup {
    move |left| html! { tr { td.left-out colspan=(columns) { (left) } } }
}

fn dns(logs: &Logs, limits: Limits) -> Markup {
    let row = |question: &DnsQuestion| {
        let addresses: Vec<_> = question.addresses.iter().take(8).map(ToString::to_string).collect();
        html! {
            tr {
                td.number { (question.at_ms) " ms" }
                td { (limits.text(&question.kind)) " over " (limits.text(&question.transport)) }
                td {
                    @if let Some(alias) = &question.alias { "CNAME " code { (limits.text(alias)) } " " }
                    code { (addresses.join(", ")) }
                    @if question.addresses.len() > 8 { " and " (question.addresses.len() - 8) " more" }
                    @if addresses.is_empty() && question.alias.is_none() { "nothing" }
                }
                td { @if question.target { "yes" } @else { "no" } }
                td { @if question.flipped { "yes" } @else { "no" } }
            }
        }
    };
    let table = html! {
        table {
            caption { "What was asked for the rebound name" }
            thead { tr {
                th.number scope="col" { "At" } th scope="col" { "Question" } th scope="col" { "Answer" }
                th scope="col" { "Leads to target" } th scope="col" { "After the flip" }
            } }
            tbody { (limits.lines(&logs.dns, row, left_out(5))) }
        }
    };
    log("DNS", count(logs.dns.len(), "question"), logs.dns.is_empty(), table)
}

/// One line of the second log: a connection without a request, or a request.
enum Arrival<'a> {
    Silent(&'a Connection),
    Request(&'a Connection, &'a ArrivedRequest),
}

fn connections(connections: &[Connection], limits: Limits) -> Markup {
    let arrivals = |connection| -> Vec<_> {
        let connection: &Connection = connection;
        match connection.requests.as_slice() {
            [] => vec![Arrival::Silent(connection)],
            requests => requests
                .iter()
                .map(|request| Arrival::Request(connection, request))
                .collect(),
        }
    };
    let all: Vec<_> = connections.iter().flat_map(arrivals).collect();
    let has_requests = connections.iter().any(|connection| !connection.requests.is_empty());
    let row = |arrival: &Arrival<'_>| match arrival {
        Arrival::Silent(connection) => html! {
            tr {
                td.number { (connection.at_ms) " ms" }
                td.number { (connection.bytes) }
                td.silent colspan=[has_requests.then_some("6")] {
                    @if connection.bytes == 0 { "connected, and sent nothing" } @else { "no whole request" }
                }
            }
        },
        Arrival::Request(connection, request) => html! {
            tr {
                td.number { (request.at_ms) " ms" }
                td.number { (connection.bytes) }
                td { code { (limits.text(&request.method)) " " (limits.text(&request.target)) } }
                td { code { (header(request, "host", limits)) } }
                td { code { (header(request, "origin", limits)) } }
                td { (words::answer(request.status)) }
                td { (verdict(request.refusal.as_ref(), limits)) }
                td { (verdict(request.policy.as_ref(), limits)) }
            }
        },
    };
    let table = html! {
        table {
            caption { "What arrived at the target" }
            thead { tr {
                th.number scope="col" { "At" } th.number scope="col" { "Bytes" } th scope="col" { "Request" }
                @if has_requests {
                    th scope="col" { "Host" } th scope="col" { "Origin" } th scope="col" { "Answer" }
                    th scope="col" { "The guard" } th scope="col" { "The policy" }
                }
            } }
            tbody { (limits.lines(&all, row, left_out(if has_requests { 8 } else { 3 }))) }
        }
    };
    let requests: usize = connections.iter().map(|connection| connection.requests.len()).sum();
    let number = format!(
        "{} with {}",
        count(connections.len(), "connection"),
        count(requests, "request")
    );
    log("Target", number, connections.is_empty(), table)
}

fn header(request: &ArrivedRequest, name: &str, limits: Limits) -> String {
    request
        .header(name)
        .map_or_else(|| "none".to_owned(), |value| limits.text(value))
}

/// `deny 421 host_not_allowed`; a verdict of another shape as its JSON.
fn verdict(verdict: Option<&Value>, limits: Limits) -> String {
    let Some(verdict) = verdict else {
        return "–".to_owned();
    };
    let text = |name: &str| verdict.get(name).and_then(Value::as_str);
    let Some(decision) = text("decision") else {
        return limits.text(&verdict.to_string());
    };
    let status = verdict
        .get("status")
        .and_then(Value::as_u64)
        .map_or_else(String::new, |status| format!(" {status}"));
    let reason = text("reason").map_or_else(String::new, |reason| format!(" {}", limits.text(reason)));
    format!("{}{status}{reason}", limits.text(decision))
}

fn page(page: Option<&PageReport>, limits: Limits) -> Markup {
    let Some(page) = page else {
        return log("Page", "never ran".to_owned(), true, html! {});
    };
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let mut facts = vec![
        ("Attempts", page.attempts.to_string()),
        ("Failed after the flip", page.failures.to_string()),
    ];
    match &page.read {
        Some(read) => {
            let secret = if read.secret {
                "with the canary's secret"
            } else {
                "without the canary's secret"
            };
            let status = read
                .status
                .map_or_else(|| "no status".to_owned(), |status| format!("status {status}"));
            facts.push(("Read", format!("{status}, {} characters, {secret}", read.length)));
        }
        None => facts.push(("Read", "nothing".to_owned())),
    }
    facts.push((
        "Flip to first answer",
        page.rebind_ms.map_or_else(|| "–".to_owned(), seconds),
    ));
    facts.push((
        "Wrote with a header of its own",
        page.wrote.map_or_else(|| "not tried".to_owned(), yes),
    ));
    facts.push(("Attempt hanging", yes(page.pending)));
    facts.push(("Secure context", yes(page.secure_context)));
    let permissions: Vec<_> = page.permissions.iter().collect();
    let permission = |(name, state): &(&String, &String)| html! { (limits.text(name)) " " (limits.text(state)) "; " };
    let errors: Vec<_> = page.errors.iter().collect();
    let error = |(error, times): &(&String, &u32)| html! { li { code { (limits.text(error)) } " × " (times) } };
    let content = html! {
        (pairs(facts))
        @if !errors.is_empty() { ul { (limits.lines(&errors, error, |left| html! { li { (left) } })) } }
        @if !permissions.is_empty() { p { "Permissions: " (limits.lines(&permissions, permission, |left| html! { (left) "; " })) "they say nothing on a page without TLS." } }
        p.agent { "User agent: " (plain(&page.user_agent, 200)) }
    };
    log(
        "Page",
        count(usize::try_from(page.attempts).unwrap_or(usize::MAX), "attempt"),
        false,
        content,
    )
}

/// A line that comes again and again is said once.
fn console(lines: &[String], limits: Limits) -> Markup {
    let runs: Vec<_> = lines.chunk_by(|one, other| one == other).collect();
    let run = |run: &&[String]| {
        html! {
            @if let Some(line) = run.first() {
                li { code { (limits.text(line)) } @if run.len() > 1 { span.times { " × " (run.len()) } } }
            }
        }
    };
    let list = html! {
        ul.console { (limits.lines(&runs, run, |left| html! { li.left-out { (left) } })) }
    };
    log("Console", count(lines.len(), "line"), lines.is_empty(), list)
}
