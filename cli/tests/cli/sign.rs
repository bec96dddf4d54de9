//! Signing on the command line, and judging what was signed: secrets, bodies of any size, replay.

use std::fs::File;
use std::process::Command;

use serde_json::Value;

use crate::run::{Ran, directory, hostbound, run_command, run_in};

const POLICY: &str = r#"version = 1
[hosts]
allow = ["api.example.com"]
[signatures.api]
profile = "host-nonce"
max_body = "2GiB"
keys = [{ id = "k1", secret = { env = "API_KEY" } }]
[signatures.partner]
profile = "http-message-signatures"
tag = "partner"
max_body = "2GiB"
keys = [{ id = "p1", secret = { file = "partner.key" } }]
[[routes]]
path = "/api/**"
require = ["signature:api"]
[[routes]]
path = "/partner/**"
require = ["signature:partner"]
"#;
const API_KEY: &str = "published-test-key-0123456789abcdef";
const PARTNER_KEY: &str = "published-test-key-fedcba9876543210";
const NOW: &str = "1767225600";

fn files() -> tempfile::TempDir {
    directory(&[
        ("hostbound.toml", POLICY),
        ("partner.key", PARTNER_KEY),
        ("secrets.json", &format!("{{\"API_KEY\": \"{API_KEY}\"}}")),
        ("body", "{\"a\":1}"),
    ])
}

fn run(directory: &tempfile::TempDir, arguments: &[&str]) -> Ran {
    run_in(directory.path(), arguments, b"")
}

/// The headers as `-H` options.
fn options(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.lines().map(|line| format!("-H{line}")).collect()
}

#[test]
fn what_is_signed_is_allowed_once_it_is_sent_as_it_was_told() {
    let directory = files();
    for (section, url) in [
        ("api", "https://api.example.com/api/a?b=c"),
        ("partner", "https://api.example.com/partner"),
    ] {
        let sign = [
            "sign",
            "POST",
            url,
            "--section",
            section,
            "--body",
            "body",
            "--secrets",
            "secrets.json",
        ];
        let signed = run(&directory, &sign);
        let headers = options(&signed);
        let explain = |url: &str, body: &str| {
            let mut arguments = vec!["explain", "POST", url, "--body", body, "--secrets", "secrets.json"];
            arguments.extend(headers.iter().map(String::as_str));
            run(&directory, &arguments)
        };
        let ran = explain(url, "body");
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("pass  signature  signed with the key"),
            "{}",
            ran.stdout
        );
        assert_eq!(explain(&format!("{url}x"), "body").code, 1);
        assert_eq!(explain(url, "hostbound.toml").code, 1);
    }
}

#[test]
fn the_base_is_shown_and_no_secret_ever() {
    let directory = files();
    let ran = run(
        &directory,
        &[
            "sign",
            "POST",
            "https://api.example.com/api/a?b=c",
            "--section",
            "api",
            "--body",
            "body",
            "--secrets",
            "secrets.json",
            "--now",
            NOW,
            "--nonce",
            "n-0123456789abcdef",
            "--explain",
        ],
    );
    assert_eq!(
        ran.stderr,
        "the signature base, before 7 bytes of body:\nPOST\napi.example.com\n/api/a?b=c\n1767225600\nn-0123456789abcdef\n\n"
    );
    let names: Vec<_> = ran.stdout.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(names, ["x-nonce", "x-timestamp", "x-api-signature"]);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("published"), "{text}");
    }
}

#[test]
fn json_has_headers_and_base() {
    let directory = files();
    let arguments = [
        "sign",
        "GET",
        "https://api.example.com/partner?a",
        "--section",
        "partner",
    ];
    let ran = run(
        &directory,
        &[&arguments[..], &["--secrets", "secrets.json", "--format", "json"]].concat(),
    );
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["headers"][0][0], "signature-input");
    assert_eq!(json["body_length"], Value::Null);
    assert!(json["base"].as_str().unwrap().starts_with("\"@method\": GET\n"));
}

