//! `hostbound explain`.

use base64::Engine;
use serde_json::{Value, json};

use crate::run::{LOCAL, Ran, directory, request, root, run_in};

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

/// A request of a shipped policy's case, with the keys that the first case brings along.
fn of_case(name: &str) -> (Value, String) {
    let text = std::fs::read_to_string(root().join("policies/jwt-api.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let table = serde_json::to_value(table).unwrap();
    let cases = table["cases"].as_array().unwrap();
    let mut request = cases.iter().find(|case| case["name"] == name).unwrap()["request"].clone();
    request["answers"] = cases[0]["request"]["answers"].clone();
    let token = request["headers"][1][1].as_str().unwrap();
    let token = token.strip_prefix("Bearer ").unwrap().to_owned();
    (request, token)
}

#[test]
fn a_tokens_fate_is_told_rule_by_rule_and_the_token_is_not() {
    let (request, token) = of_case("too long-lived");
    let policies = root().join("policies");
    let run = |more: &[&str]| {
        let arguments = [&["explain", "--policy", "jwt-api.toml"], more].concat();
        run_in(&policies, &arguments, request.to_string().as_bytes())
    };
    let ran = run(&[]);
    let from = ran.stdout.find("pass  token").unwrap();
    assert_eq!(
        &ran.stdout[from..],
        "\
pass  token      signed by a key of the policy
        pass  place      found in the header `authorization`, after `Bearer`  (tokens.access, jwt-api.toml:24)
        pass  form       three parts, of which header and payload are JSON objects  (tokens.access, jwt-api.toml:24)
        pass  typ        `at+jwt` is listed  (tokens.access.types, jwt-api.toml:28)
        pass  alg        `ES256` is listed  (tokens.access.algorithms, jwt-api.toml:27)
        pass  keys       2 keys  (tokens.access.keys, jwt-api.toml:35)
        pass  kid        names a key  (tokens.access.keys, jwt-api.toml:35)
        pass  key        EC P-256, thumbprint zO-X-mn4XF4JrgoycZLbMPTTIWMDQ2x2IT4dU1zv9Do  (tokens.access.keys, jwt-api.toml:35)
        pass  signature  that of the key  (tokens.access.keys, jwt-api.toml:35)
FAIL  claims     token_lifetime_too_long: the token lives too long  (tokens.access.max_lifetime, jwt-api.toml:30)
        pass  iss              the section's  (tokens.access.issuer, jwt-api.toml:25)
        pass  aud              has a listed one  (tokens.access.audience, jwt-api.toml:26)
        pass  exp              3600 s left  (tokens.access.clock_tolerance, jwt-api.toml:31)
        skip  nbf              absent  (tokens.access.clock_tolerance, jwt-api.toml:31)
        pass  iat              60 s ago  (tokens.access.clock_tolerance, jwt-api.toml:31)
        FAIL  max_lifetime     token_lifetime_too_long: the token lives too long: lives 3660 s of at most 3600 s  (tokens.access.max_lifetime, jwt-api.toml:30)
        skip  max_age          not limited  (tokens.access.max_age, by default)
        pass  required_claims  2 claims  (tokens.access.required_claims, jwt-api.toml:29)
        pass  strings          `sub`, `jti`, `client_id` and `azp` are strings where they are there  (tokens.access, jwt-api.toml:24)
        skip  expect           none is listed  (tokens.access.expect, by default)
        pass  cnf              absent: the token is not bound  (tokens.access, jwt-api.toml:24)
        pass  scopes           1 scope of the route  (routes, jwt-api.toml:46)
skip  nonce      not judged: an earlier check failed

verdict  deny 401 token_lifetime_too_long: the token lives too long
answer   401 token_invalid
"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    for told in [ran.stdout, run(&["--format", "json"]).stdout] {
        let characters: Vec<_> = token.chars().collect();
        for run in characters.windows(12).map(|run| run.iter().collect::<String>()) {
            assert!(!told.contains(&run), "`{run}` in {told}");
        }
        assert!(!told.contains("user-1"), "{told}");
    }
}

#[test]
fn an_algorithm_that_is_not_listed_is_shown_escaped_and_cut() {
    let (mut request, token) = of_case("alg confusion: the public key as a secret");
    let long = "\u{1b}[31m".to_owned() + &"a".repeat(40);
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"alg": long}).to_string());
    let rest = token.split_once('.').unwrap().1;
    for (token, shown) in [
        (token.clone(), "`HS256` is not listed"),
        (
            format!("{header}.{rest}"),
            "`\\x1b[31maaaaaaaaaaaaaaa...` is not listed",
        ),
    ] {
        request["headers"][1][1] = format!("Bearer {token}").into();
        let arguments = ["explain", "--policy", "jwt-api.toml"];
        let ran = run_in(&root().join("policies"), &arguments, request.to_string().as_bytes());
        let line = format!("FAIL  alg        token_algorithm_not_allowed: {shown}  (");
        assert!(ran.stdout.contains(&line), "{}", ran.stdout);
        assert!(ran.stdout.contains("skip  signature  not judged"), "{}", ran.stdout);
    }
}
