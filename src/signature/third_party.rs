//! Published vectors of others, and the seeds of the simple profiles, against the parts that verify requests.
//!
//! Read from `HOSTBOUND_VECTORS` (default `../shared/vectors`); nothing of them is copied here. The engine may refuse more than a vector wants, never
//! less; what it refuses is listed with its reason.

mod structured_fields;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::SignOptions;
use super::body::{BodyProof, MacProof};
use super::components::{Message, covered, write_base};
use super::fields::{Bare, Limits, Member, dictionary};
use super::grammar::hex;
use crate::{Guard, Header, Headers, Peer, Policy, Reason, Request, Scheme, Secrets, Timestamp, Version};

/// A file of the vectors, if the folder is there.
fn load(path: &str, cases: usize) -> Option<Value> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = std::env::var_os("HOSTBOUND_VECTORS").map_or_else(default, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no vectors ({cases} cases of {path})");
        return None;
    }
    let path = folder.join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap()
}

fn bytes(row: &Value, key: &str) -> Vec<u8> {
    let (pairs, rest) = text(row, key).as_bytes().as_chunks::<2>();
    assert!(rest.is_empty());
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.iter().map(byte).collect()
}

const LIMITS: Limits = Limits {
    members: 64,
    items: 64,
    parameters: 64,
};

/// RFC 9421 appendix B: whatever the algorithm, what is signed is what the RFC says, of requests and of responses. Every component there has a rule.
#[test]
fn signature_bases_of_rfc_9421() {
    const CASES: usize = 6;
    let Some(file) = load("rfc9421/appendix_b.json", CASES) else {
        return;
    };
    assert_eq!(rows(&file["tests"]).len(), CASES);
    for test in rows(&file["tests"]) {
        let (head, _) = text(&file, text(test, "message")).split_once("\n\n").unwrap();
        let (start, fields) = head.split_once('\n').unwrap();
        let [first, second, _] = *start.split(' ').collect::<Vec<_>>() else {
            panic!("{start}")
        };
        let headers: Vec<_> = fields
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            })
            .collect();
        let message = Message {
            method: first.as_bytes(),
            scheme: "https",
            authority: "example.com",
            target: second.as_bytes(),
            headers: Headers::new(&headers),
            status: second.parse().ok(),
        };
        let input = dictionary(text(test, "signature_input").as_bytes(), LIMITS).unwrap();
        let [(label, Member::List(list))] = input.as_slice() else {
            panic!("{test}")
        };
        assert_eq!(*label, text(test, "label"));
        let mut base = Vec::new();
        write_base(list, &covered(list).unwrap(), &message, &mut base).unwrap();
        let wanted = text(test, "signature_base");
        assert_eq!(String::from_utf8_lossy(&base), wanted, "{}", test["section"]);

        if text(test, "alg") == "hmac-sha256" {
            let secret = STANDARD
                .decode(text(&file["keys"]["test-shared-secret"], "base64"))
                .unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let signature = dictionary(text(test, "signature").as_bytes(), LIMITS).unwrap();
            let [(_, Member::Item(item))] = signature.as_slice() else {
                panic!("{test}")
            };
            let Bare::Bytes(tag) = &item.value else {
                panic!("{test}")
            };
            assert!(hmac::verify(&key, &base, tag).is_ok(), "B.2.5");
            base.push(b' ');
            assert!(hmac::verify(&key, &base, tag).is_err(), "B.2.5, tampered with");
        }
    }
    println!("{CASES} signature bases of RFC 9421 appendix B, 1 MAC");
}

