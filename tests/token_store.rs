//! What is kept of tokens from one request to the next mixes no two of them up, and is bounded.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use hostbound::{
    Guard, Header, Headers, Inspection, Peer, Policy, Reason, Request, Scheme, Secrets, Timestamp, TokenAnswer,
    TokenStore, Version,
};
use hostbound_vectors as vectors;
use serde_json::json;

const NOW: Timestamp = Timestamp(1_767_225_600);

fn guard(tokens: &serde_json::Value) -> Guard {
    let policy = json!({
        "version": 1,
        "hosts": {"allow": ["api.example.com"]},
        "tokens": {"main": tokens},
        "egress": {"allow": ["https://auth.example.com"], "credentials": {"https://auth.example.com": ["authorization"]}},
        "routes": [{"path": "/**", "require": ["token:main"]}],
    });
    let policy = Policy::from_json(&policy.to_string(), "policy").unwrap();
    let mut secrets = Secrets::new();
    secrets.insert_named(policy.secrets(), "ASKS", "published-test-secret");
    Guard::with_secrets(policy, &secrets).unwrap()
}

fn asking() -> Guard {
    guard(&json!({
        "issuer": "https://auth.example.com/", "audience": ["api.example.com"],
        "introspection": {"url": "https://auth.example.com/introspect", "client_id": "api", "secret": {"env": "ASKS"}},
    }))
}

fn fetching() -> Guard {
    guard(&json!({
        "issuer": "https://auth.example.com/", "audience": ["api.example.com"], "algorithms": ["EdDSA"],
        "keys": {"url": "https://auth.example.com/jwks.json", "pins": "none"},
    }))
}

/// A token that counts at [`NOW`], and the key set for it.
fn published() -> (String, String) {
    let file = vectors::load().into_iter().find(|file| file.name == "token").unwrap();
    let case = file.cases.iter().find(|case| case.id == "token-main").unwrap();
    let bearer = case.request["headers"][1][1].as_str().unwrap();
    let token = bearer.strip_prefix("Bearer ").unwrap().to_owned();
    (token, case.own_files()["ed.json"].to_owned())
}

fn request_with(token: &str, then: impl FnOnce(&Request<'_>)) {
    let bearer = format!("Bearer {token}");
    let headers = [
        Header {
            name: b"host",
            value: b"api.example.com",
        },
        Header {
            name: b"authorization",
            value: bearer.as_bytes(),
        },
    ];
    then(&Request {
        method: b"GET",
        scheme: Scheme::Https,
        version: Version::Http11,
        target: b"/",
        headers: Headers::new(&headers),
        peer: Peer::Unknown,
    });
}

const fn answer(body: &str) -> TokenAnswer<'_> {
    TokenAnswer {
        status: 200,
        content_type: Some("application/json"),
        body: body.as_bytes(),
    }
}

fn claims(subject: &str) -> String {
    json!({"active": true, "iss": "https://auth.example.com/", "aud": "api.example.com", "sub": subject, "exp": NOW.0 + 60}).to_string()
}

fn subject(inspection: Inspection<'_>) -> Result<String, Reason> {
    match inspection {
        Inspection::Decided(verdict) => match verdict.identity() {
            Some(identity) => Ok(identity.token().unwrap().subject().unwrap().to_owned()),
            None => Err(verdict.denied().unwrap().reason()),
        },
        other => panic!("{other:?}"),
    }
}

/// Two requests wait for answers about their tokens at the same time, and each gets its own, in whatever order they go on.
#[test]
fn answers_go_to_the_tokens_that_they_are_about() {
    let guard = asking();
    request_with("alice", |alice| {
        request_with("bob", |bob| {
            let mut store = TokenStore::new();
            let Inspection::NeedsIntrospection(mut first) = guard.inspect_in(alice, Some(NOW), &mut store) else {
                panic!("nobody knows the token")
            };
            let Inspection::NeedsIntrospection(mut second) = guard.inspect_in(bob, Some(NOW), &mut store) else {
                panic!("nobody knows the token")
            };
            second.take(Some(answer(&claims("bob")))).unwrap();
            first.take(Some(answer(&claims("alice")))).unwrap();
            assert_eq!(subject(second.resume(&mut store)), Ok("bob".into()));
            assert_eq!(subject(first.resume(&mut store)), Ok("alice".into()));
            // Whoever brings no answer has none, whatever others brought.
            request_with("mallory", |mallory| {
                let Inspection::NeedsIntrospection(third) = guard.inspect_in(mallory, Some(NOW), &mut store) else {
                    panic!("nobody knows the token")
                };
                assert_eq!(subject(third.resume(&mut store)), Err(Reason::TokenKeysUnavailable));
            });
            // And each is remembered as itself.
            assert_eq!(
                subject(guard.inspect_in(alice, Some(NOW), &mut store)),
                Ok("alice".into())
            );
            assert_eq!(subject(guard.inspect_in(bob, Some(NOW), &mut store)), Ok("bob".into()));
        });
    });
}

