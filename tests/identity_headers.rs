//! What a proxy tells upstream: what was proved and nothing else, whatever is in it.

#![cfg(feature = "tokens")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use hostbound::{
    Guard, Header, Headers, Inspection, Memory, Peer, Policy, Request, Scheme, Secrets, SignOptions, Timestamp,
    TokenAnswer, TokenStore, Verdict, Version, is_identity_header,
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_767_225_600);

fn guard(mode: &str) -> Guard {
    let policy = json!({
        "version": 1, "mode": mode,
        "hosts": {"allow": ["api.example.com"], "exempt": [{"path": "/healthz", "from": ["127.0.0.1"]}]},
        "origins": {"allow": ["https://app.example.com"]},
        "tokens": {"main": {
            "issuer": "https://auth.example.com/", "audience": ["api.example.com"],
            "introspection": {"url": "https://auth.example.com/introspect", "client_id": "api", "secret": {"env": "ASKS"}},
        }},
        "signatures": {"partner": {
            "profile": "host-nonce", "keys": [{"id": "2026-11", "secret": {"env": "KEY"}, "hosts": ["api.example.com"]}],
        }},
        "egress": {"allow": ["https://auth.example.com"], "credentials": {"https://auth.example.com": ["authorization"]}},
        "routes": [
            {"path": "/healthz", "require": []},
            {"path": "/signed", "name": "Größe", "require": ["signature:partner"]},
            {"path": "/**", "name": "rest", "require": ["token:main"]},
        ],
    });
    let policy = Policy::from_json(&policy.to_string(), "policy").unwrap();
    let mut secrets = Secrets::new();
    secrets.insert_named(policy.secrets(), "ASKS", "published-test-secret");
    secrets.insert_named(policy.secrets(), "KEY", "published-test-key-of-32-bytes-or-more");
    Guard::with_secrets(policy, &secrets).unwrap()
}

