//! Replays the fuzzers' corpus, and the vectors as seeds, over the functions that `cargo xtask fuzz` runs live.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::cell::Cell;
use std::path::Path;

use hostbound_vectors as vectors;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0_usize;
    for entry in std::fs::read_dir(&folder).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "{} has {count} seeds", folder.display());
}

#[test]
fn policy_corpus() {
    replay("policy", targets::policy);
}

#[test]
fn authority_corpus() {
    replay("authority", targets::authority);
}

#[test]
fn request_corpus() {
    replay("request", targets::request);
}

#[test]
fn route_corpus() {
    replay("route", targets::route);
}

/// Among the seeds are requests of every profile whose signature is right.
#[test]
fn signature_corpus() {
    thread_local!(static ALLOWED: Cell<usize> = const { Cell::new(0) });
    replay("signature", |data| {
        if targets::signature(data) {
            ALLOWED.set(ALLOWED.get() + 1);
        }
    });
    assert_eq!(ALLOWED.get(), 12);
}

/// Among the seeds are shards that the claim can be made in, with live claims and without.
#[test]
fn replay_shard_corpus() {
    thread_local!(static MADE: Cell<usize> = const { Cell::new(0) });
    replay("replay_shard", |data| {
        if targets::replay_shard(data) {
            MADE.set(MADE.get() + 1);
        }
    });
    assert_eq!(MADE.get(), 4);
}

/// Among the seeds are tokens that count.
#[test]
fn token_corpus() {
    thread_local!(static ALLOWED: Cell<usize> = const { Cell::new(0) });
    replay("token", |data| {
        if targets::token(data) {
            ALLOWED.set(ALLOWED.get() + 1);
        }
    });
    assert!(ALLOWED.get() >= 2);
}

#[cfg(feature = "egress")]
#[test]
fn egress_url_corpus() {
    replay("egress_url", targets::egress_url);
    for case in vectors::load_egress().cases {
        targets::egress_url(case.request.to_string().as_bytes());
        targets::egress_url(case.request["url"].as_str().unwrap().as_bytes());
    }
}

#[cfg(feature = "egress")]
#[test]
fn page_corpus() {
    replay("page", targets::page);
    for case in vectors::load_page().cases {
        targets::page(case.request.to_string().as_bytes());
        if let Some(url) = case.request["url"].as_str() {
            targets::page(url.as_bytes());
        }
    }
}

#[test]
fn vectors_as_seeds() {
    for file in vectors::load() {
        for case in &file.cases {
            targets::request(case.request.to_string().as_bytes());
            targets::signature(case.request.to_string().as_bytes());
            targets::policy(case.policy.to_string().as_bytes());
            let latin1 = |text: &str| {
                text.chars()
                    .map(|c| u8::try_from(c).unwrap_or(b'?'))
                    .collect::<Vec<_>>()
            };
            targets::route(&latin1(case.request["target"].as_str().unwrap()));
            for header in case.request["headers"].as_array().unwrap() {
                targets::authority(&latin1(header[1].as_str().unwrap_or_default()));
            }
        }
    }
}
