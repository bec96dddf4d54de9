//! How long a signed request takes, native, beside the MAC alone. A worker of `cargo xtask bench`, like `benches/host.rs`: the same protocol.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start has nothing to say")]

use std::hint::black_box;
use std::io::BufRead;
use std::time::Instant;

use hostbound::{
    Guard, Header, Headers, Inspection, Peer, Policy, Request, Scheme, Secrets, SignOptions, Timestamp, Version,
};
use ring::hmac;

const CALLS: u32 = 20_000;
const NOW: Timestamp = Timestamp(1_767_225_600);
const SECRET: &str = "published-test-key-0123456789abcdef";

const POLICY: &str = r#"
version = 1
[hosts]
allow = ["api.example.com"]
scheme = "https"
[signatures.api]
profile = "host-nonce"
keys = [{ id = "k1", secret = { env = "KEY" } }]
[signatures.partner]
profile = "http-message-signatures"
tag = "partner-api"
keys = [{ id = "k2", secret = { name = "PARTNER" } }]
[[routes]]
path = "/v1/**"
require = ["signature:api"]
[[routes]]
path = "/v2/**"
require = ["signature:partner"]
"#;

fn main() {
    if std::env::args().nth(1).as_deref() != Some("worker") {
        return;
    }
    let policy = Policy::from_toml(POLICY, "bench.toml").unwrap();
    let mut secrets = Secrets::new();
    secrets.insert_named(policy.secrets(), "KEY", SECRET);
    secrets.insert_named(policy.secrets(), "PARTNER", "published-test-key-fedcba9876543210");
    let guard = Guard::with_secrets(policy, &secrets).unwrap();
    let body = vec![b'x'; 1024];
    let host_nonce = Signed::new(&guard, "api", b"/v1/orders?expand=lines", &body);
    let rfc9421 = Signed::new(&guard, "partner", b"/v2/orders?expand=lines", &body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let message = [host_nonce.base.as_bytes(), &body].concat();
    let tag = hmac::sign(&key, &message);
    for line in std::io::stdin().lock().lines() {
        if line.unwrap().trim() != "go" {
            continue;
        }
        let mac = time(|| hmac::verify(&key, black_box(&message), tag.as_ref()).unwrap());
        let first = time(|| host_nonce.judge(&guard, &body));
        let second = time(|| rfc9421.judge(&guard, &body));
        println!("{{\"native/hmac-1k\":{mac},\"native/host-nonce-1k\":{first},\"native/rfc9421-1k\":{second}}}");
    }
}

/// A request with the headers that sign it.
struct Signed {
    target: &'static [u8],
    headers: Vec<(String, String)>,
    base: String,
}

impl Signed {
    fn new(guard: &Guard, section: &str, target: &'static [u8], body: &[u8]) -> Self {
        let mut headers = [
            ("Host", "api.example.com"),
            ("Content-Type", "application/json"),
            ("Content-Length", "1024"),
            ("User-Agent", "partner/1.0"),
            ("Accept", "*/*"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let fields = fields(&headers);
        let options = SignOptions {
            key_id: None,
            created: NOW,
            nonce: Some("n-0123456789abcdef"),
        };
        let mut signing = guard.sign(section, &request(target, &fields), &options).unwrap();
        signing.update(body);
        let signed = signing.finish().unwrap();
        headers.extend(signed.headers().iter().cloned());
        Self {
            target,
            headers,
            base: signed.base().to_owned(),
        }
    }

    /// The whole judgement of the request, from its first byte to the claim that the store is asked for.
    fn judge(&self, guard: &Guard, body: &[u8]) {
        let fields = fields(&self.headers);
        let Inspection::NeedsBody(mut needs) = guard.inspect(black_box(&request(self.target, &fields)), Some(NOW))
        else {
            unreachable!("the head is signed")
        };
        needs.update(black_box(body));
        assert!(matches!(black_box(needs.finish()), Inspection::NeedsNonce(_)));
    }
}

fn fields(headers: &[(String, String)]) -> Vec<Header<'_>> {
    headers
        .iter()
        .map(|(name, value)| Header {
            name: name.as_bytes(),
            value: value.as_bytes(),
        })
        .collect()
}

fn request<'a>(target: &'a [u8], fields: &'a [Header<'a>]) -> Request<'a> {
    Request {
        method: b"POST",
        scheme: Scheme::Http,
        version: Version::Http11,
        target,
        headers: Headers::new(fields),
        peer: Peer::Unknown,
    }
}

fn time(call: impl Fn()) -> f64 {
    let start = Instant::now();
    (0..CALLS).for_each(|_| call());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}