type Told = Vec<(&'static str, String)>;

/// With the digest, which is not compared.
fn told(verdict: &Verdict<'_>) -> Told {
    let mut told = verdict.identity_headers();
    for (name, value) in &told {
        assert!(is_identity_header(name.as_bytes()));
        assert!(value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{value:?}");
        assert_eq!(value.trim(), value);
    }
    if verdict.is_allowed() {
        let (name, digest) = told.remove(0);
        assert_eq!(name, "x-hostbound-policy");
        assert_eq!(digest, verdict.document(None).policy);
    }
    told
}

fn with<T>(method: &str, target: &str, headers: &[(&str, &str)], then: impl FnOnce(Request<'_>) -> T) -> T {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| Header {
            name: name.as_bytes(),
            value: value.as_bytes(),
        })
        .collect();
    then(Request {
        method: method.as_bytes(),
        scheme: Scheme::Https,
        version: Version::Http11,
        target: target.as_bytes(),
        headers: Headers::new(&headers),
        peer: Peer::from_address([127, 0, 0, 1].into()),
    })
}

fn judged(guard: &Guard, method: &str, target: &str, headers: &[(&str, &str)]) -> Told {
    with(method, target, headers, |request| {
        told(&guard.judge(&request, Some(NOW), b"", &mut Memory::new(Timestamp(0))))
    })
}

/// By an opaque token of which the server says this.
fn introspected(more: Value) -> Told {
    let mut answer = json!({
        "active": true, "iss": "https://auth.example.com/", "aud": "api.example.com", "exp": NOW.0 + 60,
    });
    let Value::Object(more) = more else { panic!("an object") };
    answer.as_object_mut().unwrap().extend(more);
    let body = answer.to_string();
    let guard = guard("enforce");
    let headers = [("host", "api.example.com"), ("authorization", "Bearer opaque")];
    with("GET", "/orders", &headers, |request| {
        let mut store = TokenStore::new();
        let Inspection::NeedsIntrospection(mut needs) = guard.inspect_in(&request, Some(NOW), &mut store) else {
            panic!("the token is opaque");
        };
        needs
            .take(Some(TokenAnswer {
                status: 200,
                content_type: Some("application/json"),
                body: body.as_bytes(),
            }))
            .unwrap();
        let Inspection::Decided(verdict) = needs.resume(&mut store) else {
            panic!("there is nothing else to ask");
        };
        assert!(verdict.is_allowed(), "{:?}", verdict.document(None));
        told(&verdict)
    })
}

#[test]
fn a_token_s_identity_is_told() {
    let told = introspected(json!({"sub": "alice", "scope": "orders:read a%b"}));
    let want = [
        ("x-hostbound-host", "api.example.com"),
        ("x-hostbound-route", "rest"),
        ("x-hostbound-token", "main"),
        ("x-hostbound-issuer", "https://auth.example.com/"),
        ("x-hostbound-subject", "alice"),
        ("x-hostbound-scopes", "orders:read a%25b"),
    ];
    assert_eq!(told, want.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn no_subject_can_end_a_header_or_be_another_s() {
    let long = "é".repeat(20_000);
    for (subject, want) in [
        (
            "a\r\nx-hostbound-scopes: admin",
            "a%0D%0Ax-hostbound-scopes:%20admin".to_owned(),
        ),
        ("a\0b", "a%00b".to_owned()),
        ("alice%00", "alice%2500".to_owned()),
        ("Zoë 😀", "Zo%C3%AB%20%F0%9F%98%80".to_owned()),
        ("", String::new()),
        (&long, "%C3%A9".repeat(20_000)),
    ] {
        let told = introspected(json!({"sub": subject}));
        let found = told.iter().find(|(name, _)| *name == "x-hostbound-subject");
        assert_eq!(found.map(|(_, value)| value), Some(&want));
        assert!(told.iter().all(|(name, _)| *name != "x-hostbound-scopes"));
    }
    assert!(
        introspected(json!({}))
            .iter()
            .all(|(name, _)| *name != "x-hostbound-subject")
    );
}

#[test]
fn a_signature_s_identity_is_told() {
    let guard = guard("enforce");
    let host = ("host", "API.example.com:443");
    let added = with("GET", "/signed", &[host], |request| {
        let options = SignOptions {
            key_id: None,
            created: NOW,
            nonce: Some("0123456789abcdef"),
        };
        let signed = guard.sign("partner", &request, &options).unwrap().finish().unwrap();
        signed.headers().to_vec()
    });
    let headers = added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<_> = [host].into_iter().chain(headers).collect();
    let want = [
        ("x-hostbound-host", "api.example.com"),
        ("x-hostbound-route", "Gr%C3%B6%C3%9Fe"),
        ("x-hostbound-signature", "partner"),
        ("x-hostbound-key-id", "2026-11"),
        ("x-hostbound-nonce", "0123456789abcdef"),
    ];
    assert_eq!(
        judged(&guard, "GET", "/signed", &headers),
        want.map(|(name, value)| (name, value.to_owned()))
    );
}

#[test]
fn what_was_not_proved_is_not_told() {
    let host = ("host", "api.example.com");
    let owned = |told: &[(&'static str, &str)]| {
        told.iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect::<Told>()
    };
    let (enforce, report) = (guard("enforce"), guard("report"));
    // Denied.
    assert_eq!(judged(&enforce, "GET", "/orders", &[host]), []);
    assert_eq!(judged(&enforce, "GET", "/healthz", &[("host", "evil.test")]), []);
    // Allowed though it would be denied.
    let want = owned(&[("x-hostbound-host", "api.example.com"), ("x-hostbound-route", "rest")]);
    assert_eq!(judged(&report, "GET", "/orders", &[host]), want);
    // Exempt from the host check.
    let want = owned(&[("x-hostbound-route", "/healthz")]);
    assert_eq!(judged(&enforce, "GET", "/healthz", &[("host", "10.0.0.7")]), want);
    // What a client says of itself.
    let want = owned(&[
        ("x-hostbound-host", "api.example.com"),
        ("x-hostbound-route", "/healthz"),
    ]);
    assert_eq!(
        judged(&enforce, "GET", "/healthz", &[host, ("x-hostbound-subject", "root")]),
        want
    );
    let preflight = [
        host,
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "GET"),
    ];
    let want = owned(&[
        ("x-hostbound-host", "api.example.com"),
        ("x-hostbound-route", "rest"),
        ("x-hostbound-preflight", "true"),
    ]);
    assert_eq!(judged(&enforce, "OPTIONS", "/orders", &preflight), want);
}
