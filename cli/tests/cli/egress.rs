//! `hostbound egress`: lines in, lines out, and all of `tests/vectors/egress.json`.

use std::collections::BTreeMap;

use hostbound::{EgressDocument, Guard};
use hostbound_vectors::{self as vectors, Case};
use serde_json::Value;

use crate::run::{Ran, directory, run_in};

const POLICY: &str = "version = 1\n[hosts]\nallow = [\"localhost\"]\n[egress]\nallow = [\"https://example.com\", \"https://10.0.0.5\"]\n";

fn egress(policy: &str, arguments: &[&str], stdin: &[u8]) -> Ran {
    let directory = directory(&[("hostbound.toml", policy)]);
    run_in(directory.path(), &[&["egress"], arguments].concat(), stdin)
}

/// The engine's verdicts, byte for byte.
#[test]
fn every_vector_has_the_engines_verdict() {
    let file = vectors::load_egress();
    let mut by_policy = BTreeMap::<String, Vec<&Case>>::new();
    for case in &file.cases {
        by_policy.entry(case.policy.to_string()).or_default().push(case);
    }
    let mut count = 0_usize;
    for (policy, cases) in &by_policy {
        let directory = directory(&[("policy.json", policy)]);
        let requests: String = cases.iter().map(|case| format!("{}\n", case.request)).collect();
        let ran = run_in(
            directory.path(),
            &["egress", "--policy", "policy.json"],
            requests.as_bytes(),
        );
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!((lines.len(), ran.stderr.as_str()), (cases.len(), ""));
        for (line, case) in lines.into_iter().zip(cases) {
            let document = EgressDocument::from_json(case.request.to_string().as_bytes()).unwrap();
            let verdict = Guard::new(case.policy()).judge_egress(&document);
            assert_eq!(line, verdict.to_json(), "{}", case.id);
            let found: Value = serde_json::from_str(line).unwrap();
            assert_eq!(vectors::pinned_fields(&found), case.want, "{}", case.id);
            count += 1;
        }
        let is_denied = cases.iter().any(|case| case.want["decision"] == "deny");
        assert_eq!(ran.code, i32::from(is_denied));
    }
    assert_eq!(count, file.cases.len());
    assert!(count > 250, "{count} vectors");
}

#[test]
fn the_exit_code_is_the_worst_line() {
    let (good, bad) = (r#"{"url":"https://example.com/"}"#, r#"{"url":"https://evil.test/"}"#);
    for (input, code) in [
        (String::new(), 0),
        (format!("{good}\n\n"), 0),
        (format!("{good}\n{bad}\n{good}"), 1),
        (format!("{bad}\n{{}}\n"), 3),
    ] {
        assert_eq!(egress(POLICY, &[], input.as_bytes()).code, code, "{input}");
    }
    let report = format!("mode = \"report\"\n{POLICY}");
    assert_eq!(egress(&report, &[], bad.as_bytes()).code, 0);
    assert_eq!(egress("version = 1\n", &[], good.as_bytes()).code, 2);
}

/// A line that is no request has the same verdict in its place as with `decide`, and tells no value.
#[test]
fn a_line_that_is_no_request_has_the_verdict_of_decide() {
    for line in [
        &b"nonsense"[..],
        b"[]",
        b"{}",
        b"\xff",
        b"{\"url\":\"s3cret",
        br#"{"url":"https://example.com/","url":"s3cret"}"#,
        br#"{"url":"https://example.com/","addresses":["s3cret"]}"#,
        br#"{"url":"https://example.com/","addresses":["fe80::1%eth0"]}"#,
        br#"{"url":"https://example.com/","headers":[["authorization","s3cret"]]}"#,
        &[b'x'; 5 * 1024 * 1024],
    ] {
        let ran = egress(POLICY, &[], line);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let fields = [&found["check"], &found["reason"], &found["decision"]];
        assert_eq!(fields, ["request", "request_malformed", "deny"]);
        assert_eq!(
            (ran.code, &found["status"], ran.stdout.lines().count()),
            (3, &400.into(), 1)
        );
        assert!(
            ran.stderr.starts_with("error: line 1 is no request: "),
            "{}",
            ran.stderr
        );
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("s3cret"), "{ran:?}");
    }
    let directory = directory(&[("hostbound.toml", POLICY)]);
    let [decide, egress] = ["decide", "egress"].map(|command| run_in(directory.path(), &[command], b"nonsense\n"));
    assert_eq!(decide, egress);
}

#[test]
fn people_read_one_line_a_request() {
    let input = [
        r#"{"id":"a","url":"https://example.com/?s3cret","addresses":["93.184.216.34","2606:4700::1"]}"#,
        r#"{"id":"b\u001b[2J","url":"https://evil.test/?s3cret"}"#,
        r#"{"url":"https://user:s3cret@example.com/"}"#,
        r#"{"url":"https://10.0.0.5/"}"#,
    ]
    .join("\n");
    let ran = egress(POLICY, &["--format", "human"], input.as_bytes());
    assert_eq!(
        ran.stdout,
        "allow host example.com port 443 at 93.184.216.34, 2606:4700::1 [a]\n\
         deny destination_not_allowed: host `evil.test` is not allowed [b\\u{1b}[2J]\n\
         deny userinfo_not_allowed: the URL has a user name or password\n\
         allow host 10.0.0.5 port 443\n"
    );
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (1, "2 allowed, 0 reported, 2 denied, 0 no requests\n")
    );
    let report = format!("mode = \"report\"\n{POLICY}");
    let ran = egress(&report, &["--format", "human"], br#"{"url":"https://evil.test/"}"#);
    assert_eq!(
        ran.stdout,
        "allow host evil.test port 443 (reported: destination_not_allowed: host `evil.test` is not allowed)\n"
    );
}
