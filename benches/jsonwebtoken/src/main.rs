//! How long the crate `jsonwebtoken` takes for a token: `decode`, which verifies, validates and reads the claims.
//! A worker of `cargo xtask bench`, like `benches/host.rs`; the argument names the backend.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::BufRead;
use std::time::Instant;

use jsonwebtoken::crypto::{CryptoProvider, aws_lc, rust_crypto};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

const WORKLOAD: &str = include_str!("../../../xtask/bench/tokens.json");
/// The median of so many turns counts, each of so many calls, as in `benches/token.rs`.
const TURNS: usize = 31;
const CALLS: u32 = 10;
const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("RS256", Algorithm::RS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
];

#[derive(Deserialize)]
struct Workload {
    issuer: String,
    audience: String,
    jwks: JwkSet,
    tokens: BTreeMap<String, String>,
}

fn main() {
    let backend = std::env::args().nth(1);
    let provider: &CryptoProvider = match backend.as_deref() {
        Some("aws_lc_rs") => &aws_lc::DEFAULT_PROVIDER,
        Some("rust_crypto") => &rust_crypto::DEFAULT_PROVIDER,
        _ => return,
    };
    provider.install_default().unwrap();
    let workload: Workload = serde_json::from_str(WORKLOAD).unwrap();
    let keys: BTreeMap<&str, DecodingKey> = workload.jwks.keys.iter().map(key).collect();
    let cases = ALGORITHMS.map(|(name, algorithm)| {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&workload.issuer]);
        validation.set_audience(&[&workload.audience]);
        validation.validate_nbf = true;
        (name, &workload.tokens[name], validation)
    });
    for line in std::io::stdin().lock().lines() {
        if line.unwrap().trim() != "go" {
            continue;
        }
        let mut figures = BTreeMap::new();
        for (name, token, validation) in &cases {
            let turn = |_| {
                let start = Instant::now();
                for _ in 0..CALLS {
                    let header = decode_header(black_box(token)).unwrap();
                    let key = &keys[header.kid.as_deref().unwrap()];
                    black_box(decode::<Map<String, Value>>(token, key, validation).unwrap());
                }
                start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
            };
            let mut turns: Vec<f64> = (0..TURNS).map(turn).collect();
            turns.sort_by(f64::total_cmp);
            let row = format!("{}/jsonwebtoken-{}", backend.as_deref().unwrap(), name.to_lowercase());
            figures.insert(row, turns[TURNS / 2]);
        }
        println!("{}", serde_json::to_string(&figures).unwrap());
    }
}

fn key(jwk: &Jwk) -> (&str, DecodingKey) {
    (
        jwk.common.key_id.as_deref().unwrap(),
        DecodingKey::from_jwk(jwk).unwrap(),
    )
}
