//! `hostbound explain`.

use serde_json::Value;

use crate::run::{LOCAL, Ran, directory, request, run_in};

fn explain(arguments: &[&str], stdin: &str) -> Ran {
    let directory = directory(&[("hostbound.toml", LOCAL), ("request.json", &request("x", "localhost"))]);
    run_in(directory.path(), &[&["explain"], arguments].concat(), stdin.as_bytes())
}

fn verdict(arguments: &[&str]) -> Value {
    let ran = explain(&[arguments, &["--format", "json", "--peer", "127.0.0.1"]].concat(), "");
    let explanation: Value = serde_json::from_str(&ran.stdout).unwrap();
    explanation["verdict"].clone()
}

#[test]
fn every_check_says_what_it_found() {
    let ran = explain(
        &[
            "GET",
            "http://127.0.0.1:8080/path?token=x",
            "-H",
            "Host: evil.test",
            "-H",
            "Origin: http://evil.test",
        ],
        "",
    );
    assert_eq!(
        ran.stdout,
        "\
pass  request  well-formed, within the limits
FAIL  host     host_not_allowed: host `evil.test` is not allowed  (hosts.allow, hostbound.toml:3)
FAIL  peer     peer_not_allowed: the peer is not known  (peers.allow, hostbound.toml:5)
FAIL  origin   origin_not_allowed: origin `http://evil.test` is not allowed  (origins.allow, by default)
skip  route    the policy has no routes section

verdict  deny 421 host_not_allowed: host `evil.test` is not allowed
answer   421 host_not_allowed
"
    );
    assert_eq!(
        ran.stderr,
        "help: the policy judges the peer; say who connects with --peer ADDRESS\n"
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn what_is_allowed_says_why() {
    let ran = explain(&["GET", "http://localhost:8080", "--peer", "127.0.0.1"], "");
    assert_eq!(
        ran.stdout,
        "\
pass  request  well-formed, within the limits
pass  host     host is localhost:8080  (hosts.allow[0], hostbound.toml:3)
pass  peer     peer is allowed  (peers.allow[0], hostbound.toml:5)
pass  origin   neither Origin nor Sec-Fetch-Site: a program, not a page  (origins.absent, by default)
skip  route    the policy has no routes section

verdict  allow host localhost:8080
answer   the service's own
"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_url_becomes_the_request_that_a_client_would_send() {
    for (arguments, decision, reason) in [
        (&["GET", "http://localhost/"][..], "allow", None),
        (
            &["GET", "https://localhost/", "-H", "Origin: https://localhost"],
            "allow",
            None,
        ),
        (
            &["GET", "http://localhost/", "-H", "Origin: https://localhost:80"],
            "deny",
            Some("origin_not_allowed"),
        ),
        (&["GET", "http://evil.test/", "-H", "host: localhost"], "allow", None),
        (
            &[
                "GET",
                "http://evil.test/",
                "-H",
                "host: localhost",
                "-H",
                "Host: localhost",
            ],
            "deny",
            Some("host_duplicate"),
        ),
        (&["GET", "/", "-H", "Host: localhost"], "allow", None),
        (&["GET", "/"], "deny", Some("host_missing")),
        (&["GET", "/", "-H", "Host:"], "deny", Some("host_malformed")),
        (&["GET", "http://localhost/", "--http", "2"], "allow", None),
        (
            &["GET", "http://localhost/", "--http", "2", "-H", "Host: evil.test"],
            "deny",
            Some("host_not_allowed"),
        ),
        (
            &["GET", "/", "--http", "3", "-H", ":authority: localhost"],
            "allow",
            None,
        ),
        (
            &["GET", "/", "--http", "1.1", "-H", ":authority: localhost"],
            "deny",
            Some("request_malformed"),
        ),
        (&["get", "http://localhost/"], "deny", Some("request_malformed")),
        (&["GET", "http://b\u{fc}cher.example/"], "deny", Some("host_malformed")),
    ] {
        let verdict = verdict(arguments);
        assert_eq!(verdict["decision"], decision, "{arguments:?}: {verdict}");
        assert_eq!(verdict["reason"].as_str(), reason, "{arguments:?}: {verdict}");
    }
}

#[test]
fn a_request_comes_from_a_file_or_standard_input() {
    let pretty = "{\n  \"method\": \"GET\",\n  \"target\": \"/\",\n  \"headers\": [[\"host\", \"localhost\"]],\n  \"peer\": \"127.0.0.1\"\n}\n";
    for ran in [
        explain(&["request.json"], ""),
        explain(&[], pretty),
        explain(&["-"], &request("x", "localhost")),
    ] {
        assert!(ran.stdout.contains("\nverdict  allow host localhost"), "{}", ran.stdout);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    }
}

#[test]
fn what_is_no_request_cannot_be_explained() {
    let ran = explain(&[], "{\"method\":\"GET\",\n\"target\":1}");
    assert_eq!(
        ran.stderr,
        "error: this is no request: invalid type: integer `1`, expected a string at line 2 column 10\n"
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
}

#[test]
fn the_trace_in_json_is_the_engines() {
    let ran = explain(&["request.json", "--format", "json"], "");
    let policy = hostbound::Policy::from_toml(LOCAL, "hostbound.toml").unwrap();
    let document = hostbound::RequestDocument::from_json(request("x", "localhost").as_bytes()).unwrap();
    let explanation =
        hostbound::Guard::new(policy).explain(&document, &mut hostbound::Memory::new(hostbound::Timestamp(0)));
    assert_eq!(
        ran.stdout,
        format!("{}\n", serde_json::to_string(&explanation).unwrap())
    );
}
