//! Runs `tests/vectors/policy.json` and `policy_token.json`: every kind of mistake with its place, every lint, and what must not be either.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostbound::{ErrorCode, Guard, LintId, Policy, PolicyDocument, Position, Secrets, Surroundings};
use serde_json::{Value, json};

struct Case {
    id: String,
    toml: String,
    /// By the name of the variable or of the secret; none: the policy is only read.
    secrets: Option<BTreeMap<String, String>>,
    processes: u64,
    want: Value,
}

fn cases() -> Vec<Case> {
    ["policy.json", "policy_token.json"]
        .into_iter()
        .flat_map(cases_of)
        .collect()
}

fn cases_of(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["schema"], "hostbound-policy-vectors-1");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |case: &Value| Case {
        id: text(&case["id"]),
        toml: text(&case["toml"]),
        secrets: case["secrets"].as_object().map(|secrets| {
            let secrets = secrets.iter();
            secrets.map(|(name, value)| (name.clone(), text(value))).collect()
        }),
        processes: case["processes"].as_u64().unwrap_or(1),
        want: case["want"].clone(),
    };
    file["cases"].as_array().unwrap().iter().map(case).collect()
}

fn row(code: &str, path: &str, position: Option<Position>) -> Value {
    json!([code, path, position.map(|position| position.to_string())])
}

/// The public suffixes that the vectors name; the command line brings the whole list.
fn is_public_suffix(base: &str) -> bool {
    base == "co.uk"
}

fn found(case: &Case) -> Value {
    let document = match PolicyDocument::from_toml(&case.toml, "hostbound.toml") {
        Ok(document) => document,
        Err(errors) => return rows(&errors),
    };
    let policy = match document.compile() {
        Ok(policy) => policy,
        Err(errors) => return rows(&errors),
    };
    let mut lints = document.lint(Surroundings {
        is_public_suffix: &is_public_suffix,
        has_several_processes: case.processes > 1,
    });
    if let Some(values) = &case.secrets {
        let mut secrets = Secrets::new();
        for (name, value) in values {
            assert!(
                secrets.insert_named(policy.secrets(), name, value),
                "{}: {name}",
                case.id
            );
        }
        lints.extend(policy.lint_secrets(&secrets));
        if let Err(errors) = Guard::with_secrets(policy, &secrets) {
            return rows(&errors);
        }
    }
    let lints: Vec<_> = lints
        .iter()
        .map(|lint| row(lint.id().as_str(), lint.path(), lint.position()))
        .collect();
    json!({"lints": lints})
}

fn rows(errors: &hostbound::PolicyErrors) -> Value {
    let errors: Vec<_> = errors
        .errors()
        .iter()
        .map(|error| row(error.code().as_str(), error.path(), error.position()))
        .collect();
    json!({"errors": errors})
}

#[test]
fn every_document_is_read_as_wanted() {
    let wrong: Vec<_> = cases()
        .into_iter()
        .filter_map(|case| {
            let found = found(&case);
            (found != case.want).then(|| format!("{}: {}\n  want  {}\n  found {found}", case.id, case.toml, case.want))
        })
        .collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_error_and_every_lint_has_cases() {
    let mut names = BTreeSet::new();
    for case in cases() {
        for rows in case.want.as_object().unwrap().values() {
            names.extend(
                rows.as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row[0].as_str().unwrap().to_owned()),
            );
        }
    }
    // A text of 16 MiB is no vector; see `texts_are_bounded`.
    names.insert(ErrorCode::TooLarge.as_str().to_owned());
    let known = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str())
        .chain(LintId::ALL.iter().map(|lint| lint.as_str()));
    assert_eq!(names, known.map(str::to_owned).collect());
}

