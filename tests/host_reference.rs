//! A second, slow reading of the host check, against which the engine is held.
//!
//! Written from RFC 3986 §3.2, RFC 9110 §7.2, RFC 9112 §3.2 and `docs/contract.md` §1, §2 and §6, without a look at the engine: it
//! shares no type with it but those of the public interface. Any disagreement is a false accept or a false reject.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

#[path = "host_reference/generate.rs"]
mod generate;
#[path = "host_reference/reference.rs"]
mod reference;

use std::cell::Cell;
use std::rc::Rc;

use hostbound::{
    Guard, Header, Headers, Inspection, Memory, Peer, Policy, Request, RequestDocument, Scheme, Timestamp, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use reference::{Exchange, Pattern, Rules, Target};

/// The policy under which the field's guards were scored.
#[rustfmt::skip]
const SCORED: [&str; 6] = ["example.com", "multi.example", "**.multi.example", "localhost", "127.0.0.1", "[::1]"];

/// What is tampered with.
#[rustfmt::skip]
const GOOD: &[&str] = &[
    "example.com", "example.com:80", "example.com:8443", "a.multi.example", "x-1.y.multi.example", "multi.example",
    "localhost", "localhost:3000", "127.0.0.1", "10.0.0.1:443", "[::1]:8000", "[fd00::1:2]",
];

/// Rows of the collection (`§1.1`: the list of what leaks) with a Host value and what it must give under [`SCORED`].
#[rustfmt::skip]
const HOSTS: &[(&str, &[u8], Result<&str, &str>)] = &[
    ("1", b"example.com", Ok("example.com")),
    ("1", b"EXAMPLE.com", Ok("example.com")),
    ("1", b"Example.Com:443", Ok("example.com:443")),
    ("1", b"LOCALHOST:3000", Ok("localhost:3000")),
    ("2", b"example.com.", Ok("example.com")),
    ("2", b"example.com.:80", Ok("example.com")),
    ("3", b"example.com..", Err("host_malformed")),
    ("4", b".example.com", Err("host_malformed")),
    ("5", b"evilmulti.example", Err("host_not_allowed")),
    ("5", b"multi-example", Err("host_not_allowed")),
    ("5", b"evil-multi.example", Err("host_not_allowed")),
    ("5", b"xexample.com", Err("host_not_allowed")),
    ("5", b"example.co", Err("host_not_allowed")),
    ("5", b"example.comm", Err("host_not_allowed")),
    ("6", b"b.multi.example", Ok("b.multi.example")),
    ("6", b"a.b.multi.example", Ok("a.b.multi.example")),
    ("6", b"multi.example", Ok("multi.example")),
    ("7", b"example.com@evil.tld", Err("host_malformed")),
    ("7", b"evil.com@localhost:3000", Err("host_malformed")),
    ("7", b"user:pass@localhost", Err("host_malformed")),
    ("7", b"localhost@evil.com", Err("host_malformed")),
    ("8", b"localhost:80.evil.com", Err("host_malformed")),
    ("8", b"127.0.0.1:80.evil.com", Err("host_malformed")),
    ("8", b"localhost:@evil.com", Err("host_malformed")),
    ("8", b"example.com:x@evil", Err("host_malformed")),
    ("8", b"[::1]:80.evil.com", Err("host_malformed")),
    ("8", b"localhost:anything", Err("host_malformed")),
    ("9", b"example.com:80:80", Err("host_malformed")),
    ("10", b"example.com:99999", Err("host_malformed")),
    ("10", b"example.com:65536", Err("host_malformed")),
    ("10", b"example.com:-1", Err("host_malformed")),
    ("10", b"example.com:+80", Err("host_malformed")),
    ("10", b"example.com:0x50", Err("host_malformed")),
    ("10", b"example.com:\xd9\xa8\xd9\xa0", Err("host_malformed")),
    ("10", b"[::1]:\xc2\xb2", Err("host_malformed")),
    ("10", b"example.com:0", Err("host_malformed")),
    ("10", b"example.com:080", Err("host_malformed")),
    ("10", b"example.com:", Err("host_malformed")),
    ("10", b"example.com:80 ", Err("host_malformed")),
    ("10", b"example.com: 80", Err("host_malformed")),
    ("10", b"[::1]:", Err("host_malformed")),
    ("10", b"example.com:1", Ok("example.com:1")),
    ("10", b"example.com:65535", Ok("example.com:65535")),
    ("11", b"attacker.com#x.multi.example", Err("host_malformed")),
    ("11", b"attacker.com/.multi.example", Err("host_malformed")),
    ("11", b"attacker.com?.multi.example", Err("host_malformed")),
    ("11", b"attacker.com\\.multi.example", Err("host_malformed")),
    ("12", b"example.com/path?", Err("host_malformed")),
    ("12", b"localhost\\evil.com", Err("host_malformed")),
    ("12", b"localhost/admin", Err("host_malformed")),
    ("12", b"example.com#", Err("host_malformed")),
    ("12", b"example.com?", Err("host_malformed")),
    ("12", b"example.com/", Err("host_malformed")),
    ("12", b"\\", Err("host_malformed")),
    ("12", b"%", Err("host_malformed")),
    ("13", b"[::1]", Ok("[::1]")),
    ("13", b"[::1]:8000", Ok("[::1]:8000")),
    ("13", b"[0:0:0:0:0:0:0:1]", Ok("[::1]")),
    ("13", b"[::0.0.0.1]:80", Ok("[::1]")),
    ("14", b"::1", Err("host_malformed")),
    ("14", b"[::1", Err("host_malformed")),
    ("14", b"[::1]x", Err("host_malformed")),
    ("14", b"[localhost]", Err("host_malformed")),
    ("14", b"[127.0.0.1]", Err("host_malformed")),
    ("14", b"::1]", Err("host_malformed")),
    ("14", b"[]", Err("host_malformed")),
    ("14", b"[::1].", Err("host_malformed")),
    ("14", b"[[::1]]", Err("host_malformed")),
    ("14", b"::1:80", Err("host_malformed")),
    ("15", b"[::1%25eth0]", Err("host_malformed")),
    ("15", b"[::%25evil.com]", Err("host_malformed")),
    ("15", b"[v1.evil]", Err("host_malformed")),
    ("15", b"[::1%lo]", Err("host_malformed")),
    ("15", b"[::1%25]", Err("host_malformed")),
    ("16", b"[::ffff:127.0.0.1]", Err("host_not_allowed")),
    ("16", b"[::ffff:7f00:1]", Err("host_not_allowed")),
    ("16", b"[::7f00:1]", Err("host_not_allowed")),
    ("16", b"[::127.0.0.1]", Err("host_not_allowed")),
    ("17", b"127.1", Err("host_malformed")),
    ("17", b"0x7f000001", Err("host_malformed")),
    ("17", b"2130706433", Err("host_malformed")),
    ("17", b"0177.0.0.1", Err("host_malformed")),
    ("17", b"127.0.0.01", Err("host_malformed")),
    ("17", b"10.0.2.555", Err("host_malformed")),
    ("17", b"127.0.0.0x1", Err("host_malformed")),
    ("17", b"127.0.0.1.1", Err("host_malformed")),
    ("17", b"0", Err("host_malformed")),
    ("17", b"0x", Err("host_malformed")),
    ("17", b"1.0X", Err("host_malformed")),
    ("17", b"127.0.0.1", Ok("127.0.0.1")),
    ("17", b"127.0.0.1:8080", Ok("127.0.0.1:8080")),
    ("18", b"localhost6", Err("host_not_allowed")),
    ("18", b"foo.localhost", Err("host_not_allowed")),
    ("18", b"localhost4", Err("host_not_allowed")),
    ("18", b"ip6-localhost", Err("host_not_allowed")),
    ("19", b"localhost.evil.com", Err("host_not_allowed")),
    ("19", b"127.0.0.1.nip.io", Err("host_not_allowed")),
    ("19", b"example.com.evil.test", Err("host_not_allowed")),
    ("19", b"a.example.com", Err("host_not_allowed")),
    ("19", b"127.0.0.2", Err("host_not_allowed")),
    ("19", b"0.0.0.0", Err("host_not_allowed")),
    ("19", b"[::]", Err("host_not_allowed")),
    ("20", b"example\xe3\x80\x82com", Err("host_malformed")),
    ("20", b"\xef\xbd\x8c\xef\xbd\x8f\xef\xbd\x83\xef\xbd\x81\xef\xbd\x8c\xef\xbd\x88\xef\xbd\x8f\xef\xbd\x93\xef\xbd\x94", Err("host_malformed")),
    ("20", b"exam\xc2\xadple.com", Err("host_malformed")),
    ("20", b"exam\xadple.com", Err("host_malformed")),
    ("20", b"\xe2\x93\x94xample.com", Err("host_malformed")),
    ("20", b"exa%6dple.com", Err("host_malformed")),
    ("20", b"example.com%2e", Err("host_malformed")),
    ("20", b"example%2ecom", Err("host_malformed")),
    ("20", b"\xe2\x84\xaaexample.com", Err("host_malformed")),
    ("20", b"\xc4\xb1ocalhost", Err("host_malformed")),
    ("20", b"b\xc3\xbccher.multi.example", Err("host_malformed")),
    ("21", b"xn--example-.com", Err("host_not_allowed")),
    ("21", b"example.com.xn--", Err("host_not_allowed")),
    ("21", b"xn--example-.org", Err("host_not_allowed")),
    ("23", b"", Err("host_malformed")),
    ("23", b".", Err("host_malformed")),
    ("23", b"..", Err("host_malformed")),
    ("23", b":80", Err("host_malformed")),
    ("23", b" ", Err("host_malformed")),
    ("25", b"a, b", Err("host_duplicate")),
    ("25", b"example.com, evil.test", Err("host_duplicate")),
    ("25", b"evil.test,example.com", Err("host_duplicate")),
    ("25", b"example.com,example.com", Err("host_duplicate")),
    ("25", b"example.com,", Err("host_duplicate")),
    ("25", b",", Err("host_duplicate")),
    ("30", b"evil.com", Err("host_not_allowed")),
    ("30", b"evil.test:80", Err("host_not_allowed")),
    ("30", b"attacker.example", Err("host_not_allowed")),
    ("31", b"file:x", Err("host_malformed")),
    ("31", b"file:evil.com", Err("host_malformed")),
    ("31", b"chrome-extension://x", Err("host_malformed")),
    ("31", b"evil.x-extension:80", Err("host_not_allowed")),
    ("31", b"evil.x-extension:8080", Err("host_not_allowed")),
    ("33", b"10.4.5.6", Err("host_not_allowed")),
    ("33", b"10.4.5.6:8080", Err("host_not_allowed")),
    ("§1.1", b"a..multi.example", Err("host_malformed")),
    ("§1.1", b"*.multi.example", Err("host_malformed")),
    ("§1.1", b"(aaa).multi.example", Err("host_malformed")),
    ("§1.1", b"*.example.com", Err("host_malformed")),
    ("§1.1", b"*", Err("host_malformed")),
    ("§1.1", b"example.com;evil", Err("host_malformed")),
    ("§1.1", b"example.com:80;x", Err("host_malformed")),
    ("§1.1", b"example.com'", Err("host_malformed")),
    ("§1.1", b"\"example.com\"", Err("host_malformed")),
    ("§1.1", b"<example.com>", Err("host_malformed")),
    ("§1.1", b"http://example.com", Err("host_malformed")),
    ("§1.1", b"//example.com", Err("host_malformed")),
    ("§1.1", b"example.com\t", Err("host_malformed")),
    ("§1.1", b"\texample.com", Err("host_malformed")),
    ("§1.1", b" example.com", Err("host_malformed")),
    ("§1.1", b"example.com ", Err("host_malformed")),
    ("§1.1", b"exam ple.com", Err("host_malformed")),
    ("§1.1", b"example.com\x7f", Err("host_malformed")),
    ("§1.1", b"example.com\xff", Err("host_malformed")),
    ("§1.1", b"example.com!", Err("host_malformed")),
    ("§1.1", b"a=b.multi.example", Err("host_malformed")),
    ("§1.1", b"a+b.multi.example", Err("host_malformed")),
    ("§1.1", b"a~b.multi.example", Err("host_malformed")),
];

/// (a) Every value of the grammar, and just beyond it, is judged as the reference judges it. Four values share a policy.
#[test]
fn values_of_the_grammar() {
    let hosts = vec((generate::host_text(), generate::listing()), 4);
    let value = (hosts, generate::scheme(), generate::version());
    compare_all("grammar", 5_000, value, |(hosts, scheme, version)| {
        let judged = Judged::new(&generate::rules_about(hosts));
        let exchange = |(host, _): &(String, _)| (judged.clone(), plain(host.as_bytes(), *scheme, *version));
        hosts.iter().map(exchange).collect()
    });
}

/// (b) A good value that was tampered with is no longer accepted, unless the reference still does.
#[test]
fn values_tampered_with() {
    let rules = [
        generate::rules(&SCORED, None),
        generate::rules(
            &["example.com", "*.multi.example", "10.0.0.1", "[fd00::1:2]"],
            Some(Scheme::Https),
        ),
    ];
    let judged = rules.map(|rules| Judged::new(&rules));
    let value = (
        select(GOOD),
        vec(generate::mutation(), 0..=3),
        0..judged.len(),
        generate::version(),
    );
    compare_all("tampered", 20_000, value, |(good, mutations, policy, version)| {
        let mut host = good.as_bytes().to_vec();
        mutations
            .iter()
            .for_each(|mutation| generate::mutate(&mut host, mutation));
        vec![(judged[*policy].clone(), plain(&host, Scheme::Http, *version))]
    });
}

/// (c) Every policy that lists no entry twice is accepted, and its patterns match what the reference says.
#[test]
fn policies_and_near_misses() {
    let value = (
        generate::small_rules(),
        vec(generate::small_host(), 6),
        generate::scheme(),
    );
    compare_all("policies", 4_000, value, |(rules, hosts, connection)| {
        let judged = Judged::new(rules);
        let exchange = |host: &Vec<u8>| (judged.clone(), plain(host, *connection, Version::Http11));
        hosts.iter().map(exchange).collect()
    });
}

/// (d) Host, `:authority` and an absolute-form target agree, or the request is refused.
#[test]
fn three_authorities() {
    let rules = [
        generate::rules(&["example.com", "[::1]", "127.0.0.1"], None),
        generate::rules(&["example.com", "[::1]", "127.0.0.1"], Some(Scheme::Https)),
    ];
    let judged = rules.map(|rules| Judged::new(&rules));
    compare_all(
        "authorities",
        20_000,
        (generate::exchange(), 0..judged.len()),
        |(exchange, policy)| vec![(judged[*policy].clone(), exchange.clone())],
    );
}

/// (e) What published guards wrongly accept or refuse, row by row of the field's collection. The reference is held against it too.
#[test]
fn collected_bypasses() {
    let scored = generate::rules(&SCORED, None);
    let judged = Judged::new(&scored);
    let (mut false_accepts, mut false_rejects) = (Vec::new(), Vec::new());
    for (row, host, want) in HOSTS {
        let exchange = plain(host, Scheme::Http, Version::Http11);
        let want = want.map(str::to_owned);
        assert_eq!(
            reference::judge(&scored, &exchange),
            want,
            "the reference on {row}, `{}`",
            host.escape_ascii()
        );
        let found = engine(&judged.guard, &exchange);
        match (&want, &found) {
            _ if want == found => {}
            (Err(_), Ok(_)) => false_accepts.push((row, host.escape_ascii().to_string())),
            (Ok(_), Err(_)) => false_rejects.push((row, host.escape_ascii().to_string())),
            _ => panic!("{row}, `{}`: want {want:?}, found {found:?}", host.escape_ascii()),
        }
    }
    let allowed = HOSTS.iter().filter(|(_, _, want)| want.is_ok()).count();
    println!("collected: {} denied, {allowed} allowed", HOSTS.len() - allowed);
    assert!(
        false_accepts.is_empty() && false_rejects.is_empty(),
        "false accepts {false_accepts:?}, false rejects {false_rejects:?}"
    );
}

/// (e) The rows that are about more than one Host value.
#[test]
fn collected_bypasses_of_requests() {
    let request = |hosts: &[&str], target| Exchange {
        hosts: hosts.iter().map(|host| host.as_bytes().to_vec()).collect(),
        target,
        ..plain(b"", Scheme::Http, Version::Http11)
    };
    let rules = generate::rules(&SCORED, None);
    let evil = Target::Absolute("http://", b"evil".to_vec(), "/");
    let origin = Target::Origin;
    let rows = [
        (
            "22",
            request(&["example.com", "example.com"], origin.clone()),
            "host_duplicate",
        ),
        (
            "22",
            request(&["example.com", "evil.test"], origin.clone()),
            "host_duplicate",
        ),
        (
            "22",
            request(&["evil.test", "example.com"], origin.clone()),
            "host_duplicate",
        ),
        ("23", request(&[], origin.clone()), "host_missing"),
        ("23", request(&[""], origin), "host_malformed"),
        ("24", request(&["example.com"], evil.clone()), "authority_mismatch"),
        ("24", request(&["evil"], evil), "host_not_allowed"),
    ];
    for (row, exchange, want) in rows {
        assert_eq!(reference::judge(&rules, &exchange), Err(want), "the reference on {row}");
        assert_eq!(engine(&Judged::new(&rules).guard, &exchange), Err(want), "{row}");
    }
}

/// Contract §2: count and commas are looked at in every field before the grammar of any.
#[test]
fn count_and_commas_come_before_grammar() {
    let judged = Judged::new(&generate::rules(&SCORED, None));
    for (hosts, authorities) in [
        (&["a@b"][..], &["a,b"][..]),
        (&["a,b"], &["a@b"]),
        (&["a@b"], &["a", "a"]),
        (&["a", "a"], &["a@b"]),
        (&[""], &["a,b"]),
    ] {
        let bytes = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
        let exchange = Exchange {
            hosts: bytes(hosts),
            authorities: bytes(authorities),
            ..plain(b"", Scheme::Http, Version::Http2)
        };
        assert_eq!(
            engine(&judged.guard, &exchange),
            Err("host_duplicate"),
            "Host {hosts:?}, :authority {authorities:?}"
        );
    }
}

/// (e) Row 6: how deep a wildcard goes is written in the policy.
#[test]
fn depth_of_a_wildcard() {
    for (pattern, host, allowed) in [
        ("*.multi.example", "b.multi.example", true),
        ("*.multi.example", "a.b.multi.example", false),
        ("*.multi.example", "multi.example", false),
        ("**.multi.example", "b.multi.example", true),
        ("**.multi.example", "a.b.multi.example", true),
        ("**.multi.example", "multi.example", false),
    ] {
        let rules = generate::rules(&[pattern], None);
        let exchange = plain(host.as_bytes(), Scheme::Http, Version::Http11);
        let want = if allowed {
            Ok(host.to_owned())
        } else {
            Err("host_not_allowed")
        };
        assert_eq!(
            reference::judge(&rules, &exchange),
            want,
            "the reference on {pattern}, {host}"
        );
        assert_eq!(engine(&Judged::new(&rules).guard, &exchange), want, "{pattern}, {host}");
    }
}

/// (e) Row 32: the hundredth entry is judged like the only one, in any case.
#[test]
fn many_entries_judge_like_one() {
    let names: Vec<String> = (0..150).map(|index| format!("h{index}.many.example")).collect();
    let many = Judged::new(&generate::rules(
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
        None,
    ));
    for name in &names {
        let one = Judged::new(&generate::rules(&[name], None));
        for host in [
            name.clone(),
            name.to_uppercase(),
            format!("{name}:8080"),
            format!("x{name}"),
            format!("{name}.evil.test"),
        ] {
            let exchange = plain(host.as_bytes(), Scheme::Http, Version::Http11);
            assert_eq!(engine(&many.guard, &exchange), engine(&one.guard, &exchange), "{host}");
            assert_eq!(
                engine(&many.guard, &exchange),
                reference::judge(&many.rules, &exchange),
                "{host}"
            );
        }
    }
}

/// (e) Labels of 63 and 64 bytes, names of 253 and 254: also on the published list of leaks.
#[test]
fn lengths() {
    let base = ".multi.example";
    let labels =
        |count: usize, last: usize| ["a".repeat(63).as_str()].repeat(count).join(".") + "." + &"b".repeat(last) + base;
    let rows = [
        ("a".repeat(63) + base, true),
        ("a".repeat(64) + base, false),
        (labels(3, 47), true),
        (labels(3, 47) + ".", true),
        (labels(3, 47) + ".:65535", true),
        (labels(3, 48), false),
        (labels(3, 48) + ".", false),
        ("a.".repeat(119) + "b" + base, true),
        ("a.".repeat(5_000) + "b" + base, false),
    ];
    assert_eq!((rows[2].0.len(), rows[5].0.len(), rows[7].0.len()), (253, 254, 253));
    let judged = Judged::new(&generate::rules(&SCORED, None));
    for (host, allowed) in rows {
        let exchange = plain(host.as_bytes(), Scheme::Http, Version::Http11);
        let want = reference::judge(&judged.rules, &exchange);
        assert_eq!(want.is_ok(), allowed, "the reference on {host}");
        assert_eq!(engine(&judged.guard, &exchange), want, "{host}");
        assert!(allowed || want == Err("host_malformed"));
    }
}

/// (e) Row 33: an exempt path is open to an address, and nothing else is.
#[test]
fn exempt_path() {
    let policy = r#"{"version": 1, "hosts": {"allow": ["example.com"], "exempt": [{"path": "/healthz", "from": ["10.0.0.0/8"]}]}}"#;
    let guard = Guard::new(Policy::from_json(policy, "reference").unwrap());
    for (host, target, peer, want) in [
        ("10.4.5.6", "/healthz", "10.0.0.1", None),
        ("10.4.5.6:8080", "/healthz", "10.0.0.1", None),
        ("10.4.5.6", "/", "10.0.0.1", Some("host_not_allowed")),
        ("10.4.5.6", "/healthz/", "10.0.0.1", Some("host_not_allowed")),
        ("10.4.5.6", "/healthz", "192.0.2.1", Some("host_not_allowed")),
        ("evil.test", "/healthz", "10.0.0.1", Some("host_not_allowed")),
        ("10.4.5", "/healthz", "10.0.0.1", Some("host_malformed")),
    ] {
        let request = serde_json::json!({"method": "GET", "target": target, "headers": [["host", host]], "peer": peer});
        let verdict = guard.decide(
            &RequestDocument::from_json(request.to_string().as_bytes()).unwrap(),
            &mut Memory::new(Timestamp(0)),
        );
        assert_eq!(verdict.reason.map(|reason| reason.as_str()), want, "{request}");
        assert_eq!(verdict.identity.and_then(|identity| identity.host), None, "{request}");
    }
}

/// The rules, for the reference and for the engine.
struct Judged {
    rules: Rules,
    guard: Guard,
}

impl Judged {
    fn new(rules: &Rules) -> Rc<Self> {
        let allow: Vec<String> = rules.allow.iter().map(Pattern::text).collect();
        let mut hosts = serde_json::json!({"allow": allow});
        if let Some(scheme) = rules.scheme {
            hosts["scheme"] = if scheme == Scheme::Https { "https" } else { "http" }.into();
        }
        let policy = serde_json::json!({"version": 1, "name": "reference", "hosts": hosts}).to_string();
        let policy = Policy::from_json(&policy, "reference").unwrap_or_else(|error| panic!("{policy}: {error}"));
        Rc::new(Self {
            rules: rules.clone(),
            guard: Guard::new(policy),
        })
    }
}

/// A request with one authority: Host, or `:authority` where that is how it is sent.
fn plain(host: &[u8], connection: Scheme, version: Version) -> Exchange {
    let (value, none) = (vec![host.to_vec()], Vec::new());
    let (hosts, authorities) = if version.has_pseudo_headers() {
        (none, value)
    } else {
        (value, none)
    };
    Exchange {
        version,
        connection,
        hosts,
        authorities,
        target: Target::Origin,
    }
}

/// What the engine says: `identity.host`, or the reason. The rest of the verdict follows from these (contract §2, §6).
fn engine(guard: &Guard, exchange: &Exchange) -> Result<String, &'static str> {
    let target = match &exchange.target {
        Target::Origin => b"/".to_vec(),
        Target::Absolute(scheme, authority, rest) => [scheme.as_bytes(), authority, rest.as_bytes()].concat(),
    };
    let hosts = exchange.hosts.iter().map(|value| Header { name: b"Host", value });
    let authorities = exchange.authorities.iter().map(|value| Header {
        name: b":authority",
        value,
    });
    let headers: Vec<Header> = authorities.chain(hosts).collect();
    let request = Request {
        method: b"GET",
        scheme: exchange.connection,
        version: exchange.version,
        target: &target,
        headers: Headers::new(&headers),
        peer: Peer::Unknown,
    };
    let Inspection::Decided(verdict) = guard.inspect(&request, None) else {
        unreachable!()
    };
    assert!(verdict.reported().is_none());
    let Some(failure) = verdict.denied() else {
        assert_eq!(verdict.status(), 200);
        return Ok(verdict.identity().unwrap().host().unwrap().to_string());
    };
    let reason = failure.reason().as_str();
    let (status, rule) = if reason == "host_not_allowed" {
        (421, Some("hosts.allow"))
    } else {
        (400, None)
    };
    assert_eq!((failure.status(), failure.rule()), (status, rule), "{reason}");
    Err(reason)
}