/// A forged token that waits for keys is not taken for one that was verified meanwhile.
#[test]
fn a_token_that_waits_is_no_other() {
    let guard = fetching();
    let (token, keys) = published();
    let (head, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(86));
    request_with(&token, |right| {
        request_with(&forged, |wrong| {
            let mut store = TokenStore::new();
            let Inspection::NeedsKeys(waits) = guard.inspect_in(wrong, Some(NOW), &mut store) else {
                panic!("there are no keys")
            };
            guard.keep_keys("main", Some(answer(&keys)), NOW, &mut store).unwrap();
            assert_eq!(
                subject(guard.inspect_in(right, Some(NOW), &mut store)),
                Ok("user-1".into())
            );
            assert_eq!(subject(waits.resume(&mut store)), Err(Reason::TokenSignatureMismatch));
        });
    });
}

/// What one guard has verified counts for no other, be it by the same policy.
#[test]
fn a_store_is_of_one_guard() {
    let (first, second) = (asking(), asking());
    request_with("alice", |request| {
        let mut store = TokenStore::new();
        let Inspection::NeedsIntrospection(mut needs) = first.inspect_in(request, Some(NOW), &mut store) else {
            panic!("nobody knows the token")
        };
        needs.take(Some(answer(&claims("alice")))).unwrap();
        assert_eq!(subject(needs.resume(&mut store)), Ok("alice".into()));
        assert!(matches!(
            second.inspect_in(request, Some(NOW), &mut store),
            Inspection::NeedsIntrospection(_)
        ));
        assert!(matches!(
            first.inspect_in(request, Some(NOW), &mut store),
            Inspection::NeedsIntrospection(_)
        ));
    });
}

/// A thousand tokens with keys that nobody has make one question, before and after its answer.
#[test]
fn random_keys_cause_one_question() {
    let guard = fetching();
    let (_, keys) = published();
    let mut store = TokenStore::new();
    let mut questions = 0;
    for number in 0..1000 {
        let header = base64_of(&format!(
            "{{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"random-{number}\"}}"
        ));
        request_with(&format!("{header}.e30.{}", "A".repeat(86)), |request| {
            let inspection = match guard.inspect_in(request, Some(NOW), &mut store) {
                Inspection::NeedsKeys(needs) => {
                    questions += 1;
                    needs.keep(Some(answer(&keys)), NOW, &mut store).unwrap();
                    needs.resume(&mut store)
                }
                other => other,
            };
            assert_eq!(subject(inspection), Err(Reason::TokenKeyUnknown));
        });
    }
    assert_eq!(questions, 1);
}

/// Full is full: what counts stays, and what does not fit is judged each time.
#[test]
fn nothing_is_pushed_out() {
    let guard = asking();
    let mut store = TokenStore::new();
    let long = format!(
        "{},\"x\":\"{}\"}}",
        claims("alice").trim_end_matches('}'),
        "y".repeat(50_000)
    );
    let mut kept = 0;
    for number in 0..200 {
        request_with(&format!("token-{number}"), |request| {
            let Inspection::NeedsIntrospection(mut needs) = guard.inspect_in(request, Some(NOW), &mut store) else {
                panic!("nobody knows the token")
            };
            needs.take(Some(answer(&long))).unwrap();
            assert_eq!(subject(needs.resume(&mut store)), Ok("alice".into()));
            if matches!(guard.inspect_in(request, Some(NOW), &mut store), Inspection::Decided(_)) {
                kept += 1;
            }
        });
    }
    assert!((30..60).contains(&kept), "{kept} answers of 50 kB are kept in 8 MiB");
    request_with("token-0", |request| {
        assert_eq!(
            subject(guard.inspect_in(request, Some(NOW), &mut store)),
            Ok("alice".into())
        );
        let later = Timestamp(NOW.0 + 30);
        assert!(matches!(
            guard.inspect_in(request, Some(later), &mut store),
            Inspection::NeedsIntrospection(_)
        ));
    });
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