/// TOML, JSON and the compiled form are one policy: the same digest, and the same mistakes in the same places.
#[test]
fn every_form_is_the_same_policy() {
    for case in cases() {
        let Ok(document) = PolicyDocument::from_toml(&case.toml, "hostbound.toml") else {
            continue;
        };
        let compiled = PolicyDocument::from_json(&document.to_compiled_json(), "compiled.json").unwrap();
        assert_eq!(compiled.file(), "hostbound.toml");
        let table: toml::Table = toml::from_str(&case.toml).unwrap();
        let plain = PolicyDocument::from_json(&serde_json::to_string(&table).unwrap(), "policy.json").unwrap();
        match document.compile() {
            Ok(policy) => {
                assert_eq!(compiled.compile().unwrap().digest(), policy.digest(), "{}", case.id);
                assert_eq!(plain.compile().unwrap().digest(), policy.digest(), "{}", case.id);
            }
            // The compiled form leaves the cases out, and their mistakes.
            Err(errors) if errors.errors().iter().all(|error| error.path().starts_with("cases")) => {}
            Err(errors) => {
                // Only a key that is unknown is pointed at itself; the source map has the places of values.
                let lines = |errors: &hostbound::PolicyErrors| -> Vec<_> {
                    let line = |error: &hostbound::PolicyError| error.position().map(|position| position.line);
                    let known = |error: &&hostbound::PolicyError| error.code() != ErrorCode::KeyUnknown;
                    errors
                        .errors()
                        .iter()
                        .filter(known)
                        .map(|error| (error.code(), error.path().to_owned(), line(error)))
                        .collect()
                };
                assert_eq!(lines(&compiled.compile().unwrap_err()), lines(&errors), "{}", case.id);
                assert_eq!(
                    plain.compile().unwrap_err().errors().len(),
                    errors.errors().len(),
                    "{}",
                    case.id
                );
            }
        }
    }
}

#[test]
fn the_digest_is_over_what_is_written() {
    let digest = |toml: &str| Policy::from_toml(toml, "hostbound.toml").unwrap().digest().to_owned();
    let plain = digest("version = 1\n[hosts]\nallow = [\"a.example\"]\n");
    // sha256 of {"hosts":{"allow":["a.example"]},"version":1}
    assert_eq!(
        plain,
        "sha256:3b88a9645901872e1123a8283565596ea7adfac740b94849f123992189435957"
    );
    assert_eq!(plain, digest("version = 1 # one\nhosts = { allow = ['a.example'] }\n"));
    assert_ne!(
        plain,
        digest("version = 1\nmode = \"enforce\"\n[hosts]\nallow = [\"a.example\"]\n"),
        "defaults are not filled in"
    );
}

#[test]
fn hosts_can_be_added_before_compiling() {
    let document =
        || PolicyDocument::from_toml("version = 1\n[hosts]\nallow = [\"*.a.example\"]\n", "hostbound.toml").unwrap();
    let mut added = document();
    assert_eq!(
        added
            .allow_hosts(["b.a.example", "x.example:8443", "[::1]"], "the option")
            .unwrap(),
        ["x.example:8443", "[::1]"]
    );
    let listed = PolicyDocument::from_toml(
        "version = 1\n[hosts]\nallow = [\"*.a.example\", \"x.example:8443\", \"[::1]\"]\n",
        "x",
    )
    .unwrap();
    assert_eq!(added.compile().unwrap().digest(), listed.compile().unwrap().digest());
    for host in ["*.b.example", "10.0.0.0/8", "", "a b", "http://a.example"] {
        let error = document()
            .allow_hosts([host], "HOSTBOUND_ALLOWED_HOSTS")
            .unwrap_err()
            .to_string();
        assert!(error.contains("HOSTBOUND_ALLOWED_HOSTS"), "{error}");
    }
}

#[test]
fn texts_are_bounded() {
    let long = "#".repeat(16 * 1024 * 1024 + 1);
    let errors = PolicyDocument::from_toml(&long, "long.toml").unwrap_err();
    assert_eq!(errors.errors()[0].code(), ErrorCode::TooLarge);
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        PolicyDocument::from_toml(&deep, "deep.toml").unwrap_err().errors()[0].code(),
        ErrorCode::Syntax
    );
    assert_eq!(
        PolicyDocument::from_json(&deep[4..], "deep.json").unwrap_err().errors()[0].code(),
        ErrorCode::Syntax
    );
    let keys: String = (0..10_000).map(|index| format!("k{index} = 1\n")).collect();
    let errors = PolicyDocument::from_toml(&keys, "keys.toml")
        .unwrap()
        .compile()
        .unwrap_err();
    assert_eq!(errors.errors().len(), 100, "the first hundred");
}

#[test]
fn the_schema_file_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/hostbound.schema.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(
        written,
        hostbound::json_schema(),
        "run `hostbound schema > policies/hostbound.schema.json`"
    );
}
