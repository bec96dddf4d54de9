//! How long an outbound judgement takes, native. A worker of `cargo xtask bench`, like `benches/host.rs`: the same protocol.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start has nothing to say")]

use std::hint::black_box;
use std::io::BufRead;
use std::net::IpAddr;
use std::time::Instant;

use hostbound::{AddressRules, EgressDocument, Guard, Policy};

const CALLS: u32 = 20_000;

const POLICY: &str = r#"
version = 1
[hosts]
allow = ["localhost"]
[egress]
allow = ["https://auth.example.com", "https://*.partner.example:8443", "https://orders.internal:8443"]
addresses = ["global", "10.1.0.0/16"]
credentials = { "https://auth.example.com" = ["authorization"] }
"#;

fn main() {
    if std::env::args().nth(1).as_deref() != Some("worker") {
        return;
    }
    let guard = Guard::new(Policy::from_toml(POLICY, "bench.toml").unwrap());
    let addresses: Vec<IpAddr> = [
        "8.8.8.8",
        "10.0.0.1",
        "::ffff:127.0.0.1",
        "2606:4700::1111",
        "64:ff9b::a9fe:a9fe",
        "172.32.0.0",
        "fd00::1",
        "2002:a9fe:a9fe::",
    ]
    .iter()
    .map(|address| address.parse().unwrap())
    .collect();
    let mut rules = AddressRules::new();
    rules.insert_global().unwrap();
    let first = EgressDocument {
        url: "https://auth.example.com/oauth/token?grant=client".into(),
        headers: vec!["authorization".into(), "content-type".into(), "accept".into()],
        ..EgressDocument::default()
    };
    let second = EgressDocument {
        addresses: Some(vec!["93.184.216.34".parse().unwrap()]),
        ..first.clone()
    };
    for line in std::io::stdin().lock().lines() {
        if line.unwrap().trim() != "go" {
            continue;
        }
        let address = time(CALLS * 10, |call| {
            let address = addresses
                .iter()
                .cycle()
                .nth(usize::try_from(call % 8).unwrap())
                .unwrap();
            let _ = black_box(rules.allows(black_box(*address)));
        });
        let url = time(CALLS, |_| {
            assert!(black_box(guard.judge_egress(black_box(&first))).reason.is_none())
        });
        let resolved = time(CALLS, |_| {
            assert!(black_box(guard.judge_egress(black_box(&second))).reason.is_none())
        });
        println!("{{\"native/address\":{address},\"native/egress-url\":{url},\"native/egress-resolved\":{resolved}}}");
    }
}

fn time(calls: u32, call: impl Fn(u32)) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(call);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}
