//! All of `tests/vectors` through the command: the engine's verdicts, byte for byte.

use std::collections::BTreeMap;

use hostbound::{Guard, RequestDocument};
use hostbound_vectors::{self as vectors, Case};
use serde_json::{Value, json};

use crate::run::{directory, root, run_in};

#[test]
fn every_vector_has_the_engines_verdict() {
    let files = vectors::load();
    let mut by_policy = BTreeMap::<String, Vec<&Case>>::new();
    for case in files.iter().flat_map(|file| &file.cases) {
        by_policy.entry(case.policy.to_string()).or_default().push(case);
    }
    let mut count = 0_usize;
    for (policy, cases) in &by_policy {
        let directory = directory(&[("policy.json", policy)]);
        let requests: String = cases.iter().map(|case| format!("{}\n", case.request)).collect();
        let ran = run_in(
            directory.path(),
            &["decide", "--policy", "policy.json"],
            requests.as_bytes(),
        );
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!((lines.len(), ran.stderr.as_str()), (cases.len(), ""));
        for (line, case) in lines.into_iter().zip(cases) {
            let document = RequestDocument::from_json(case.request.to_string().as_bytes()).unwrap();
            let verdict = Guard::new(case.policy()).decide(&document);
            assert_eq!(line, verdict.to_json(), "{}", case.id);
            let found: Value = serde_json::from_str(line).unwrap();
            assert_eq!(vectors::pinned_fields(&found), case.want, "{}", case.id);
            count += 1;
        }
        let is_denied = |case: &&&Case| case.want["decision"] == "deny";
        assert_eq!(ran.code, i32::from(cases.iter().any(|case| is_denied(&case))));
    }
    assert_eq!(count, files.iter().map(|file| file.cases.len()).sum::<usize>());
    assert!(count > 500, "{count} vectors");
}

/// Every policy of `policy.json` is read as wanted: its mistakes or its lints, with code, path and place.
#[test]
fn every_policy_vector_is_read_as_wanted() {
    let text = std::fs::read_to_string(root().join("tests/vectors/policy.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let names: Vec<_> = cases
        .iter()
        .map(|case| format!("{}.toml", case["id"].as_str().unwrap()))
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(cases)
        .map(|(name, case)| (name.as_str(), case["toml"].as_str().unwrap()))
        .collect();
    let directory = directory(&files);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let ran = run_in(
        directory.path(),
        &[&["check", "--format", "json"], &names[..]].concat(),
        b"",
    );
    let found: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((found.len(), ran.code), (cases.len(), 2), "{}", ran.stderr);
    for (found, case) in found.iter().zip(cases) {
        let rows = |key: &str| -> Value {
            let row = |row: &Value| json!([row["code"], row["path"], format!("{}:{}", row["line"], row["column"])]);
            found[key].as_array().into_iter().flatten().map(row).collect()
        };
        let found = match case["want"].get("errors") {
            Some(_) => json!({"errors": rows("errors")}),
            None => json!({"lints": rows("warnings")}),
        };
        assert_eq!(found, case["want"], "{}", case["id"]);
    }
}
