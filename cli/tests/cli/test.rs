//! `hostbound test`.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::run::{LOCAL, directory, run_in};

fn with_cases(cases: &[(&str, &str, &str)]) -> String {
    let mut text = LOCAL.to_owned();
    for (name, host, expect) in cases {
        text.push_str(&format!(
            "[[cases]]\nname = \"{name}\"\nrequest = {{ method = \"GET\", target = \"/\", headers = [[\"host\", \"{host}\"]], \
             peer = \"127.0.0.1\" }}\nexpect = {expect}\n"
        ));
    }
    text
}

#[test]
fn every_case_is_told() {
    let policy = with_cases(&[
        ("a user", "localhost", "{ decision = \"allow\" }"),
        (
            "a rebound name",
            "evil.test",
            "{ decision = \"deny\", reason = \"host_not_allowed\" }",
        ),
    ]);
    let directory = directory(&[("hostbound.toml", &policy)]);
    let ran = run_in(directory.path(), &["test"], b"");
    assert_eq!(
        ran.stdout,
        "ok a user\nok a rebound name\nhostbound.toml: 2 cases, 2 ok, 0 failed\n"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_failure_says_what_was_expected_and_found() {
    let policy = with_cases(&[
        ("it goes", "localhost", "{ decision = \"allow\" }"),
        (
            "it is denied",
            "localhost:80",
            "{ decision = \"deny\", status = 421, identity = { host = \"x\" } }",
        ),
        (
            "it is allowed",
            "evil.test",
            "{ decision = \"allow\", reason = \"host_missing\" }",
        ),
    ]);
    let directory = directory(&[("p.toml", &policy)]);
    let ran = run_in(directory.path(), &["test", "p.toml"], b"");
    assert_eq!(
        ran.stdout,
        "\
ok it goes
FAILED it is denied (p.toml:10)
  decision: expected \"deny\", found \"allow\"
  identity: expected {\"host\":\"x\"}, found {\"host\":\"localhost\",\"preflight\":false,\"route\":null,\"signature\":null,\"token\":null}
  status: expected 421, found 200
FAILED it is allowed (p.toml:14)
  decision: expected \"allow\", found \"deny\"
  reason: expected \"host_missing\", found \"host_not_allowed\"
  detail: host `evil.test` is not allowed
p.toml: 3 cases, 1 ok, 2 failed
"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

#[test]
fn no_cases_tell_nothing() {
    let directory = directory(&[("p.toml", LOCAL)]);
    let ran = run_in(directory.path(), &["test", "p.toml"], b"");
    assert_eq!(
        ran.stderr,
        "p.toml: no cases, so nothing is known; add a [[cases]] table\n"
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
}

#[test]
fn the_gravest_of_several_policies_decides() {
    let good = with_cases(&[("a", "localhost", "{ decision = \"allow\" }")]);
    let failing = with_cases(&[("a", "localhost", "{ decision = \"deny\" }")]);
    let directory = directory(&[("good", &good), ("failing", &failing), ("none", LOCAL), ("bad", "")]);
    for (files, code) in [
        (&["good"][..], 0),
        (&["good", "failing"], 1),
        (&["failing", "none", "good"], 3),
        (&["failing", "bad", "none"], 2),
    ] {
        let ran = run_in(directory.path(), &[&["test"], files].concat(), b"");
        assert_eq!(ran.code, code, "{files:?}");
        assert_eq!(
            ran.stdout.contains("a (failing:6)"),
            files.contains(&"failing"),
            "{files:?}\n{}",
            ran.stdout
        );
    }
}

#[test]
fn json_is_one_object_a_case() {
    let policy = with_cases(&[
        ("a", "localhost", "{ decision = \"deny\" }"),
        ("b", "localhost", "{ decision = \"allow\" }"),
    ]);
    let directory = directory(&[("p.toml", &policy)]);
    let ran = run_in(directory.path(), &["test", "--format", "json", "p.toml"], b"");
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["name"], &lines[0]["line"], &lines[0]["passed"]),
        (&json!("a"), &json!(6), &json!(false))
    );
    assert_eq!(
        lines[0]["mismatches"],
        json!([{"field": "decision", "expected": "deny", "found": "allow"}])
    );
    assert_eq!(lines[0]["verdict"]["identity"]["host"], "localhost");
    assert_eq!(
        (&lines[1]["passed"], &lines[1]["mismatches"]),
        (&json!(true), &json!([]))
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

/// The server is there, and allowed: it is not asked.
#[test]
fn no_case_asks_another_server() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let origin = format!("https://{}", server.local_addr().unwrap());
    let policy = format!(
        "version = 1\n[hosts]\nallow = [\"localhost\"]\n\
         [tokens.s]\nissuer = \"https://i.example/\"\naudience = [\"a\"]\nalgorithms = [\"ES256\"]\nkeys = {{ url = \"{origin}/jwks\", pins = \"none\" }}\n\
         [[routes]]\npath = \"/**\"\nrequire = [\"token:s\"]\n\
         [egress]\nallow = [\"{origin}\"]\naddresses = [\"127.0.0.0/8\"]\n\
         [[cases]]\nname = \"no answer\"\nrequest = {{ now = 1, method = \"GET\", target = \"/\", headers = [[\"host\", \"localhost\"], [\"authorization\", \"Bearer {TOKEN}\"]] }}\n\
         expect = {{ decision = \"deny\", reason = \"token_keys_unavailable\" }}\n"
    );
    let directory = directory(&[("p.toml", &policy)]);
    let ran = run_in(directory.path(), &["test", "p.toml"], b"");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);

    // `decide` does, and the end of the connection is what it tells; offline it does not.
    let request = format!(
        r#"{{"now":1,"method":"GET","target":"/","headers":[["host","localhost"],["authorization","Bearer {TOKEN}"]]}}"#
    );
    let arguments = ["decide", "--policy", "p.toml", "--offline"];
    let ran = run_in(directory.path(), &arguments, request.as_bytes());
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{}", ran.stdout);
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    server.set_nonblocking(false).unwrap();
    let closing = std::thread::spawn(move || drop(server.accept().unwrap()));
    let ran = run_in(directory.path(), &arguments[..3], request.as_bytes());
    closing.join().unwrap();
    assert!(ran.stdout.contains("\"token_keys_unavailable\""), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("warning: tokens.s: no answer: "),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
}

/// `{"alg":"ES256","typ":"JWT"}`, `{}` and no signature in particular.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.AA";
