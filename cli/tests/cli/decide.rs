//! `hostbound decide`: lines in, lines out.

use serde_json::{Value, json};

use crate::run::{LOCAL, Ran, directory, request, run_in};

fn decide(policy: &str, arguments: &[&str], stdin: &[u8]) -> Ran {
    let directory = directory(&[("hostbound.toml", policy)]);
    run_in(directory.path(), &[&["decide"], arguments].concat(), stdin)
}

fn verdicts(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_exit_code_is_the_worst_line() {
    let (good, bad) = (request("a", "localhost"), request("b", "evil.test"));
    for (input, code) in [
        (String::new(), 0),
        (format!("{good}\n"), 0),
        (format!("{good}\n{bad}\n{good}"), 1),
        (format!("{bad}\n{{}}\n"), 3),
    ] {
        assert_eq!(decide(LOCAL, &[], input.as_bytes()).code, code, "{input}");
    }
}

#[test]
fn what_is_only_reported_is_allowed() {
    let policy = format!("mode = \"report\"\n{LOCAL}");
    let ran = decide(&policy, &[], request("a", "evil.test").as_bytes());
    assert_eq!(ran.code, 0);
    assert_eq!(verdicts(&ran)[0]["reported"][0]["reason"], "host_not_allowed");
}

/// A line that is no request has a verdict in its place, with every field in its order.
#[test]
fn every_line_has_its_verdict() {
    let input = [
        request("1", "localhost").into_bytes(),
        b"nonsense".to_vec(),
        b"".to_vec(),
        request("4", "evil.test").into_bytes(),
        b"\"\xff\xfe\"".to_vec(),
        b"{\"method\":\"GET\",\"target\":\"/\",\"headers\":[[\"host\",\"\xff\"]]}".to_vec(),
        b"{\"method\":\"GET\",\"target\":\"/\",\"headers\":[],\"x\":1}".to_vec(),
        b" \t\r".to_vec(),
        [request("9", "localhost").as_bytes(), b"\r"].concat(),
        b"\0".to_vec(),
    ]
    .join(&b'\n');
    let ran = decide(LOCAL, &[], &input);
    let verdicts = verdicts(&ran);
    let reasons: Vec<_> = verdicts
        .iter()
        .map(|verdict| (&verdict["id"], &verdict["reason"]))
        .collect();
    let malformed = (&Value::Null, &json!("request_malformed"));
    assert_eq!(
        reasons,
        [
            (&json!("1"), &Value::Null),
            malformed,
            (&json!("4"), &json!("host_not_allowed")),
            malformed,
            malformed,
            malformed,
            (&json!("9"), &Value::Null),
            malformed,
        ]
    );
    let digest = hostbound::Policy::from_toml(LOCAL, "").unwrap().digest().to_owned();
    assert_eq!(
        ran.stdout.lines().nth(1).unwrap(),
        format!(
            r#"{{"id":null,"decision":"deny","status":400,"check":"request","reason":"request_malformed","public_reason":"request_malformed","rule":null,"detail":"line 2 is no request: a request is a JSON object","mode":"enforce","policy":"{digest}","identity":null,"reported":[]}}"#
        )
    );
    assert_eq!(ran.stderr.lines().count(), 5, "{}", ran.stderr);
    assert_eq!(
        ran.stderr.lines().next().unwrap(),
        "error: line 2 is no request: a request is a JSON object"
    );
    assert_eq!(ran.code, 3);
}

#[test]
fn bytes_reach_the_engine() {
    let input = concat!(
        r#"{"method":"GET","target":"/\u00ff","headers":[["host",{"base64":"bG9jYWxob3N0"}],["x","\u00ff"]],"peer":"127.0.0.1"}"#,
        "\n",
        r#"{"method":"GET","target":"/","headers":[["host",{"base64":"/w=="}]],"peer":"127.0.0.1"}"#,
    );
    let ran = decide(LOCAL, &[], input.as_bytes());
    let verdicts = verdicts(&ran);
    assert_eq!(verdicts[0]["decision"], "allow");
    assert_eq!((&verdicts[1]["reason"], ran.code), (&json!("host_malformed"), 1));
    assert!(
        verdicts[1]["detail"].as_str().unwrap().contains("`\\xff`"),
        "{}",
        verdicts[1]
    );
}

#[test]
fn an_over_long_line_is_passed_over() {
    let mut long = request("long", "localhost");
    let padding = " ".repeat(4 * 1024 * 1024 - long.len());
    long.push_str(&padding);
    let input = format!("{long}\n{long} \n{}\n", request("after", "localhost"));
    let ran = decide(LOCAL, &[], input.as_bytes());
    let verdicts = verdicts(&ran);
    assert_eq!(verdicts.len(), 3);
    assert_eq!(
        (&verdicts[0]["id"], &verdicts[2]["id"]),
        (&json!("long"), &json!("after"))
    );
    assert_eq!(verdicts[1]["detail"], "line 2 is no request: it is longer than 4 MiB");
    assert_eq!(ran.code, 3);
}

#[test]
fn complaints_are_few() {
    let ran = decide(LOCAL, &[], "x\n".repeat(1000).as_bytes());
    assert_eq!((verdicts(&ran).len(), ran.code), (1000, 3));
    assert_eq!(ran.stderr.lines().count(), 21);
    assert_eq!(
        ran.stderr.lines().last().unwrap(),
        "error: 1000 lines are no requests; the first 20 are listed above"
    );
}

/// What is no request may hold a credential all the same.
#[test]
fn complaints_quote_no_values() {
    let input = r#"{"method":"GET","target":"/","headers":"authorization: Bearer s3cret"}"#;
    let ran = decide(LOCAL, &[], input.as_bytes());
    assert!(
        !ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("invalid type: string, expected"), "{}", ran.stdout);
}

#[test]
fn for_people_a_line_is_a_summary() {
    let policy = format!("{LOCAL}[[routes]]\npath = \"/\"\nname = \"root\"\nrequire = []\n");
    let input = format!(
        "{}\n{}\n",
        request("a", "localhost:3000"),
        request("\\u001b[2J", "evil.test")
    );
    let ran = decide(&policy, &["--format", "human"], input.as_bytes());
    assert_eq!(
        ran.stdout,
        "allow host localhost:3000 route root [a]\n\
         deny 421 host_not_allowed: host `evil.test` is not allowed [\\u{1b}[2J]\n"
    );
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (1, "1 allowed, 0 reported, 1 denied, 0 no requests\n")
    );
}

#[test]
fn a_file_is_read_as_standard_input_is() {
    let input = format!("{}\n{}\n", request("a", "localhost"), request("b", "evil.test"));
    let directory = directory(&[("hostbound.toml", LOCAL), ("requests.jsonl", &input)]);
    let from_file = run_in(directory.path(), &["decide", "requests.jsonl"], b"");
    assert_eq!(from_file, run_in(directory.path(), &["decide", "-"], input.as_bytes()));
    assert_eq!(from_file, run_in(directory.path(), &["decide"], input.as_bytes()));
    assert_eq!(from_file.stdout.lines().count(), 2);
}
