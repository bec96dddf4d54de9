//! How long a judgement takes, native. A worker of `cargo xtask bench`: with the argument `worker`, each line `go` on standard
//! input runs one batch of every row, and the answer is one line of JSON, nanoseconds a call by name.
//!
//! Without that argument it does nothing: a figure alone, on a machine that is busy or not, says little.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start has nothing to say")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::BufRead;
use std::time::{Duration, Instant};

use hostbound::{
    Authority, Guard, Header, Headers, HostPattern, HostSet, Inspection, Peer, Policy, Request, Scheme, Version, pack,
};
use serde_json::Value;

const BATCH: Duration = Duration::from_millis(20);

/// The host and the allowlist that every peer is asked about.
const WORKLOAD: &str = include_str!("../xtask/bench/workload.json");

/// A browser's POST as it arrives: 13 headers, about 700 bytes.
const HEADERS: [(&str, &str); 13] = [
    ("Host", "api.example.com:8443"),
    ("Connection", "keep-alive"),
    ("Content-Length", "27"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    ("Content-Type", "application/json"),
    ("Accept", "*/*"),
    ("Origin", "https://api.example.com:8443"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
    ("Referer", "https://api.example.com:8443/orders/new"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9"),
];

struct Row {
    name: &'static str,
    call: Box<dyn Fn(u64)>,
    calls: u64,
}

fn main() {
    if std::env::args().nth(1).as_deref() != Some("worker") {
        return;
    }
    let mut rows = rows();
    for row in &mut rows {
        let start = Instant::now();
        (row.call)(10_000);
        let per_call = start.elapsed().as_nanos().max(10_000) / 10_000;
        row.calls = u64::try_from((BATCH.as_nanos() / per_call).max(1)).unwrap();
    }
    for line in std::io::stdin().lock().lines() {
        if line.unwrap().trim() != "go" {
            continue;
        }
        let figures: BTreeMap<_, _> = rows
            .iter()
            .map(|row| {
                let start = Instant::now();
                (row.call)(row.calls);
                (row.name, start.elapsed().as_secs_f64() * 1e9 / row.calls as f64)
            })
            .collect();
        println!("{}", serde_json::to_string(&figures).unwrap());
    }
}

fn rows() -> Vec<Row> {
    let workload: Value = serde_json::from_str(WORKLOAD).unwrap();
    let host = workload["host"].as_str().unwrap().to_owned();
    let allow: Vec<_> = workload["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let text = |value: &Value| value.to_string();

    let minimal = format!("{{\"version\":1,\"hosts\":{{\"allow\":{}}}}}", text(&workload["allow"]));
    let routes = format!(
        "{{\"version\":1,\"hosts\":{{\"allow\":{},\"scheme\":\"https\"}},\"routes\":[\
         {{\"path\":\"/healthz\",\"require\":[]}},{{\"path\":\"/orders/*\",\"methods\":[\"GET\",\"POST\"],\"require\":[]}},\
         {{\"path\":\"/**\",\"require\":[]}}]}}",
        text(&workload["allow"])
    );
    let (minimal, routes) = (guard(&minimal), guard(&routes));
    let set = host_set(&allow);
    vec![
        row("native/host", move |_| {
            let authority = Authority::parse(black_box(host.as_bytes())).unwrap();
            black_box(set.matching(authority, Scheme::Https.default_port()));
        }),
        row("native/guard-host-only", move |_| inspect(&minimal, &HEADERS[..1])),
        row("native/host+origin+route", move |_| inspect(&routes, &HEADERS)),
        row("native/pack", pack_one),
        many_patterns("native/patterns-10", 10),
        many_patterns("native/patterns-10000", 10_000),
    ]
}

/// Hosts spread over a list of names and wildcards, half of them not on it.
fn many_patterns(name: &'static str, count: usize) -> Row {
    let patterns: Vec<_> = (0..count)
        .map(|i| {
            if i % 5 == 0 {
                format!("**.w{i}.example")
            } else {
                format!("n{i}.example")
            }
        })
        .collect();
    let set = host_set(&patterns);
    let hosts: Vec<_> = (0..64)
        .map(|i| {
            let at = (i * 7919) % count;
            match i % 4 {
                0 => format!("a.b.w{}.example:8443", at / 5 * 5),
                1 => format!("N{}.example", at / 5 * 5 + 1),
                2 => format!("x{i}.n{at}.example"),
                _ => format!("rebound{i}.test"),
            }
        })
        .collect();
    row(name, move |call| {
        let host = &hosts[usize::try_from(call % 64).unwrap()];
        let authority = Authority::parse(black_box(host.as_bytes())).unwrap();
        black_box(set.matching(authority, Scheme::Http.default_port()));
    })
}

fn inspect(guard: &Guard, headers: &[(&str, &str)]) {
    let mut fields = [Header { name: b"", value: b"" }; HEADERS.len()];
    for (field, (name, value)) in fields.iter_mut().zip(headers) {
        *field = Header {
            name: name.as_bytes(),
            value: value.as_bytes(),
        };
    }
    let request = request(&fields[..headers.len()]);
    let Inspection::Decided(verdict) = guard.inspect(black_box(&request), None) else {
        unreachable!()
    };
    assert!(black_box(verdict).is_allowed());
}

fn pack_one(_: u64) {
    thread_local!(static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) });
    let fields = HEADERS.map(|(name, value)| Header {
        name: name.as_bytes(),
        value: value.as_bytes(),
    });
    BUFFER.with_borrow_mut(|buffer| pack(black_box(&request(&fields)), None, buffer).unwrap());
}

fn request<'a>(fields: &'a [Header<'a>]) -> Request<'a> {
    Request {
        method: b"POST",
        scheme: Scheme::Https,
        version: Version::Http11,
        target: b"/orders/new",
        headers: Headers::new(fields),
        peer: Peer::from_address([192, 0, 2, 7].into()),
    }
}

fn row(name: &'static str, call: impl Fn(u64) + 'static) -> Row {
    Row {
        name,
        call: Box::new(move |calls| (0..calls).for_each(&call)),
        calls: 0,
    }
}

fn guard(policy: &str) -> Guard {
    Guard::new(Policy::from_json(policy, "bench").unwrap())
}

fn host_set(patterns: &[String]) -> HostSet {
    let mut set = HostSet::default();
    for pattern in patterns {
        set.insert(&HostPattern::parse(pattern).unwrap()).unwrap();
    }
    set
}
