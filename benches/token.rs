//! How long a request with a bearer token takes, native, beside the signature alone. A worker of `cargo xtask bench`, like `benches/host.rs`: the same protocol.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start has nothing to say")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::BufRead;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostbound::{Guard, Header, Headers, Inspection, Peer, Policy, Request, Scheme, Timestamp, TokenStore, Version};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// Signature and request take turns, a few calls each: what disturbs the machine disturbs both. The median of the turns counts.
const TURNS: usize = 31;
const CALLS: u32 = 10;
/// Of what is so fast that the clock would count.
const CACHED_CALLS: u32 = 1000;

/// The tokens and keys that every peer is asked about: xtask/bench/tokens.py makes them.
const WORKLOAD: &str = include_str!("../xtask/bench/tokens.json");

fn main() {
    if std::env::args().nth(1).as_deref() != Some("worker") {
        return;
    }
    let workload: Value = serde_json::from_str(WORKLOAD).unwrap();
    let now = Timestamp(workload["now"].as_u64().unwrap());
    let cases: Vec<Case> = ["RS256", "ES256", "EdDSA"]
        .iter()
        .zip(workload["jwks"]["keys"].as_array().unwrap())
        .map(|(name, key)| Case::new(name, key, &workload))
        .collect();
    for line in std::io::stdin().lock().lines() {
        if line.unwrap().trim() != "go" {
            continue;
        }
        let mut figures = BTreeMap::new();
        for case in &cases {
            let (mut bare, mut whole) = (Vec::new(), Vec::new());
            for _ in 0..TURNS {
                bare.push(time(CALLS, || assert!((case.verify)(black_box(&case.token)))));
                whole.push(time(CALLS, || {
                    case.judge(|guard, request| guard.inspect(request, Some(now)));
                }));
            }
            figures.insert(format!("native/verify-{}", case.name), median(bare));
            figures.insert(format!("native/token-{}", case.name), median(whole));
        }
        let mut store = TokenStore::new();
        let [case, ..] = cases.as_slice() else { unreachable!() };
        let mut cached = || case.judge(|guard, request| guard.inspect_in(request, Some(now), &mut store));
        cached();
        let turns = (0..TURNS).map(|_| time(CACHED_CALLS, &mut cached)).collect();
        figures.insert("native/token-cached".into(), median(turns));
        println!("{}", serde_json::to_string(&figures).unwrap());
    }
}

/// A token, a guard that wants it, and ring alone.
struct Case {
    name: String,
    guard: Guard,
    token: String,
    authorization: String,
    verify: Box<dyn Fn(&str) -> bool>,
}

impl Case {
    fn new(algorithm: &str, key: &Value, workload: &Value) -> Self {
        let policy = json!({
            "version": 1,
            "hosts": { "allow": ["api.example.com"], "scheme": "https" },
            "tokens": { "api": {
                "issuer": workload["issuer"],
                "audience": [workload["audience"]],
                "algorithms": [algorithm],
                "keys": { "jwks": workload["jwks"] },
            } },
            "routes": [{ "path": "/v1/**", "require": ["token:api"], "scopes": ["orders:read"] }],
        });
        let token = workload["tokens"][algorithm].as_str().unwrap().to_owned();
        Self {
            name: algorithm.to_lowercase(),
            guard: Guard::new(Policy::from_json(&policy.to_string(), "bench").unwrap()),
            authorization: format!("Bearer {token}"),
            verify: verifier(key, &token),
            token,
        }
    }

    /// The whole judgement of a request, from its first byte on.
    fn judge(&self, inspect: impl for<'a> FnOnce(&'a Guard, &Request<'a>) -> Inspection<'a>) {
        let fields = [
            ("Host", "api.example.com"),
            ("Authorization", &self.authorization),
            ("User-Agent", "partner/1.0"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ]
        .map(|(name, value)| Header {
            name: name.as_bytes(),
            value: value.as_bytes(),
        });
        let request = Request {
            method: b"GET",
            scheme: Scheme::Http,
            version: Version::Http11,
            target: b"/v1/orders?expand=lines",
            headers: Headers::new(&fields),
            peer: Peer::Unknown,
        };
        let Inspection::Decided(verdict) = inspect(&self.guard, black_box(&request)) else {
            unreachable!("nothing is to be fetched")
        };
        assert!(black_box(verdict).is_allowed());
    }
}

/// What ring does for the same bytes: the signed part and the signature, decoded before the clock starts.
fn verifier(key: &Value, token: &str) -> Box<dyn Fn(&str) -> bool> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let length = signed.len();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    match key["kty"].as_str().unwrap() {
        "RSA" => {
            let key = RsaPublicKeyComponents {
                n: member("n"),
                e: member("e"),
            };
            Box::new(move |token| {
                let signed = token.as_bytes().get(..length).unwrap();
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, &signature).is_ok()
            })
        }
        kind => {
            let key = if kind == "EC" {
                let point = [vec![4], member("x"), member("y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            } else {
                UnparsedPublicKey::new(&ED25519, member("x"))
            };
            Box::new(move |token| {
                let signed = token.as_bytes().get(..length).unwrap();
                key.verify(signed, &signature).is_ok()
            })
        }
    }
}

fn time(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn median(mut turns: Vec<f64>) -> f64 {
    turns.sort_by(f64::total_cmp);
    turns[TURNS / 2]
}
