//! All of `tests/vectors` through the command: the engine's verdicts, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use hostbound_vectors::{self as vectors, Case};
use serde_json::{Value, json};

use crate::run::{directory, root, run_in};

#[test]
fn every_vector_has_the_engines_verdict() {
    let files = vectors::load();
    let mut count = 0_usize;
    for file in &files {
        for run in runs(file) {
            let case = run.cases[0];
            let secrets = serde_json::to_string(&case.own_secrets()).unwrap();
            let policy = case.policy.to_string();
            let mut files = vec![("policy.json", policy.as_str()), ("secrets.json", &secrets)];
            files.extend(case.own_files());
            let directory = directory(&files);
            let requests: Vec<_> = run
                .before
                .iter()
                .chain(&run.cases)
                .map(|case| format!("{}\n", case.request))
                .collect();
            let ran = run_in(
                directory.path(),
                &[
                    "decide",
                    "--policy",
                    "policy.json",
                    "--secrets",
                    "secrets.json",
                    "--epoch",
                    &case.epoch.to_string(),
                    "--offline",
                ],
                requests.concat().as_bytes(),
            );
            let lines: Vec<_> = ran.stdout.lines().collect();
            assert_eq!(lines.len(), requests.len(), "{}", case.id);
            // What is wrong with an answer that a case brings along is told, and nothing else.
            let mut words = ran.stderr.lines();
            assert!(
                words.all(|line| line.starts_with("warning: tokens.")),
                "{}: {}",
                case.id,
                ran.stderr
            );
            for (line, case) in lines.into_iter().skip(run.before.len()).zip(&run.cases) {
                let (guard, mut replay) = file.stage(case);
                let verdict = guard.decide(&case.document(), &mut replay);
                assert_eq!(line, verdict.to_json(), "{}", case.id);
                let found: Value = serde_json::from_str(line).unwrap();
                assert_eq!(vectors::pinned_fields(&found), case.want, "{}", case.id);
                count += 1;
            }
            if run.before.is_empty() {
                let is_denied = |case: &&Case| case.want["decision"] == "deny";
                assert_eq!(ran.code, i32::from(run.cases.iter().any(is_denied)));
            }
        }
    }
    assert_eq!(count, files.iter().map(|file| file.cases.len()).sum::<usize>());
    assert!(count > 500, "{count} vectors");
}

/// What is judged by one run of the command: it has one policy and one replay store.
struct Run<'a> {
    before: Vec<&'a Case>,
    cases: Vec<&'a Case>,
}

/// Cases of one policy go together, unless they would use up each other's nonces or leave each other keys and answers.
fn runs(file: &vectors::File) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut by_policy = BTreeMap::<String, Vec<&Case>>::new();
    for case in &file.cases {
        let asks = |section: &Value| !section["keys"]["url"].is_null() || !section["introspection"].is_null();
        let mut sections = case.policy["tokens"]
            .as_object()
            .into_iter()
            .flat_map(|sections| sections.values());
        if case.policy.get("signatures").is_none() && !sections.any(asks) {
            by_policy.entry(case.policy.to_string()).or_default().push(case);
            continue;
        }
        let before = |id: &String| file.cases.iter().find(|other| other.id == *id).unwrap();
        runs.push(Run {
            before: case.before.iter().map(before).collect(),
            cases: vec![case],
        });
    }
    runs.extend(by_policy.into_values().map(|cases| Run {
        before: Vec::new(),
        cases,
    }));
    runs
}

/// Every policy of the vectors is read as wanted: its mistakes or its lints, with code, path and place.
#[test]
fn every_policy_vector_is_read_as_wanted() {
    for file in ["policy.json", "policy_token.json"] {
        read_policies(&root().join("tests/vectors").join(file));
    }
}

fn read_policies(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    // Those with secrets have `check --secrets` to themselves.
    let is_plain = |case: &&Value| case["secrets"].is_null() && case["processes"].is_null();
    let (cases, others): (Vec<_>, Vec<_>) = file["cases"].as_array().unwrap().iter().partition(is_plain);
    for case in others {
        let (secrets, processes) = (
            case["secrets"].to_string(),
            case["processes"].as_u64().unwrap_or(1).to_string(),
        );
        let directory = directory(&[("p.toml", case["toml"].as_str().unwrap()), ("s.json", &secrets)]);
        let mut arguments = vec!["check", "--format", "json", "--processes", &processes, "p.toml"];
        if !case["secrets"].is_null() {
            arguments.extend(["--secrets", "s.json"]);
        }
        let ran = run_in(directory.path(), &arguments, b"");
        assert_as_wanted(&serde_json::from_str(&ran.stdout).unwrap(), case);
    }
    let names: Vec<_> = cases
        .iter()
        .map(|case| format!("{}.toml", case["id"].as_str().unwrap()))
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(&cases)
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
    for (found, case) in found.iter().zip(&cases) {
        assert_as_wanted(found, case);
    }
}

fn assert_as_wanted(found: &Value, case: &Value) {
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
