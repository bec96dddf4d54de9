//! Outbound requests: runs `tests/vectors/egress.json` against the engine, and what must hold for every input.

#![cfg(feature = "egress")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hostbound::{Decision, EgressDocument, EgressReason, EgressVerdictDocument, Guard, Policy};
use hostbound_vectors::{self as vectors, Case};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use url::Url;

/// Every case gives the verdict it wants, in every field but `detail`, `id` and `policy`.
#[test]
fn every_verdict_is_as_wanted() {
    vectors::load_egress().assert_verdicts(judge);
}

#[test]
fn every_denial_has_an_allowed_twin() {
    vectors::load_egress().assert_twins();
}

/// Every reason is denied in several cases, and reported if report mode lets it pass.
#[test]
fn every_reason_has_cases() {
    let mut denied = BTreeMap::<String, usize>::new();
    let mut reported = BTreeSet::new();
    for case in vectors::load_egress().cases {
        if let Some(reason) = case.want["reason"].as_str() {
            *denied.entry(reason.to_owned()).or_default() += 1;
        }
        reported.extend(case.want["reported"][0]["reason"].as_str().map(str::to_owned));
    }
    for reason in EgressReason::ALL {
        let count = denied.get(reason.as_str()).copied().unwrap_or(0);
        assert!(count >= 3, "{reason} is denied in {count} cases");
        assert_eq!(
            reported.contains(reason.as_str()),
            !reason.is_always_enforced(),
            "{reason} in report mode"
        );
    }
    assert!(
        denied
            .keys()
            .all(|reason| EgressReason::ALL.iter().any(|known| known.as_str() == reason))
    );
}

/// Every denial has a detail for the operator, fit for a log, that quotes neither query nor userinfo.
#[test]
fn every_detail_is_fit_for_a_log() {
    for case in vectors::load_egress().cases {
        let verdict = judge(&case);
        let details = [&verdict["detail"], &verdict["reported"][0]["detail"]];
        let found: Vec<_> = details.into_iter().filter_map(Value::as_str).collect();
        assert_eq!(found.is_empty(), case.is_plain_allow(), "{}", case.id);
        for detail in found {
            assert!(detail.len() < 600, "{}: {detail}", case.id);
            assert!(
                detail.bytes().all(|byte| (0x20..=0x7e).contains(&byte)),
                "{}: {detail}",
                case.id
            );
        }
    }
    let guard = guard(&json!({"allow": ["https://example.com"]}));
    for url in [
        "https://s3cret@example.com/",
        "https://:s3cret@example.com/",
        "https://evil.test/?s3cret",
        "https://example.com/a b?s3cret",
        "s3cret s3cret",
        "https://evil.test/#s3cret",
    ] {
        let detail = judge_url(&guard, url).detail.unwrap();
        assert!(!detail.contains("s3cret"), "{url}: {detail}");
    }
}

/// The pins that a face must come back with are those that a second judgement asks for.
#[test]
fn pins_are_asked_for_where_they_count() {
    for case in vectors::load_egress().cases {
        if case.want["reason"] == "pin_mismatch" {
            let url = case.request["url"].as_str().unwrap();
            assert!(!Guard::new(case.policy()).pins(url).is_empty(), "{}", case.id);
        }
    }
}

