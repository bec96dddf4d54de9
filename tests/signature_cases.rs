//! `docs/signature-cases.md` says what is so: every vector and every test that it names is there.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hostbound::{ClaimOutcome, Inspection, Reason, Timestamp};
use hostbound_vectors as vectors;
use serde_json::{Value, json};

const ROWS: std::ops::RangeInclusive<u32> = 51..=72;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_row_names_what_is_there() {
    let decisions = decisions();
    let sources = sources(&["src", "tests", "cli", "bindings"]);
    let page = fs::read_to_string(root().join("docs/signature-cases.md")).unwrap();
    let mut rows = Vec::new();
    let (mut vectors, mut tests) = (0_usize, 0_usize);
    for line in page.lines() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse::<u32>().ok()) else {
            continue;
        };
        assert_eq!(cells.len(), 5, "row {number}");
        rows.push(number);
        let mut own = 0_usize;
        for entry in cells[4].split(", ") {
            let (first, second) = entry
                .split_once(' ')
                .unwrap_or_else(|| panic!("row {number}: `{entry}`"));
            if first == "test" {
                assert!(is_test(&sources, second), "row {number}: there is no test `{second}`");
                tests += 1;
            } else {
                let decision = decisions.get(first).copied();
                assert_eq!(decision, Some(second), "row {number}: {first}");
                own += 1;
            }
        }
        assert!(own >= 2, "row {number} has {own} vectors");
        vectors += own;
    }
    assert_eq!(rows, ROWS.collect::<Vec<_>>());
    println!("{} rows, {vectors} vectors, {tests} tests", rows.len());
}

/// Of requests A or D; of policies E for errors, L for lints alone, else A.
fn decisions() -> BTreeMap<String, &'static str> {
    let mut decisions = BTreeMap::new();
    for case in vectors::load().into_iter().flat_map(|file| file.cases) {
        let is_allowed = case.want["decision"] == json!("allow");
        decisions.insert(case.id, if is_allowed { "A" } else { "D" });
    }
    let policies = fs::read_to_string(root().join("tests/vectors/policy.json")).unwrap();
    let policies: Value = serde_json::from_str(&policies).unwrap();
    for case in policies["cases"].as_array().unwrap() {
        let some = |what: &str| case["want"][what].as_array().is_some_and(|rows| !rows.is_empty());
        let decision = match (some("errors"), some("lints")) {
            (true, _) => "E",
            (false, true) => "L",
            (false, false) => "A",
        };
        decisions.insert(case["id"].as_str().unwrap().to_owned(), decision);
    }
    decisions
}

/// In Rust a function, in JavaScript a call of `test`, in Python a function.
fn is_test(sources: &[(PathBuf, String)], name: &str) -> bool {
    let forms = [format!("fn {name}("), format!("test('{name}'"), format!("def {name}(")];
    sources
        .iter()
        .any(|(_, text)| forms.iter().any(|form| text.contains(form.as_str())))
}

fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let is_ours = path
                .file_name()
                .is_none_or(|name| name != "node_modules" && name != "target");
            if is_ours {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if path
            .extension()
            .is_some_and(|end| ["rs", "mjs", "js", "ts", "py"].iter().any(|known| end == *known))
        {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

const COMPARISONS: [&str; 8] = [
    "== tag",
    "tag ==",
    "!= tag",
    "tag !=",
    "tag.eq(",
    "== expected",
    "expected ==",
    "constant_time",
];

/// MACs are made in two places, to sign and to be compared by `hmac::verify`; nothing else touches a tag.
#[test]
fn ring_alone_compares_tags() {
    let mut uses = BTreeMap::new();
    for (path, text) in sources(&["src"]) {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        if path.contains("third_party") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for form in [
            "hmac::verify(",
            "hmac::sign(",
            "hmac::Context::with_key(",
            "hmac::Key::new(",
            "context.sign()",
        ] {
            let count = code.matches(form).count();
            if count > 0 {
                uses.insert((path.clone(), form), count);
            }
        }
        let touches_tags =
            path.starts_with("src/signature") || path.starts_with("src/guard") || path.starts_with("src/token/jws");
        for line in code.lines().filter(|_| touches_tags) {
            // The grammar asks how long a tag is.
            let line = line.replace("tag.len()", "");
            let is_comparison = COMPARISONS.iter().any(|form| line.contains(form));
            assert!(!is_comparison, "{path}: {}", line.trim());
        }
    }
    let wanted = [
        // The one signature; and each of several, through a MAC of its own.
        ("src/signature/body.rs", "hmac::verify(", 2),
        ("src/signature/body.rs", "hmac::Context::with_key(", 1),
        ("src/signature/body.rs", "hmac::sign(", 1),
        ("src/signature/body.rs", "context.sign()", 1),
        ("src/signature/head.rs", "hmac::verify(", 1),
        ("src/signature/sign.rs", "hmac::Context::with_key(", 1),
        ("src/signature/sign/message.rs", "hmac::sign(", 1),
        ("src/signature/sign.rs", "context.sign()", 1),
        ("src/guard/keys.rs", "hmac::Key::new(", 1),
        // Stands for a secret; held against nothing that was sent.
        ("src/guard/keys.rs", "hmac::sign(", 1),
        // Of tokens.
        ("src/token/key.rs", "hmac::verify(", 1),
        ("src/token/key.rs", "hmac::Key::new(", 1),
    ];
    let wanted: BTreeMap<_, _> = wanted
        .map(|(path, form, count)| ((path.to_owned(), form), count))
        .into();
    assert_eq!(uses, wanted);
}

/// A store that cannot be asked, or is full, is no reason to serve; whatever it says of a claim, an epoch after the signature was made denies.
#[test]
fn a_store_that_fails_denies() {
    let file = vectors::load()
        .into_iter()
        .find(|file| file.name == "signature")
        .unwrap();
    for id in [
        "signature-hn-post",
        "signature-ss-post",
        "signature-sw-post",
        "signature-ms-post",
    ] {
        let case = file.cases.iter().find(|case| case.id == id).unwrap();
        let (guard, document) = (case.guard(), case.document());
        let headers = document.headers();
        let request = document.request(&headers);
        let now = document.now().unwrap();
        for (outcome, epoch, wanted) in [
            (ClaimOutcome::Made, Timestamp(0), None),
            (ClaimOutcome::Present, Timestamp(0), Some(Reason::NonceReplayed)),
            (ClaimOutcome::Full, Timestamp(0), Some(Reason::ReplayStoreUnavailable)),
            (ClaimOutcome::Failed, Timestamp(0), Some(Reason::ReplayStoreUnavailable)),
            (ClaimOutcome::Made, now, Some(Reason::ReplayStoreUnavailable)),
            (ClaimOutcome::Present, now, Some(Reason::ReplayStoreUnavailable)),
        ] {
            let Inspection::NeedsBody(mut needs) = guard.inspect(&request, Some(now)) else {
                panic!("{id}: the head passes")
            };
            needs.update(document.body());
            let Inspection::NeedsNonce(needs) = needs.finish() else {
                panic!("{id}: the body passes")
            };
            let verdict = needs.answer(outcome, epoch);
            let denied = verdict.denied().map(|failure| failure.reason());
            assert_eq!(denied, wanted, "{id}: {outcome:?}");
            if wanted == Some(Reason::ReplayStoreUnavailable) {
                assert_eq!(verdict.status(), 503, "{id}: {outcome:?}");
            }
        }
    }
}