#[test]
fn what_cannot_be_signed_is_said() {
    let directory = files();
    let sign = |arguments: &[&str]| {
        run(
            &directory,
            &[&["sign", "--secrets", "secrets.json"], arguments].concat(),
        )
    };
    let url = "https://api.example.com/api/a";
    for (arguments, words) in [
        (&["GET", url][..], "name one with --section: api, partner"),
        (&["GET", url, "--section", "other"], "no such signatures section"),
        (
            &["GET", "https://evil.test/", "--section", "api"],
            "exactly one Host that the policy allows",
        ),
        (&["GET", "https://api.example.com/?", "--section", "api"], "lone `?`"),
        (
            &["GET", url, "--section", "api", "--nonce", "short"],
            "nonce is missing or malformed",
        ),
        (&["GET", url, "--section", "api", "--key-id", "k2"], "no such key"),
        (
            &["GET", url, "--section", "api", "--body", "none"],
            "none cannot be read",
        ),
        (
            &["GET", url, "--section", "api", "-H", "X-Nonce: a"],
            "a header `x-nonce` already",
        ),
    ] {
        let ran = sign(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn secrets_come_from_the_environment_the_file_or_the_option() {
    let directory = files();
    let check = |command: &mut Command| {
        run_command(
            command
                .current_dir(directory.path())
                .args(["decide", "--format", "json"]),
            b"",
        )
    };
    let missing = check(hostbound().env_remove("API_KEY"));
    assert_eq!(missing.code, 2);
    assert!(
        missing.stdout.contains("\"code\":\"secret-missing\""),
        "{}",
        missing.stdout
    );
    assert!(
        missing
            .stdout
            .contains("the environment variable `API_KEY` is not given")
    );
    assert!(missing.stdout.contains("\"line\":7"), "{}", missing.stdout);
    assert_eq!(check(hostbound().env("API_KEY", API_KEY)).code, 0);
    // One value in two places.
    let twice = check(hostbound().env("API_KEY", PARTNER_KEY));
    assert!(twice.stdout.contains("secret-duplicate"), "{}", twice.stdout);
    assert!(!twice.stdout.contains("published"));
    // The option wins over the environment.
    let option = ["--secrets", "secrets.json"];
    assert_eq!(
        check(hostbound().env("API_KEY", "short").args(["--color", "never"])).code,
        2
    );
    let ran = run_command(
        hostbound()
            .env("API_KEY", "short")
            .current_dir(directory.path())
            .arg("decide")
            .args(option),
        b"",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (text, words) in [
        ("{\"OTHER\": \"x\"}", "no secret of the policy has the name `OTHER`"),
        ("[]", "no JSON object of strings"),
        ("{\"API_KEY\": 7}", "no JSON object of strings"),
        (
            "{\"API_KEY\": \"published-secret\", \"API_KEY\": \"b\"}",
            "each name once",
        ),
    ] {
        std::fs::write(directory.path().join("s.json"), text).unwrap();
        let ran = run(&directory, &["decide", "--secrets", "s.json"]);
        assert_eq!(ran.code, 2, "{text}");
        assert!(
            ran.stderr.contains(words) && !ran.stderr.contains("published"),
            "{text}: {}",
            ran.stderr
        );
    }
    std::fs::write(directory.path().join("partner.key"), format!("{PARTNER_KEY}\n")).unwrap();
    let line_end = run(&directory, &["decide", "--secrets", "secrets.json"]);
    assert!(line_end.stderr.contains("ends in a line feed"), "{}", line_end.stderr);
    std::fs::remove_file(directory.path().join("partner.key")).unwrap();
    let gone = run(&directory, &["decide", "--secrets", "secrets.json"]);
    assert!(gone.stderr.contains("partner.key cannot be read"), "{}", gone.stderr);
}

/// A gibibyte of body, in a fraction of that much memory.
#[cfg(target_os = "linux")]
#[test]
fn a_body_of_any_size_takes_constant_memory() {
    let directory = files();
    let path = directory.path().join("large");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    for (section, url) in [
        ("api", "https://api.example.com/api/a"),
        ("partner", "https://api.example.com/partner"),
    ] {
        // In KiB of address space: 200 MB.
        let limited = |arguments: &[&str]| {
            let mut command = Command::new("sh");
            command
                .args([
                    "-c",
                    "ulimit -v 200000; exec \"$0\" \"$@\"",
                    env!("CARGO_BIN_EXE_hostbound"),
                ])
                .args(arguments)
                .current_dir(directory.path());
            run_command(&mut command, b"")
        };
        let sign = [
            "sign",
            "PUT",
            url,
            "--section",
            section,
            "--body",
            "large",
            "--secrets",
            "secrets.json",
        ];
        let headers = options(&limited(&sign));
        let mut explain = vec!["explain", "PUT", url, "--body", "large", "--secrets", "secrets.json"];
        explain.extend(headers.iter().map(String::as_str));
        let ran = limited(&explain);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
}
