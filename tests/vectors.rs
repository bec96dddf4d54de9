//! Runs `tests/vectors` against the engine.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostbound::{Check, Outcome, Reason, Step};
use hostbound_vectors::{self as vectors, Case};
use serde_json::{Value, json};

/// Every case gives the verdict it wants, in every field but `detail`, `id` and `policy`.
#[test]
fn every_verdict_is_as_wanted() {
    let mut wrong = Vec::new();
    let mut count = 0_usize;
    for file in vectors::load() {
        for case in &file.cases {
            count += 1;
            let found = judge(&file, case);
            let found = vectors::pinned_fields(&found);
            if found != case.want {
                wrong.push(format!(
                    "{}: {}\n  want  {}\n  found {}",
                    case.id, case.comment, case.want, found
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    println!("{count} vectors");
}

/// The verdict does not depend on how the request came: packed and unpacked it is the same.
#[test]
fn packing_changes_no_verdict() {
    for file in vectors::load() {
        for case in &file.cases {
            let (guard, mut memory) = file.stage(case);
            // What is kept of tokens is kept for one guard.
            let (its_guard, mut other) = file.stage(case);
            let document = case.document();
            let headers = document.headers();
            let mut buffer = Vec::new();
            hostbound::pack(&document.request(&headers), document.now(), &mut buffer).unwrap();
            let (request, now) = hostbound::Request::unpack(&buffer).unwrap();
            let verdict = its_guard.judge_with(&request, now, document.body(), &mut other.with_answers_of(&document));
            let packed = verdict.document(document.id.as_deref()).to_json();
            assert_eq!(packed, guard.decide(&document, &mut memory).to_json(), "{}", case.id);
        }
    }
}

/// A line of a log is the verdict's document, but for what a token claims.
#[test]
fn a_line_of_a_log_has_all_but_claims() {
    for file in vectors::load() {
        for case in &file.cases {
            let (guard, mut memory) = file.stage(case);
            let document = case.document();
            let headers = document.headers();
            let request = document.request(&headers);
            let mut answers = memory.with_answers_of(&document);
            let verdict = guard.judge_with(&request, document.now(), document.body(), &mut answers);
            for id in [
                None,
                Some("a"),
                Some("\" \\ \u{0}\u{1f}\n\r\t\u{8}\u{c}\u{7f} \u{e9}\u{2028}\u{1f600}"),
            ] {
                let mut json = verdict.document(id).to_json();
                if let Some(token) = verdict.document(id).identity.and_then(|identity| identity.token) {
                    let claims = format!(",\"claims\":{}", token.claims);
                    json = json.replacen(&claims, "", 1);
                }
                assert_eq!(verdict.to_log_json(id), json, "{}", case.id);
            }
        }
    }
}

/// Every denial has its nearest allowed twin: an allowed case that differs in one field of the request, or in the policy.
#[test]
fn every_denial_has_an_allowed_twin() {
    for file in vectors::load() {
        file.assert_twins();
    }
}

/// Every reason is denied somewhere, and every check is the one that decides.
#[test]
fn every_reason_has_cases() {
    let mut denied = BTreeMap::<String, usize>::new();
    let mut reported = BTreeSet::new();
    for file in vectors::load() {
        for case in &file.cases {
            if let Some(reason) = case.want["reason"].as_str() {
                *denied.entry(reason.to_owned()).or_default() += 1;
            }
            reported.extend(case.want["reported"][0]["reason"].as_str().map(str::to_owned));
        }
    }
    for reason in Reason::ALL {
        let count = denied.get(reason.as_str()).copied().unwrap_or(0);
        assert!(count >= 3, "{reason} is denied in {count} cases");
        // Report mode uses nothing up.
        let is_reported =
            !reason.is_always_enforced() && !matches!(reason, Reason::NonceReplayed | Reason::ReplayStoreUnavailable);
        assert_eq!(
            reported.contains(reason.as_str()),
            is_reported,
            "{reason} in report mode"
        );
    }
    assert!(
        Check::ALL
            .iter()
            .all(|check| Reason::ALL.iter().any(|reason| reason.check() == *check))
    );
}

/// Every case of `docs/field-cases.md` has its vectors, and says which.
#[test]
fn every_field_case_has_vectors() {
    let mut flagged = BTreeMap::<u32, BTreeSet<String>>::new();
    for file in vectors::load() {
        for case in &file.cases {
            for number in case
                .flags
                .iter()
                .filter_map(|flag| flag.strip_prefix("case-")?.parse().ok())
            {
                let decision = if case.want["decision"] == json!("allow") {
                    "A"
                } else {
                    "D"
                };
                flagged
                    .entry(number)
                    .or_default()
                    .insert(format!("{} {decision}", case.id));
            }
        }
    }
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/field-cases.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        let number = cells.first()?.trim().parse::<u32>().ok()?;
        Some((
            number,
            cells
                .last()?
                .split(',')
                .map(|id| id.trim().to_owned())
                .collect::<BTreeSet<_>>(),
        ))
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert_eq!(rows, flagged);
    assert!((1..=33).all(|number| rows.contains_key(&number)));
}

/// A trace ends where the verdict does: its first failure gives the verdict's reason, or what is reported.
#[test]
fn the_trace_agrees_with_the_verdict() {
    for file in vectors::load() {
        for case in &file.cases {
            let (guard, mut memory) = file.stage(case);
            let explanation = guard.explain(&case.document(), &mut memory);
            let first = explanation.steps.iter().find(|step| step.decides);
            let reported = explanation.verdict.reported.first().map(|report| report.reason);
            assert_eq!(
                first.and_then(|step| step.reason),
                explanation.verdict.reason.or(reported),
                "{}",
                case.id
            );
            assert_eq!(explanation.steps.len(), Check::ALL.len(), "{}", case.id);
        }
    }
}

/// The trace of a token names the rule that decides first, and tells no part of the token.
#[test]
fn the_trace_of_a_token_agrees_with_the_verdict_and_tells_nothing_of_it() {
    let mut reasons = BTreeSet::new();
    for file in vectors::load() {
        for case in file.cases.iter().filter(|case| case.policy.get("tokens").is_some()) {
            let (guard, mut memory) = file.stage(case);
            let explanation = guard.explain(&case.document(), &mut memory);
            let is_judged = |check| {
                explanation
                    .steps
                    .iter()
                    .any(|step| step.check == check && step.outcome != Outcome::Skip)
            };
            let of_token = |step: &&Step| matches!(step.check, Check::Token | Check::Claims);
            let steps: Vec<_> = explanation.steps.iter().filter(of_token).collect();
            let findings: Vec<_> = steps.iter().flat_map(|step| &step.findings).collect();
            let mut failures = findings.iter().filter_map(|finding| finding.reason);
            let wanted = steps.iter().find_map(|step| step.reason);
            let is_told = is_judged(Check::Token) && wanted != Some(Reason::RequestMalformed);
            assert_eq!(!findings.is_empty(), is_told, "{}: {steps:?}", case.id);
            assert_eq!(failures.next(), wanted.filter(|_| is_told), "{}: {findings:?}", case.id);
            reasons.extend(wanted.map(Reason::as_str));
            for step in &steps {
                let own = step.findings.iter().find_map(|finding| finding.reason);
                assert_eq!(own, step.reason.filter(|_| is_told), "{}: {step:?}", case.id);
            }
            let told = serde_json::to_string(&findings).unwrap();
            for part in parts_of_tokens(&case.request) {
                assert!(!told.contains(&part), "{}: `{part}` in {told}", case.id);
            }
        }
    }
    assert!(reasons.len() > 15, "{reasons:?}");
}

/// Of every token in a request: all runs of 12 characters of its parts, and the strings among its claims, as far as they are nobody else's.
fn parts_of_tokens(request: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    for header in request["headers"].as_array().unwrap() {
        let value = header[1].as_str().unwrap_or_default();
        for word in value.split([' ', '=', ';']) {
            for part in word.split('.').filter(|_| word.len() > 20) {
                let characters: Vec<_> = part.chars().collect();
                parts.extend(characters.windows(12).map(|run| run.iter().collect()));
            }
            let payload = word
                .split('.')
                .nth(1)
                .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
            let claims: Value = serde_json::from_slice(&payload.unwrap_or_default()).unwrap_or_default();
            for name in ["sub", "jti", "client_id", "iss", "aud"] {
                parts.extend(claims[name].as_str().filter(|value| value.len() > 7).map(str::to_owned));
            }
        }
    }
    parts
}

fn judge(file: &vectors::File, case: &Case) -> Value {
    let (guard, mut memory) = file.stage(case);
    let verdict = guard.decide(&case.document(), &mut memory);
    serde_json::from_str(&verdict.to_json()).unwrap()
}

/// A refused token is answered with the challenge of RFC 6750 §3; whoever lacks a scope is told which the route needs.
#[test]
fn refused_tokens_are_challenged() {
    let file = vectors::load().into_iter().find(|file| file.name == "token").unwrap();
    let mut scopes = 0_usize;
    for case in &file.cases {
        let (guard, mut memory) = file.stage(case);
        let document = case.document();
        let headers = document.headers();
        let request = document.request(&headers);
        let verdict = guard.judge_with(
            &request,
            document.now(),
            document.body(),
            &mut memory.with_answers_of(&document),
        );
        let challenge = verdict.challenge();
        match (
            verdict.denied().map(|failure| failure.reason()),
            case.want["check"].as_str(),
        ) {
            (Some(Reason::TokenMissing), _) => assert_eq!(challenge.as_deref(), Some("Bearer"), "{}", case.id),
            (Some(Reason::ScopeInsufficient), _) => {
                let challenge = challenge.unwrap();
                let scope = challenge.strip_prefix("Bearer error=\"insufficient_scope\", scope=\"");
                let scope = scope.and_then(|rest| rest.strip_suffix('"')).unwrap();
                let routes = case.policy["routes"].as_array().unwrap();
                let is_of_route = |route: &Value| {
                    let listed = route["scopes"].as_array().into_iter().flatten();
                    listed.filter_map(Value::as_str).eq(scope.split(' '))
                };
                assert!(routes.iter().any(is_of_route), "{}: {scope}", case.id);
                scopes += 1;
            }
            (Some(_), Some("token" | "claims")) => {
                assert_eq!(
                    challenge.as_deref(),
                    Some("Bearer error=\"invalid_token\""),
                    "{}",
                    case.id
                );
            }
            (None, _) => assert_eq!(challenge, None, "{}", case.id),
            _ => {}
        }
    }
    assert!(scopes > 10);
}

/// `signature.json` is what its generator writes, which knows the contract and not the engine.
#[test]
fn generated_vectors_are_current() {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/generate/signature.py");
    let ran = std::process::Command::new("python3")
        .args([generator.as_os_str(), "--check".as_ref()])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