/// Tags as long as the hash are judged as wanted; half tags are never taken. Keys are as short as they come: the policy's least length is not the primitive's.
#[test]
fn hmac_of_wycheproof() {
    const WHOLE: usize = 87;
    for (path, algorithm, bits) in [
        ("wycheproof/hmac_sha256_test.json", hmac::HMAC_SHA256, 256),
        ("wycheproof/hmac_sha384_test.json", hmac::HMAC_SHA384, 384),
        ("wycheproof/hmac_sha512_test.json", hmac::HMAC_SHA512, 512),
    ] {
        let Some(file) = load(path, WHOLE) else { continue };
        let (mut whole, mut half) = (BTreeSet::new(), BTreeSet::new());
        for group in rows(&file["testGroups"]) {
            for test in rows(&group["tests"]) {
                let (id, is_valid) = (test["tcId"].as_u64().unwrap(), test["result"] == "valid");
                let (message, tag) = (bytes(test, "msg"), bytes(test, "tag"));
                let key = hmac::Key::new(algorithm, &bytes(test, "key"));
                let is_verified = hmac::verify(&key, &message, &tag).is_ok();
                if group["tagSize"] == bits {
                    whole.insert(id);
                    assert_eq!(is_verified, is_valid, "{path}: {test}");
                } else {
                    half.insert(id);
                    assert!(!is_verified, "{path}: {test}");
                }
                if let Ok(tag) = <[u8; 32]>::try_from(tag)
                    && bits == 256
                {
                    assert_eq!(proves(&key, vec![tag], &message), is_valid, "one tag: {test}");
                    assert_eq!(proves(&key, vec![[0; 32], tag], &message), is_valid, "two tags: {test}");
                }
            }
        }
        assert_eq!((whole.len(), half.len()), (WHOLE, WHOLE), "{path}");
        println!("{WHOLE} whole tags and {WHOLE} halves of {path}");
    }
}

/// What the body proof makes of a message in two chunks, by each of its two ways.
fn proves(key: &hmac::Key, tags: Vec<[u8; 32]>, message: &[u8]) -> bool {
    let mut proof = BodyProof::Mac(MacProof::new(vec![("k", key)], tags, Vec::new()));
    let (first, second) = message.split_at(message.len().div_ceil(2));
    proof.update(first);
    proof.update(second);
    let BodyProof::Mac(proof) = proof else { unreachable!() };
    proof.finish().is_some()
}

const HOST: &str = "api.example.com";

/// A guard whose every route asks for a signature of one profile with one key.
fn guard(profile: &str, secret: &str, service_id: Option<&str>) -> Guard {
    let mut key = json!({"id": "k", "secret": {"name": "K"}, "hosts": [HOST]});
    if let Some(service_id) = service_id {
        key["service_id"] = json!(service_id);
    }
    let policy = json!({
        "version": 1,
        "hosts": {"allow": [HOST]},
        "signatures": {"s": {"profile": profile, "keys": [key]}},
        "routes": [{"path": "/**", "require": ["signature:s"]}],
    });
    let policy = Policy::from_json(&policy.to_string(), "third-party").unwrap();
    let mut secrets = Secrets::new();
    assert!(secrets.insert_named(policy.secrets(), "K", secret));
    Guard::with_secrets(policy, &secrets).unwrap()
}

fn request<'a>(method: &'a str, target: &'a str, headers: &'a [Header<'a>]) -> Request<'a> {
    Request {
        method: method.as_bytes(),
        scheme: Scheme::Https,
        version: Version::Http11,
        target: target.as_bytes(),
        headers: Headers::new(headers),
        peer: Peer::Unknown,
    }
}

fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
    Header {
        name: name.as_bytes(),
        value: value.as_bytes(),
    }
}

/// Why a request is denied, if it is.
fn denial(guard: &Guard, request: &Request<'_>, now: u64, body: &[u8]) -> Option<Reason> {
    let mut replay = crate::guard::Memory::new(Timestamp(0));
    let verdict = guard.judge(request, Some(Timestamp(now)), body, &mut replay);
    verdict.denied().map(|failure| failure.reason())
}

/// The known answers of the Standard Webhooks libraries: our rules admit them all.
#[test]
fn known_answers_of_standard_webhooks() {
    const CASES: usize = 7;
    let Some(file) = load("standard-webhooks/known_answers.json", CASES) else {
        return;
    };
    assert_eq!(rows(&file["cases"]).len(), CASES);
    for case in rows(&file["cases"]) {
        let guard = guard("standard-webhooks", text(case, "secret"), None);
        let time = text(case, "webhook_timestamp");
        let headers = [
            header("host", HOST),
            header("webhook-id", text(case, "webhook_id")),
            header("webhook-timestamp", time),
            header("webhook-signature", text(case, "webhook_signature")),
        ];
        let request = request("POST", "/hook", &headers);
        let denied = denial(
            &guard,
            &request,
            time.parse().unwrap(),
            text(case, "payload").as_bytes(),
        );
        let wanted = match text(case, "name") {
            "empty-tag" | "short-tag" => Some(Reason::SignatureMalformed),
            _ if case["accept"] == true => None,
            _ => Some(Reason::SignatureMismatch),
        };
        assert_eq!(denied, wanted, "{case}");
    }
    println!("{CASES} known answers of Standard Webhooks");
}

/// Where a seed says that the verifier received another target.
const RECEIVED: &[(&str, &str)] = &[("query-omitted", "/v1/items?x=1"), ("path-decoded", "/a%2Fb")];

