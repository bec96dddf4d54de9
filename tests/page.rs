//! Pages: runs `tests/vectors/page.json` against the engine, and what must hold for every input.

#![cfg(feature = "page")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::BTreeSet;

use hostbound::{Guard, PageDocument, Policy};
use hostbound_vectors::{self as vectors, Case};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every case gives the verdict it wants, in every field but `detail`, `id` and `policy`.
#[test]
fn every_verdict_is_as_wanted() {
    vectors::load_page().assert_verdicts(judge);
}

#[test]
fn every_denial_has_an_allowed_twin() {
    vectors::load_page().assert_twins();
}

/// Every reason that a page can meet is in the vectors.
#[test]
fn every_reason_has_cases() {
    let denied: BTreeSet<_> = vectors::load_page()
        .cases
        .iter()
        .filter_map(|case| case.want["reason"].as_str().map(str::to_owned))
        .collect();
    let wanted = [
        "credentials_not_allowed",
        "destination_not_allowed",
        "host_malformed",
        "host_missing",
        "host_not_allowed",
        "port_not_allowed",
        "redirect_not_allowed",
        "scheme_not_allowed",
        "url_malformed",
        "userinfo_not_allowed",
    ];
    assert!(denied.iter().eq(wanted), "{denied:?}");
}

/// Every denial has a detail for the operator, fit for a log, that quotes neither query nor userinfo.
#[test]
fn every_detail_is_fit_for_a_log() {
    for case in vectors::load_page().cases {
        let verdict = judge(&case);
        let details = [&verdict["detail"], &verdict["reported"][0]["detail"]];
        let found: Vec<_> = details.into_iter().filter_map(Value::as_str).collect();
        assert_eq!(found.is_empty(), case.is_plain_allow(), "{}", case.id);
        for detail in found {
            let is_fit = detail.len() < 600 && detail.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
            assert!(is_fit, "{}: {detail}", case.id);
        }
    }
    let guard = guard(&json!({"version": 1, "hosts": {"allow": ["localhost"]}}));
    for url in [
        "https://evil.test/?s3cret",
        "https://s3cret@evil.test/",
        "https://evil.test/#s3cret",
        "s3cret s3cret",
    ] {
        let document = document(&json!({"origin": "http://localhost", "url": url}));
        let verdict = guard.judge_page(&document).to_json();
        assert!(!verdict.contains("s3cret"), "{verdict}");
    }
}

#[test]
fn only_whole_documents_are_read() {
    for (text, want) in [
        (r#"{"origin":"null"}"#, ""),
        (r#"{"id":null,"origin":"x","url":null,"from":null,"headers":[]}"#, ""),
        ("{}", "missing field `origin`"),
        (r#"{"origin":"x","origin":"x"}"#, "duplicate field `origin`"),
        (r#"{"origin":"x","addresses":[]}"#, "unknown field"),
        (r#"["x"]"#, "a request is a JSON object"),
    ] {
        let error = PageDocument::from_json(text.as_bytes()).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            error.contains(want) && error.is_empty() == want.is_empty(),
            "{text}: {error}"
        );
    }
}

proptest! {
    /// Whatever a page is and asks for, it is judged; and a page under a foreign name gets nothing.
    #[test]
    fn nothing_panics_and_foreign_pages_get_nothing(origin in "(https?://)?[a-z.:@/\\[\\]0-9-]{0,30}|\\PC{0,20}", url in "(wss?|https?)?(://)?\\PC{0,30}") {
        let guard = guard(&json!({"version": 1, "hosts": {"allow": ["only.example"]}, "egress": {"allow": ["https://api.example"]}}));
        let verdict = guard.judge_page(&PageDocument { origin, url: Some(url), ..PageDocument::default() });
        prop_assert_eq!(verdict.decision(), hostbound::Decision::Deny);
    }
}

fn judge(case: &Case) -> Value {
    let verdict = Guard::new(case.policy()).judge_page(&document(&case.request));
    serde_json::from_str(&verdict.to_json()).unwrap()
}

fn document(request: &Value) -> PageDocument {
    PageDocument::from_json(request.to_string().as_bytes()).unwrap()
}

fn guard(policy: &Value) -> Guard {
    Guard::new(Policy::from_json(&policy.to_string(), "test").unwrap())
}
