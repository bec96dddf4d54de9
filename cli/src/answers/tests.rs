//! Other servers are asked when a request does not answer itself, and what is wrong is told without a token.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostbound::{Guard, KeySet, Policy, Reason, SecretReference, Secrets, VerdictDocument};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::fetch::tests::at_home;
use crate::fetch::tests::server::{Ca, Server, whole};

const NOW: u64 = 1_767_225_600;
const SUBJECT: &str = "a-subject-that-nobody-sees";
const SECRET: &str = "published-client-secret";

/// Who signs, by one byte.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.0.public_key())})
    }

    fn thumbprint(&self) -> String {
        let keys = KeySet::from_json(&self.jwk().to_string()).unwrap();
        keys.keys()[0].thumbprint().unwrap()
    }

    fn token(&self) -> String {
        let encoded = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let claims = json!({"iss": "https://i.example/", "aud": "a", "exp": NOW + 300, "sub": SUBJECT});
        let signed = format!("{}.{}", encoded(json!({"alg": "EdDSA", "typ": "JWT"})), encoded(claims));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A server that gives one answer, a policy that asks it, and what was asked.
struct Setup {
    guard: Guard,
    run: Run,
    server: Server,
    requests: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Setup {
    /// `top` and `destination` are lines of the policy, `source` is the section's; `URL` is the server.
    fn new(status: &str, body: &Value, top: &str, destination: &str, source: &str) -> Self {
        let ca = Ca::new("root");
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let server = Server::start(&ca.issue(&["auth.test"]), move |stream, request| {
            kept.lock().unwrap().push(String::from_utf8(request).unwrap());
            whole(stream, answer.as_bytes())
        });
        let origin = format!("https://auth.test:{}", server.port());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let source = source.replace("URL", &format!("{origin}/ask"));
        let text = format!(
            "version = 1\n{top}\n[hosts]\nallow = [\"localhost\"]\n[tokens.s]\nissuer = \"https://i.example/\"\naudience = [\"a\"]\n{source}\n\
             [[routes]]\npath = \"/**\"\nrequire = [\"token:s\"]\n\
             [egress]\n[[egress.destinations]]\norigin = \"{origin}\"\nca = {{ file = \"ca.pem\" }}\n{destination}\n"
        );
        let policy = Policy::from_toml(&text, "policy.toml").unwrap();
        let mut secrets = Secrets::new();
        secrets.insert(SecretReference::Env("CLIENT".into()), SECRET.into());
        let guard = Guard::with_secrets(policy, &secrets).unwrap();
        let fetcher = OfflineArgs { offline: false }.fetcher(&guard, folder.path());
        let run = Run::new(Timestamp(0)).asking(fetcher.map(at_home));
        Self {
            guard,
            run,
            server,
            requests,
            _folder: folder,
        }
    }

    /// Of which the keys of these signers are fetched, and those of the first are pinned.
    fn of_keys(status: &str, signers: &[&Signer], top: &str) -> Self {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        let source = format!(
            "algorithms = [\"EdDSA\"]\nkeys = {{ url = \"URL\", pins = \"{}\" }}",
            signers[0].thumbprint()
        );
        let destination = "addresses = [\"127.0.0.0/8\"]";
        Self::new(status, &json!({ "keys": keys }), top, destination, &source)
    }

    fn of_introspection(status: &str, body: &Value) -> Self {
        let source = "introspection = { url = \"URL\", client_id = \"c\", secret = { env = \"CLIENT\" } }";
        let destination = "addresses = [\"127.0.0.0/8\"]\ncredentials = [\"authorization\"]";
        Self::new(status, body, "", destination, source)
    }

    fn decide(&mut self, token: &str, answers: &Value) -> VerdictDocument {
        let mut request = json!({
            "now": NOW, "method": "GET", "target": "/",
            "headers": [["host", "localhost"], ["authorization", format!("Bearer {token}")]]
        });
        if !answers.is_null() {
            request["answers"] = answers.clone();
        }
        let document = RequestDocument::from_json(request.to_string().as_bytes()).unwrap();
        self.guard.decide_with(&document, &mut self.run.answers(&document))
    }

    /// What was told; in no case a credential.
    fn told(&self, token: &str) -> Vec<&str> {
        let mut told: Vec<_> = self.run.voice.said.iter().map(String::as_str).collect();
        told.sort_unstable();
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("c:{SECRET}"));
        for message in &told {
            let is_secret = |text: &str| !text.is_empty() && message.contains(text);
            let mut parts = token.split('.');
            assert!(!parts.any(is_secret) && !is_secret(SUBJECT), "{message}");
            assert!(!is_secret(SECRET) && !is_secret(&encoded), "{message}");
        }
        told
    }
}

#[test]
fn keys_are_fetched_once_and_those_that_are_not_pinned_are_told() {
    let (ours, other) = (Signer::new(1), Signer::new(2));
    let mut setup = Setup::of_keys("200 OK", &[&ours, &other], "");
    for _ in 0..2 {
        let verdict = setup.decide(&ours.token(), &Value::Null);
        assert_eq!(verdict.reason, None, "{:?}", setup.told(&ours.token()));
    }
    assert_eq!(
        setup.told(&ours.token()),
        [format!(
            "warning: tokens.s: a key that is not pinned, with the thumbprint {}",
            other.thumbprint()
        )]
    );
    let verdict = setup.decide(&other.token(), &Value::Null);
    assert_eq!(verdict.reason, Some(Reason::TokenSignatureMismatch));
    assert_eq!(setup.server.connections(), 1);
    let requests = setup.requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /ask HTTP/1.1\r\n"), "{requests:?}");
    assert!(!requests[0].contains("authorization"), "{requests:?}");
}

#[test]
fn what_a_request_says_itself_is_not_asked_for() {
    let ours = Signer::new(1);
    let with = json!({"keys": {"s": ours.jwk().to_string()}});
    for (answers, reason) in [
        (json!({"keys": {"s": null}}), Some(Reason::TokenKeysUnavailable)),
        (with, None),
    ] {
        let mut setup = Setup::of_keys("200 OK", &[&ours], "");
        assert_eq!(setup.decide(&ours.token(), &answers).reason, reason);
        assert_eq!(setup.server.connections(), 0);
        assert!(setup.told(&ours.token()).is_empty());
    }
}

#[test]
fn offline_asks_nobody() {
    let ours = Signer::new(1);
    let mut setup = Setup::of_keys("200 OK", &[&ours], "");
    assert!(
        OfflineArgs { offline: true }
            .fetcher(&setup.guard, Path::new(""))
            .is_none()
    );
    setup.run.fetcher = None;
    let verdict = setup.decide(&ours.token(), &Value::Null);
    assert_eq!(verdict.reason, Some(Reason::TokenKeysUnavailable));
    assert_eq!(setup.server.connections(), 0);
    let plain = Guard::new(Policy::from_toml("version = 1\n[hosts]\nallow = [\"localhost\"]", "p").unwrap());
    assert!(
        OfflineArgs { offline: false }.fetcher(&plain, Path::new("")).is_none(),
        "nothing to ask"
    );
}

#[test]
fn servers_are_asked_about_opaque_tokens() {
    let active = json!({"active": true, "iss": "https://i.example/", "aud": "a", "exp": NOW + 60});
    for (answer, reason) in [
        (active, None),
        (json!({"active": false}), Some(Reason::TokenInactive)),
        (json!({"active": "yes"}), Some(Reason::TokenKeysUnavailable)),
    ] {
        let token = "an-opaque-token-that-nobody-sees";
        let mut setup = Setup::of_introspection("200 OK", &answer);
        assert_eq!(setup.decide(token, &Value::Null).reason, reason, "{answer}");
        let told = setup.told(token);
        let is_unusable = reason == Some(Reason::TokenKeysUnavailable);
        assert_eq!(told.len(), usize::from(is_unusable), "{told:?}");
        let requests = setup.requests.lock().unwrap();
        for wanted in [
            "POST /ask HTTP/1.1\r\n",
            "\r\nauthorization: Basic Yzpw",
            "\r\ncontent-type: application/x-www-form-urlencoded\r\n",
            "\r\n\r\ntoken=an-opaque-token-that-nobody-sees&token_type_hint=access_token",
        ] {
            assert!(requests[0].contains(wanted), "{requests:?}");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_told_once() {
    let ours = Signer::new(1);
    let mut setup = Setup::of_keys("500 Oh", &[&ours], "");
    for _ in 0..2 {
        let verdict = setup.decide(&ours.token(), &Value::Null);
        assert_eq!(verdict.reason, Some(Reason::TokenKeysUnavailable));
    }
    assert_eq!(
        setup.told(&ours.token()),
        ["warning: tokens.s: an answer with status 500"]
    );
    assert_eq!(setup.server.connections(), 1);

    let mut setup = Setup::of_introspection("404 No", &json!({}));
    assert_eq!(
        setup.decide("opaque-token", &Value::Null).reason,
        Some(Reason::TokenKeysUnavailable)
    );
    assert_eq!(
        setup.told("opaque-token"),
        ["warning: tokens.s: an answer with status 404"]
    );
}

/// The name leads to this machine; without `addresses` only the global ones count.
#[test]
fn what_egress_refuses_is_not_asked() {
    let ours = Signer::new(1);
    let source = format!(
        "algorithms = [\"EdDSA\"]\nkeys = {{ url = \"URL\", pins = \"{}\" }}",
        ours.thumbprint()
    );
    let keys = json!({"keys": [ours.jwk()]});
    for (top, reason, word, connections) in [
        (
            "",
            Some(Reason::TokenKeysUnavailable),
            "no answer: address_not_allowed",
            0,
        ),
        (
            "mode = \"report\"",
            None,
            "asked in report mode, else address_not_allowed",
            1,
        ),
    ] {
        let mut setup = Setup::new("200 OK", &keys, top, "", &source);
        let verdict = setup.decide(&ours.token(), &Value::Null);
        let found = verdict.reason.or(verdict.reported.first().map(|report| report.reason));
        assert_eq!(found, reason);
        let told = setup.told(&ours.token());
        assert!(told.len() == 1 && told[0].contains(word), "{told:?}");
        assert_eq!(setup.server.connections(), connections);
    }
}