/// Holds the engine against the reference on every generated value, and sees that both verdicts are common.
fn compare_all<S: Strategy>(
    name: &str,
    default_cases: u32,
    strategy: S,
    requests: impl Fn(&S::Value) -> Vec<(Rc<Judged>, Exchange)>,
) {
    let default = Config::default();
    let cases = std::env::var_os("PROPTEST_CASES").map_or(default_cases, |_| default.cases);
    let persistence = FileFailurePersistence::WithSource("regressions");
    let config = Config {
        cases,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(persistence)),
        ..default
    };
    let (allowed, denied) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&strategy, |value| {
        for (judged, exchange) in requests(&value) {
            let want = reference::judge(&judged.rules, &exchange);
            let found = engine(&judged.guard, &exchange);
            if found != want {
                let message = disagreement(&judged.rules, &exchange, &want, &found);
                return Err(TestCaseError::fail(message));
            }
            let counter = if want.is_ok() { &allowed } else { &denied };
            counter.set(counter.get() + 1);
        }
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("{name}: {reason}"),
        Err(error) => panic!("{name}: {error}"),
    }
    let (allowed, denied) = (allowed.get(), denied.get());
    println!("{name}: {cases} cases, {allowed} requests allowed, {denied} denied, no disagreement");
    let total = allowed + denied;
    assert!(
        cases < 200 || (allowed >= total / 10 && denied >= total / 10),
        "{name}: one outcome is too rare to have been tested"
    );
}

fn disagreement(
    rules: &Rules,
    exchange: &Exchange,
    want: &Result<String, &str>,
    found: &Result<String, &str>,
) -> String {
    let escape = |values: &[Vec<u8>]| {
        values
            .iter()
            .map(|value| format!("`{}`", value.escape_ascii()))
            .collect::<Vec<_>>()
            .join(" and ")
    };
    let target = match &exchange.target {
        Target::Origin => "/".to_owned(),
        Target::Absolute(scheme, authority, rest) => format!("{scheme}{}{rest}", authority.escape_ascii()),
    };
    let allow: Vec<String> = rules.allow.iter().map(Pattern::text).collect();
    format!(
        "reference {want:?}, engine {found:?}\n  host {}\n  :authority {}\n  target {target}\n  {:?} over {:?}\n  allow {allow:?}, scheme {:?}",
        escape(&exchange.hosts),
        escape(&exchange.authorities),
        exchange.version,
        exchange.connection,
        rules.scheme,
    )
}