/// Why a seed is refused, for all its MAC is right.
#[rustfmt::skip]
const REFUSED_SEEDS: &[(&str, Reason)] = &[
    ("collide-1-shifted", Reason::RequestMalformed),
    ("collide-2-nonce-body", Reason::RequestMalformed),
    ("collide-2-legit", Reason::NonceMalformed),
    ("host-upper", Reason::SignatureMismatch),
    ("host-default-port", Reason::SignatureMismatch),
    ("host-trailing-dot", Reason::SignatureMismatch),
    ("method-lower", Reason::RequestMalformed),
    ("query-omitted", Reason::SignatureMismatch),
    ("path-decoded", Reason::SignatureMismatch),
    ("ts-leading-zero", Reason::SignatureMalformed),
    ("ts-plus", Reason::SignatureMalformed),
    ("ts-ms", Reason::SignatureMalformed),
    ("ts-float", Reason::SignatureMalformed),
    ("ts-underscore", Reason::SignatureMalformed),
    ("ts-arabic-digits", Reason::SignatureMalformed),
    ("nonce-empty", Reason::NonceMalformed),
    ("nonce-short", Reason::NonceMalformed),
    ("nonce-long", Reason::NonceMalformed),
    ("collide-shifted", Reason::SignatureMalformed),
    ("collide-service", Reason::RequestMalformed),
    ("service-case", Reason::SignatureKeyUnknown),
];

/// The seeds of host-nonce and service-scoped: every MAC reproduces, and the guard and the signer agree with what each row says.
#[test]
fn seeds_of_the_simple_profiles() {
    const CASES: usize = 31;
    let Some(file) = load("hmac-profile-seeds/hmac_profile_seeds.json", CASES) else {
        return;
    };
    let secret = text(&file, "key_utf8");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut count = 0_usize;
    let mut refused = BTreeSet::new();
    for (set, profile, third, separator, names) in [
        (
            "A",
            "host-nonce",
            "nonce",
            "\n",
            ["x-nonce", "x-timestamp", "x-api-signature"],
        ),
        (
            "B",
            "service-scoped",
            "service_id",
            "|",
            ["x-service-id", "x-timestamp", "x-signature"],
        ),
    ] {
        let guard = guard(profile, secret, (set == "B").then_some("billing"));
        for row in rows(&file[set]) {
            count = count.saturating_add(1);
            let [name, method, path, time, mac] =
                ["name", "method", "path", "timestamp", "mac"].map(|key| text(row, key));
            let (canonical, body) = (bytes(row, "canonical_hex"), bytes(row, "body_hex"));
            let parts = match set {
                "A" => vec![method, text(row, "host"), path, time, text(row, "nonce"), ""],
                _ => vec![method, text(row, "service_id"), path, time, ""],
            };
            assert_eq!(canonical, [parts.join(separator).as_bytes(), &body].concat(), "{row}");
            assert_eq!(hex(hmac::sign(&key, &canonical).as_ref()), mac, "{row}");

            let host = row["host"].as_str().unwrap_or(HOST);
            let target = RECEIVED.iter().find(|(other, _)| *other == name);
            let [first, second, last] = names;
            let headers = [
                header("host", host),
                header(first, text(row, third)),
                header(second, time),
                header(last, mac),
            ];
            let received = request(method, target.map_or(path, |(_, target)| target), &headers);
            let denied = denial(&guard, &received, 1_700_000_000, &body);
            assert_eq!(denied.is_none(), row["accept"] == true, "{row}");
            if let Some(reason) = denied {
                refused.insert((name, reason.as_str()));
                continue;
            }
            let options = SignOptions {
                key_id: None,
                created: Timestamp(time.parse().unwrap()),
                nonce: row["nonce"].as_str(),
            };
            let mut signing = guard
                .sign("s", &request(method, path, &headers[..1]), &options)
                .unwrap();
            signing.update(&body);
            let signed = signing.finish().unwrap();
            assert_eq!([signed.base().as_bytes(), &body].concat(), canonical, "{row}");
            assert!(signed.headers().iter().any(|(_, value)| value == mac), "{row}");
        }
    }
    let listed = REFUSED_SEEDS.iter().map(|(name, reason)| (*name, reason.as_str()));
    assert_eq!(refused, listed.collect());
    assert_eq!(count, CASES);
    println!("{CASES} seeds of the simple profiles, {} refused", refused.len());
}