#[test]
fn only_whole_documents_are_read() {
    for (text, want) in [
        (r#"{"url":"https://a.test/"}"#, ""),
        (
            r#"{"id":null,"url":"x","addresses":null,"from":null,"headers":[],"pins":null}"#,
            "",
        ),
        (r#"{"url":"x","addresses":["10.0.0.1","2001:DB8::1"]}"#, ""),
        ("", "EOF"),
        ("[]", "a request is a JSON object"),
        (r#"["x"]"#, "a request is a JSON object"),
        ("{}", "missing field `url`"),
        (r#"{"url":"x","url":"x"}"#, "duplicate field `url`"),
        (r#"{"url":"x","s3cret\u001b":1}"#, "unknown field"),
        (r#"{"url":"x"} x"#, "trailing characters"),
        (r#"{"url":["s3cret"]}"#, "expected a string"),
        (r#"{"url":"x","headers":"s3cret"}"#, "expected a sequence"),
        (r#"{"url":"x","headers":null}"#, "expected a sequence"),
        (
            r#"{"url":"x","headers":[["authorization","s3cret"]]}"#,
            "expected a string",
        ),
        (r#"{"url":"x","addresses":["s3cret"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":["127.0.0.01"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":["127.1"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":["fe80::1%eth0"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":["[::1]"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":["127.0.0.1:80"]}"#, "invalid IP address"),
        (r#"{"url":"x","addresses":[2130706433]}"#, "invalid type"),
        (r#"{"url":"x","addresses":{"V4":[127,0,0,1]}}"#, "expected a sequence"),
    ] {
        let found = EgressDocument::from_json(text.as_bytes());
        let message = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(want.is_empty(), message.is_empty(), "{text}: {message}");
        assert!(message.contains(want), "{text}: {message}");
        assert!(
            message.len() < 300 && message.bytes().all(|byte| (0x20..=0x7e).contains(&byte)),
            "{message}"
        );
        let is_named = message.contains("unknown field");
        assert!(is_named || !message.contains("s3cret"), "{text}: {message}");
    }
}

const ALLOWED: &str = "example.com";

/// What URL parsers read differently.
#[rustfmt::skip]
const SEPARATORS: &[&str] = &[
    "\\", "@", "#", "?", "/", "//", ";", ":", ".", "%2e", "%40", "%2f", "%5c", "%00", "%23", "%3a", "%", "\t", "\n", "\r", " ", "\0", "\u{b}",
    "\u{ff0f}", "\u{3002}", "\u{ff0e}", "\u{ff61}", "\u{ff20}", "\u{ff03}", "\u{ff1a}", "\u{ff1f}", "\u{ad}", "\u{200b}", "\u{2044}", "\u{feff}",
    "&", ",", "+", "-", "_", "!", "~", "|", "^", "[", "]", "*", "..", "xn--",
];

const WORDS: &[&str] = &[
    "example.com",
    "EXAMPLE.com",
    "evil.test",
    "443",
    "user",
    "127.0.0.1",
    "::1",
    "0x7f.1",
    "",
];

/// The host as plain RFC 3986 splitting reads it (RFC 3986 appendix B), for comparison with WHATWG: urlsplit and its like.
fn split_host(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    let authority = rest.split(['/', '?', '#']).next().unwrap();
    let host = authority.rsplit('@').next().unwrap().split(':').next().unwrap();
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn assert_one_reading(guard: &Guard, url: &str) -> bool {
    let verdict = judge_url(guard, url);
    let Some(identity) = verdict.identity else {
        assert_eq!(verdict.decision, Decision::Deny);
        return false;
    };
    let parsed = Url::parse(url).unwrap();
    assert_eq!(identity.host, ALLOWED, "{url:?}");
    assert_eq!(parsed.host_str().unwrap().trim_end_matches('.'), ALLOWED, "{url:?}");
    assert_eq!(split_host(url), ALLOWED, "{url:?}");
    let again = Url::parse(&identity.url).unwrap();
    assert_eq!(
        (again.as_str(), again.host_str(), again.fragment()),
        (&*identity.url, Some(ALLOWED), None)
    );
    assert_eq!(again.port_or_known_default(), Some(identity.port));
    // What is allowed stays allowed, as it is written out.
    assert_eq!(judge_url(guard, &identity.url).identity.unwrap().url, identity.url);
    true
}

/// All short ones: two words around a separator, and a third after another one.
#[test]
fn every_short_confusion_is_refused_or_read_alike() {
    let guard = guard(&json!({"allow": ["https://example.com", "http://example.com"]}));
    let mut allowed = 0;
    for first in WORDS {
        for one in SEPARATORS {
            for second in ["example.com", "evil.test", "443"] {
                allowed += usize::from(assert_one_reading(&guard, &format!("https://{first}{one}{second}")));
                for two in SEPARATORS {
                    let url = format!("http://{first}{one}{second}{two}evil.test/");
                    allowed += usize::from(assert_one_reading(&guard, &url));
                }
            }
        }
    }
    assert!(allowed > 100, "{allowed}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands between the allowed host and the attacker's, the host judged is the one that others connect to.
    #[test]
    fn every_confusion_is_refused_or_read_alike(
        scheme in select(&["http://", "https://", "HTTP://", "https:", "http:/", "https:///", "http:\\\\", "ht\ttps://"][..]),
        start in select(&["", "example.com", "evil.test", "EXAMPLE.COM"][..]),
        parts in vec((select(SEPARATORS), select(WORDS)), 0..6),
    ) {
        let guard = guard(&json!({"allow": ["https://example.com", "http://example.com"]}));
        let mut url = format!("{scheme}{start}");
        for (separator, word) in parts {
            url.push_str(separator);
            url.push_str(word);
        }
        assert_one_reading(&guard, &url);
    }

    /// No text of any kind is allowed if it is no URL of the allowed host.
    #[test]
    fn no_other_text_is_allowed(text in any::<String>()) {
        let guard = guard(&json!({"allow": ["https://example.com", "http://example.com"]}));
        assert_one_reading(&guard, &text);
        assert_one_reading(&guard, &format!("https://example.com{text}"));
        assert_one_reading(&guard, &format!("https://{text}example.com/"));
    }

    /// Addresses of known kinds, in any combination: allowed if and only if every one is.
    #[test]
    fn one_bad_address_refuses_all(picked in vec(select(KNOWN), 0..6)) {
        let guard = guard(&json!({"allow": ["https://example.com"], "addresses": ["global", "10.0.0.0/8", "fd00::/8"]}));
        let addresses: Vec<IpAddr> = picked.iter().map(|(address, _)| address.parse().unwrap()).collect();
        let verdict = judge_addresses(&guard, &addresses);
        let is_good = !picked.is_empty() && picked.iter().all(|(_, is_good)| *is_good);
        prop_assert_eq!(verdict.decision == Decision::Allow, is_good, "{:?}", &addresses);
        prop_assert_eq!(verdict.identity.map(|identity| identity.addresses), is_good.then_some(Some(addresses)));
    }

    /// Any addresses at all before a list of blocks.
    #[test]
    fn what_is_not_listed_is_never_allowed(picked in vec(any_address(), 1..5)) {
        let guard = guard(&json!({"allow": ["https://example.com"], "addresses": ["10.0.0.0/8", "192.0.2.0/25", "2001:db8::/33"]}));
        let verdict = judge_addresses(&guard, &picked);
        let are_listed = picked.iter().all(|address| is_listed(*address));
        prop_assert_eq!(verdict.decision == Decision::Allow, are_listed, "{:?}", picked);
    }
}

/// Addresses, and whether `["global", "10.0.0.0/8", "fd00::/8"]` lets requests go there.
const KNOWN: &[(&str, bool)] = &[
    ("93.184.216.34", true),
    ("8.8.8.8", true),
    ("2606:4700::1111", true),
    ("10.1.2.3", true),
    ("fd12::1", true),
    ("::ffff:8.8.8.8", true),
    ("::ffff:10.1.2.3", true),
    ("64:ff9b::808:808", true),
    ("172.32.0.0", true),
    ("127.0.0.1", false),
    ("192.168.0.1", false),
    ("::1", false),
    ("::", false),
    ("0.0.0.0", false),
    ("169.254.169.254", false),
    ("168.63.129.16", false),
    ("fd00:ec2::254", false),
    ("fd20:ce::254", false),
    ("::ffff:127.0.0.1", false),
    ("::ffff:169.254.169.254", false),
    ("64:ff9b::a9fe:a9fe", false),
    ("64:ff9b:1:a9fe:a9:fe00:808:808", false),
    ("2002:808:808::", false),
    ("2001:0:4136:e378:8000:63bf:5601:5601", false),
    ("::808:808", false),
    ("::ffff:0:808:808", false),
    ("2606:4700::5efe:a9fe:a9fe", false),
    ("fd00::5efe:a9fe:a9fe", false),
    ("fe80::1", false),
    ("ff02::1", false),
    ("100.64.0.1", false),
    ("192.88.99.1", false),
];

/// The same by arithmetic: IPv4-mapped and 64:ff9b::/96 are what they carry.
fn is_listed(address: IpAddr) -> bool {
    let is_v4 = |bits: u32| bits >> 24 == 10 || bits >> 7 == 0xC000_0200 >> 7;
    match address {
        IpAddr::V4(address) => is_v4(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let carries = u32::try_from(bits & 0xFFFF_FFFF).unwrap();
            match bits >> 32 {
                0xFFFF | 0x0064_FF9B_0000_0000_0000_0000 => is_v4(carries),
                _ => bits >> 95 == 0x2001_0DB8_u128 << 1,
            }
        }
    }
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let near = prop_oneof![
        any::<u32>(),
        any::<u32>().prop_map(|bits| 10 << 24 | bits >> 8),
        any::<u32>().prop_map(|bits| 0xC000_0200 | bits >> 25),
        any::<u32>().prop_map(|bits| 0xC000_0200 | bits >> 24),
    ];
    let prefixes: &[u128] = &[
        0xFFFF << 32,
        0x64_FF9B << 96,
        0xFFFF << 48,
        0,
        0x2002 << 112,
        0x2001_0DB8 << 96,
    ];
    prop_oneof![
        near.clone().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        (near.clone(), select(prefixes))
            .prop_map(|(bits, prefix)| IpAddr::V6(Ipv6Addr::from_bits(prefix | u128::from(bits)))),
        near.prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(0x2002 << 112 | u128::from(bits) << 80))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(0x2001_0DB8 << 96 | bits >> 32))),
    ]
}

fn guard(egress: &Value) -> Guard {
    let policy = json!({"version": 1, "hosts": {"allow": ["localhost"]}, "egress": egress});
    Guard::new(Policy::from_json(&policy.to_string(), "test").unwrap())
}

fn judge_url(guard: &Guard, url: &str) -> EgressVerdictDocument {
    let document = EgressDocument {
        url: url.to_owned(),
        ..EgressDocument::default()
    };
    guard.judge_egress(&document)
}

fn judge_addresses(guard: &Guard, addresses: &[IpAddr]) -> EgressVerdictDocument {
    let document = EgressDocument {
        url: "https://example.com/".to_owned(),
        addresses: Some(addresses.to_vec()),
        ..EgressDocument::default()
    };
    guard.judge_egress(&document)
}

fn judge(case: &Case) -> Value {
    let document = EgressDocument::from_json(case.request.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{}: {error}", case.id));
    let verdict = Guard::new(case.policy()).judge_egress(&document);
    serde_json::from_str(&verdict.to_json()).unwrap()
}
