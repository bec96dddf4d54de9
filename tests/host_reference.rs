//! A second, slow reading of the host check, against which the engine is held.
//!
//! Written from RFC 3986 §3.2, RFC 9110 §7.2, RFC 9112 §3.2 and `docs/contract.md` §1, §2 and §6, without a look at the engine: it
//! shares no type with it but those of the public interface. Any disagreement is a false accept or a false reject.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::cell::Cell;

use hostbound::{Guard, Header, Headers, Inspection, Peer, Policy, Request, RequestDocument, Scheme, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use reference::{Exchange, Pattern, Rules, Target, What};

/// The policy under which the field's guards were scored.
const SCORED: [&str; 6] = [
    "example.com",
    "multi.example",
    "**.multi.example",
    "localhost",
    "127.0.0.1",
    "[::1]",
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

/// (a) Every value of the grammar, and just beyond it, is judged as the reference judges it.
#[test]
fn values_of_the_grammar() {
    let value = (
        generate::host_text(),
        generate::listing(),
        generate::scheme(),
        generate::version(),
    );
    compare_all("grammar", 20_000, value, |(host, listing, scheme, version)| {
        let rules = generate::rules_about(host.as_bytes(), *listing, None);
        let exchange = plain(host.as_bytes(), *scheme, *version);
        vec![(Judged::new(&rules), exchange)]
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
    let good = select(vec![
        "example.com",
        "example.com:80",
        "example.com:8443",
        "a.multi.example",
        "multi.example",
        "localhost:3000",
        "localhost",
        "127.0.0.1",
        "10.0.0.1:443",
        "[::1]:8000",
        "[fd00::1:2]",
        "x-1.y.multi.example",
    ]);
    let value = (
        good,
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
        vec(generate::small_host(), 10),
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
    let guard = Judged::new(&scored).guard;
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
        let found = engine(&guard, &exchange);
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
    let rows = [
        (
            "22",
            request(&["example.com", "example.com"], Target::Origin),
            Err("host_duplicate"),
        ),
        (
            "22",
            request(&["example.com", "evil.test"], Target::Origin),
            Err("host_duplicate"),
        ),
        (
            "22",
            request(&["evil.test", "example.com"], Target::Origin),
            Err("host_duplicate"),
        ),
        ("23", request(&[], Target::Origin), Err("host_missing")),
        ("23", request(&[""], Target::Origin), Err("host_malformed")),
        ("24", request(&["example.com"], evil.clone()), Err("authority_mismatch")),
        ("24", request(&["evil"], evil), Err("host_not_allowed")),
        (
            "25",
            request(&["example.com, evil.test"], Target::Origin),
            Err("host_duplicate"),
        ),
    ];
    for (row, exchange, want) in rows {
        assert_eq!(reference::judge(&rules, &exchange), want, "the reference on {row}");
        assert_eq!(engine(&Judged::new(&rules).guard, &exchange), want, "{row}");
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
        let verdict = guard.decide(&RequestDocument::from_json(request.to_string().as_bytes()).unwrap());
        assert_eq!(verdict.reason.map(|reason| reason.as_str()), want, "{request}");
        assert_eq!(verdict.identity.and_then(|identity| identity.host), None, "{request}");
    }
}

/// The rules, for the reference and for the engine.
#[derive(Clone)]
struct Judged {
    rules: Rules,
    guard: std::rc::Rc<Guard>,
}

impl Judged {
    fn new(rules: &Rules) -> Self {
        let allow: Vec<String> = rules.allow.iter().map(Pattern::text).collect();
        let mut hosts = serde_json::json!({"allow": allow});
        if let Some(scheme) = rules.scheme {
            hosts["scheme"] = if scheme == Scheme::Https { "https" } else { "http" }.into();
        }
        let policy = serde_json::json!({"version": 1, "name": "reference", "hosts": hosts}).to_string();
        let policy = Policy::from_json(&policy, "reference").unwrap_or_else(|error| panic!("{policy}: {error}"));
        Self {
            rules: rules.clone(),
            guard: Guard::new(policy).into(),
        }
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
    requests: impl Fn(&S::Value) -> Vec<(Judged, Exchange)>,
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
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        for (judged, exchange) in requests(&value) {
            let want = reference::judge(&judged.rules, &exchange);
            let found = engine(&judged.guard, &exchange);
            if found.as_ref().map_err(|reason| *reason) != want.as_ref().map_err(|reason| *reason) {
                return Err(TestCaseError::fail(disagreement(
                    &judged.rules,
                    &exchange,
                    &want,
                    &found,
                )));
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
    println!("{name}: {cases} cases, {allowed} allowed, {denied} denied, no disagreement");
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

/// The host check, as slow and as plain as it can be written.
mod reference {
    use hostbound::{Scheme, Version};

    /// What of a policy the host check reads.
    #[derive(Clone, Debug)]
    pub struct Rules {
        pub allow: Vec<Pattern>,
        pub scheme: Option<Scheme>,
    }

    #[derive(Clone, Debug)]
    pub struct Pattern {
        pub what: What,
        pub port: Option<u16>,
    }

    #[derive(Clone, Debug)]
    pub enum What {
        Exact(Host),
        /// `*.name`
        OneLabel(String),
        /// `**.name`
        AnyLabels(String),
        /// An address and the number of its leading bits that count.
        Network(Host, usize),
    }

    #[derive(Clone, Debug, PartialEq)]
    pub enum Host {
        Name(String),
        V4([u8; 4]),
        V6([u16; 8]),
    }

    #[derive(Clone, Debug)]
    pub struct Authority {
        pub host: Host,
        pub port: Option<u16>,
    }

    /// What of a request the host check reads. The method is GET.
    #[derive(Clone, Debug)]
    pub struct Exchange {
        pub version: Version,
        pub connection: Scheme,
        pub hosts: Vec<Vec<u8>>,
        pub authorities: Vec<Vec<u8>>,
        pub target: Target,
    }

    #[derive(Clone, Debug)]
    pub enum Target {
        Origin,
        /// The scheme with `://`, the authority, what follows it.
        Absolute(&'static str, Vec<u8>, &'static str),
    }

    /// `identity.host`, or the reason.
    pub fn judge(rules: &Rules, exchange: &Exchange) -> Result<String, &'static str> {
        let multiplexed = match exchange.version {
            Version::Http10 | Version::Http11 => false,
            Version::Http2 | Version::Http3 => true,
        };
        // Contract §1, rules 2 and 4.
        let mut absolute = Vec::new();
        if let Target::Absolute(_, authority, _) = &exchange.target {
            if multiplexed
                || authority
                    .iter()
                    .any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#')
            {
                return Err("request_malformed");
            }
            // The authority ends where the path or the query begins (RFC 3986 §3.2).
            let end = authority.iter().position(|byte| *byte == b'/' || *byte == b'?');
            absolute.push(authority[..end.unwrap_or(authority.len())].to_vec());
        }
        let fields = || exchange.hosts.iter().chain(&exchange.authorities);
        if !multiplexed && !exchange.authorities.is_empty() {
            return Err("request_malformed");
        }
        if fields().flatten().any(|byte| b"\r\n\0".contains(byte)) {
            return Err("request_malformed");
        }
        // Contract §2: count, comma, grammar, agreement, allowlist.
        if fields().next().is_none() {
            return Err("host_missing");
        }
        if exchange.hosts.len() > 1 || exchange.authorities.len() > 1 || fields().flatten().any(|byte| *byte == b',') {
            return Err("host_duplicate");
        }
        let mut authorities = Vec::new();
        for value in fields().chain(&absolute) {
            authorities.push(authority(value).ok_or("host_malformed")?);
        }
        let scheme = rules.scheme.unwrap_or(exchange.connection);
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let first = &authorities[0];
        for other in &authorities {
            if first.host != other.host || first.port.unwrap_or(default) != other.port.unwrap_or(default) {
                return Err("authority_mismatch");
            }
        }
        if !rules.allow.iter().any(|pattern| matches(pattern, first, default)) {
            return Err("host_not_allowed");
        }
        Ok(match first.port {
            Some(port) if port != default => format!("{}:{port}", text(&first.host)),
            _ => text(&first.host),
        })
    }

    /// RFC 9110 §7.2: host [":" port].
    pub fn authority(value: &[u8]) -> Option<Authority> {
        let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
        let (host, rest) = match value.strip_prefix('[') {
            Some(literal) => {
                let (address, rest) = literal.split_once(']')?;
                (Host::V6(ipv6(address)?), rest)
            }
            None => {
                let end = value.find(':').unwrap_or(value.len());
                (name(&value[..end])?, &value[end..])
            }
        };
        let port = match rest {
            "" => None,
            _ => Some(port(rest.strip_prefix(':')?)?),
        };
        Some(Authority { host, port })
    }

    fn port(digits: &str) -> Option<u16> {
        let port = digits.parse::<u16>().ok()?;
        (port != 0 && port.to_string() == digits).then_some(port)
    }

    fn name(value: &str) -> Option<Host> {
        let name = value.strip_suffix('.').unwrap_or(value).to_lowercase();
        if let Some(address) = ipv4(&name) {
            return Some(Host::V4(address));
        }
        let labels: Vec<&str> = name.split('.').collect();
        for label in &labels {
            let legal = |char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '_');
            if !(1..=63).contains(&label.len()) || !label.chars().all(legal) {
                return None;
            }
        }
        let last = *labels.last()?;
        let hex = |char: char| char.is_ascii_hexdigit();
        if last.chars().all(|char| char.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(hex))
        {
            return None;
        }
        (name.len() <= 253).then_some(Host::Name(name))
    }

    /// RFC 3986 §3.2.2, `IPv4address`.
    fn ipv4(value: &str) -> Option<[u8; 4]> {
        let mut octets = Vec::new();
        for part in value.split('.') {
            let octet = part.parse::<u8>().ok()?;
            if octet.to_string() != part {
                return None;
            }
            octets.push(octet);
        }
        octets.try_into().ok()
    }

    /// RFC 3986 §3.2.2, `IPv6address`.
    fn ipv6(value: &str) -> Option<[u16; 8]> {
        let Some((before, after)) = value.split_once("::") else {
            return groups(value, true)?.try_into().ok();
        };
        let mut left = groups(before, false)?;
        let right = groups(after, true)?;
        // `::` stands for at least one group. A second one leaves an empty group behind, which `groups` refuses.
        if left.len() + right.len() > 7 {
            return None;
        }
        left.resize(8 - right.len(), 0);
        left.extend(right);
        left.try_into().ok()
    }

    fn groups(value: &str, at_the_end: bool) -> Option<Vec<u16>> {
        let mut groups = Vec::new();
        if value.is_empty() {
            return Some(groups);
        }
        let parts: Vec<&str> = value.split(':').collect();
        for (index, part) in parts.iter().enumerate() {
            if part.contains('.') {
                // An IPv4 address can only stand in the last 32 bits.
                if !at_the_end || index + 1 != parts.len() {
                    return None;
                }
                let [a, b, c, d] = ipv4(part)?;
                groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
            } else {
                if !(1..=4).contains(&part.len()) || !part.chars().all(|char| char.is_ascii_hexdigit()) {
                    return None;
                }
                groups.push(u16::from_str_radix(part, 16).ok()?);
            }
        }
        Some(groups)
    }

    fn matches(pattern: &Pattern, authority: &Authority, default: u16) -> bool {
        let port = match pattern.port {
            None => true,
            Some(port) => authority.port.unwrap_or(default) == port,
        };
        port && match &pattern.what {
            What::Exact(host) => *host == authority.host,
            What::OneLabel(base) => labels_before(&authority.host, base) == Some(1),
            What::AnyLabels(base) => labels_before(&authority.host, base).is_some_and(|count| count >= 1),
            What::Network(network, length) => is_within(&authority.host, network, *length),
        }
    }

    fn labels_before(host: &Host, base: &str) -> Option<usize> {
        let Host::Name(name) = host else { return None };
        let (name, base): (Vec<_>, Vec<_>) = (name.split('.').collect(), base.split('.').collect());
        name.ends_with(&base).then(|| name.len() - base.len())
    }

    fn is_within(host: &Host, network: &Host, length: usize) -> bool {
        let (host, network) = (bits(host), bits(network));
        host.len() == network.len() && !host.is_empty() && host[..length] == network[..length]
    }

    fn bits(host: &Host) -> String {
        match host {
            Host::Name(_) => String::new(),
            Host::V4(octets) => octets.iter().map(|octet| format!("{octet:08b}")).collect(),
            Host::V6(groups) => groups.iter().map(|group| format!("{group:016b}")).collect(),
        }
    }

    /// Normalized: lower case, IPv6 by RFC 5952 in brackets.
    pub fn text(host: &Host) -> String {
        match host {
            Host::Name(name) => name.clone(),
            Host::V4([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
            Host::V6(groups) => format!("[{}]", rfc5952(groups)),
        }
    }

    fn rfc5952(groups: &[u16; 8]) -> String {
        // §5: the prefix that says that an IPv4 address is inside.
        if let [0, 0, 0, 0, 0, 0xffff, high, low] = *groups {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            return format!("::ffff:{a}.{b}.{c}.{d}");
        }
        let hex = |groups: &[u16]| {
            groups
                .iter()
                .map(|group| format!("{group:x}"))
                .collect::<Vec<_>>()
                .join(":")
        };
        // §4.2: the longest run of zeros, at least two, the first of equals.
        for length in (2..=8).rev() {
            for start in 0..=8 - length {
                if groups[start..start + length].iter().all(|group| *group == 0) {
                    return format!("{}::{}", hex(&groups[..start]), hex(&groups[start + length..]));
                }
            }
        }
        hex(groups)
    }

    impl Pattern {
        /// As a policy writes it.
        pub fn text(&self) -> String {
            let what = match &self.what {
                What::Exact(host) => text(host),
                What::OneLabel(base) => format!("*.{base}"),
                What::AnyLabels(base) => format!("**.{base}"),
                What::Network(network, length) => match text(network).strip_suffix(']') {
                    Some(open) => format!("{open}/{length}]"),
                    None => format!("{}/{length}", text(network)),
                },
            };
            self.port.map_or(what.clone(), |port| format!("{what}:{port}"))
        }

        /// True if every authority that matches `other` matches this one: a policy that lists it earlier is refused.
        pub fn covers(&self, other: &Self) -> bool {
            (self.port.is_none() || self.port == other.port)
                && match (&self.what, &other.what) {
                    (What::Exact(host), What::Exact(other)) => host == other,
                    (What::Exact(host), What::Network(other, length)) => host == other && bits(other).len() == *length,
                    (What::OneLabel(base), What::Exact(other)) => labels_before(other, base) == Some(1),
                    (What::OneLabel(base), What::OneLabel(other)) => base == other,
                    (What::AnyLabels(base), What::Exact(other)) => {
                        labels_before(other, base).is_some_and(|count| count >= 1)
                    }
                    (What::AnyLabels(base), What::OneLabel(other) | What::AnyLabels(other)) => {
                        labels_before(&Host::Name(other.clone()), base).is_some()
                    }
                    (What::Network(network, length), What::Exact(other)) => is_within(other, network, *length),
                    (What::Network(network, length), What::Network(other, other_length)) => {
                        length <= other_length && is_within(other, network, *length)
                    }
                    _ => false,
                }
        }
    }
}

/// Hosts, policies and requests, well-formed and nearly so.
mod generate {
    use super::*;
    use reference::{Host, text};

    const DEFAULT_PORTS: [u16; 2] = [80, 443];

    /// A Host value from the grammar of the contract and just beyond it.
    pub fn host_text() -> impl Strategy<Value = String> {
        let host = prop_oneof![4 => name(), 1 => ipv4_text(), 2 => ipv6_text()];
        let dot = prop_oneof![8 => Just(""), 2 => Just("."), 1 => Just("..")];
        (host, dot, port_text()).prop_map(|(host, dot, port)| match host.starts_with('[') {
            true => host + &port,
            false => host + dot + &port,
        })
    }

    fn name() -> impl Strategy<Value = String> {
        let some = vec(label(), 1..6).prop_map(|labels| labels.join("."));
        // Around 253 bytes: labels of one length, and what is missing as the last one.
        let long = (20..=63_usize, 240..=260_usize, label()).prop_map(|(length, total, last)| {
            let mut name = String::new();
            while name.len() + last.len() < total {
                let room = total - last.len() - name.len();
                name += &"l".repeat(length.min(room.saturating_sub(1)).max(1));
                name.push('.');
            }
            name + &last
        });
        prop_oneof![5 => some, 1 => long]
    }

    fn label() -> impl Strategy<Value = String> {
        let odd = vec![
            "0x",
            "0X",
            "0x1f",
            "0Xg",
            "x0",
            "1",
            "007",
            "1a",
            "a1",
            "-",
            "_",
            "--",
            "xn--",
            "xn--a",
            "localhost",
            "",
            "0",
        ];
        let digit = select(vec!["0", "1", "9", "255", "256", "4294967296"]);
        prop_oneof![
            8 => "[A-Za-z0-9_-]{1,12}",
            1 => "[A-Za-z0-9_-]{61,65}",
            2 => select(odd).prop_map(str::to_owned),
            1 => digit.prop_map(str::to_owned),
        ]
    }

    fn ipv4_text() -> impl Strategy<Value = String> {
        let canonical = any::<[u8; 4]>().prop_map(|octets| text(&Host::V4(octets)));
        let part = prop_oneof![
            4 => any::<u8>().prop_map(|octet| octet.to_string()),
            1 => select(vec!["256", "00", "01", "0177", "0x7f", "0x", "65535", "", "1e1", "999"]).prop_map(str::to_owned),
        ];
        prop_oneof![2 => canonical, 1 => vec(part, 1..6).prop_map(|parts| parts.join("."))]
    }

    /// An IPv6 address in any spelling, some of them wrong.
    fn ipv6_text() -> impl Strategy<Value = String> {
        let group = prop_oneof![3 => Just(0_u16), 1 => Just(0xffff), 2 => any::<u16>(), 1 => 0..16_u16];
        let spelling = (0..4_usize, 0..9_usize, 0..9_usize, any::<bool>(), any::<bool>());
        let written = (vec(group, 8), spelling).prop_map(|(groups, (width, start, count, upper, dotted))| {
            let hex = |group: &u16| match upper {
                true => format!("{group:0width$X}"),
                false => format!("{group:0width$x}"),
            };
            let mut parts: Vec<String> = groups.iter().map(hex).collect();
            if dotted {
                let ([a, b], [c, d]) = (groups[6].to_be_bytes(), groups[7].to_be_bytes());
                parts.splice(6.., [format!("{a}.{b}.{c}.{d}")]);
            }
            // `::` in place of any run, of zeros or not: the value differs, the spelling is legal.
            let start = start.min(parts.len());
            let end = (start + count).min(parts.len());
            match count {
                0 => parts.join(":"),
                _ => format!("{}::{}", parts[..start].join(":"), parts[end..].join(":")),
            }
        });
        let odd = select(vec![
            "",
            ":",
            "::",
            ":::",
            "::1::",
            "1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "::g",
            "::1%lo",
            "::1%25lo",
            "v1.x",
            "::1.2.3",
            "::1.2.3.04",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "localhost",
            "127.0.0.1",
            " ::1",
            "::1 ",
            ":1",
            "1:",
            "::+1",
            "::0x1",
            "::FFFF:127.0.0.1",
            "64:ff9b::7f00:1",
        ]);
        let inside = prop_oneof![6 => written, 1 => odd.prop_map(str::to_owned)];
        let brackets = prop_oneof![12 => Just(("[", "]")), 1 => select(vec![("", ""), ("[", ""), ("", "]"), ("[[", "]]"), ("[", "].")])];
        (inside, brackets).prop_map(|(inside, (open, close))| format!("{open}{inside}{close}"))
    }

    fn port_text() -> impl Strategy<Value = String> {
        let odd = vec![
            "",
            "0",
            "00",
            "080",
            "65536",
            "99999",
            "100000",
            "-1",
            "+80",
            "0x50",
            "80 ",
            " 80",
            "80:80",
            "8O",
            "80.",
            "\u{0668}\u{0660}",
        ];
        prop_oneof![
            6 => Just(String::new()),
            3 => select(&DEFAULT_PORTS[..]).prop_map(|port| format!(":{port}")),
            3 => (1..=65535_u32).prop_map(|port| format!(":{port}")),
            1 => select(vec![1, 9, 10, 9999, 10000, 65535]).prop_map(|port| format!(":{port}")),
            1 => select(odd).prop_map(|port| format!(":{port}")),
        ]
    }

    /// How a policy relates to the host under test.
    #[derive(Clone, Copy, Debug)]
    pub enum Listing {
        Host,
        HostAndPort,
        HostAndOtherPort,
        Neighbour,
    }

    pub fn listing() -> impl Strategy<Value = Listing> {
        use Listing::{Host, HostAndOtherPort, HostAndPort, Neighbour};
        prop_oneof![6 => Just(Host), 3 => Just(HostAndPort), 1 => Just(HostAndOtherPort), 1 => Just(Neighbour)]
    }

    /// A policy about `value`, if that is an authority at all.
    pub fn rules_about(value: &[u8], listing: Listing, scheme: Option<Scheme>) -> Rules {
        let Some(authority) = reference::authority(value) else {
            return rules(&["example.com", "**.multi.example", "127.0.0.1", "[::1]"], scheme);
        };
        let port = authority.port.unwrap_or(DEFAULT_PORTS[0]);
        let (host, port) = match listing {
            Listing::Host => (authority.host, None),
            Listing::HostAndPort => (authority.host, Some(port)),
            Listing::HostAndOtherPort => (authority.host, Some(port ^ 2)),
            Listing::Neighbour => (neighbour(authority.host), None),
        };
        let port = port.map(|port| port.max(1));
        Rules {
            allow: vec![Pattern {
                what: What::Exact(host),
                port,
            }],
            scheme,
        }
    }

    fn neighbour(host: Host) -> Host {
        match host {
            Host::Name(name) if name.starts_with('q') => Host::Name(format!("r{}", &name[1..])),
            Host::Name(name) => Host::Name(format!("q{}", &name[1..])),
            Host::V4([a, b, c, d]) => Host::V4([a, b, c, d ^ 1]),
            Host::V6([a, b, c, d, e, f, g, h]) => Host::V6([a, b, c, d, e, f, g, h ^ 1]),
        }
    }

    /// Rules from patterns as a policy writes them: names, `**.name` and bare addresses.
    pub fn rules(allow: &[&str], scheme: Option<Scheme>) -> Rules {
        let what = |pattern: &&str| match (pattern.strip_prefix("**."), pattern.strip_prefix("*.")) {
            (Some(base), _) => What::AnyLabels(base.to_owned()),
            (_, Some(base)) => What::OneLabel(base.to_owned()),
            _ => What::Exact(reference::authority(pattern.as_bytes()).unwrap().host),
        };
        let allow = allow
            .iter()
            .map(|pattern| Pattern {
                what: what(pattern),
                port: None,
            })
            .collect();
        Rules { allow, scheme }
    }

    pub fn scheme() -> impl Strategy<Value = Scheme> {
        prop_oneof![Just(Scheme::Http), Just(Scheme::Https)]
    }

    pub fn version() -> impl Strategy<Value = Version> {
        select(vec![Version::Http10, Version::Http11, Version::Http2, Version::Http3])
    }

    /// One step away from a good value.
    #[derive(Clone, Debug)]
    pub enum Mutation {
        Insert(Index, Vec<u8>),
        Delete(Index),
        Replace(Index, u8),
        Duplicate(Index),
        Transpose(Index),
        Case(Index),
        Append(&'static [u8]),
        Prepend(&'static [u8]),
    }

    pub fn mutation() -> impl Strategy<Value = Mutation> {
        use Mutation::{Append, Case, Delete, Duplicate, Insert, Prepend, Replace, Transpose};
        let byte = || prop_oneof![2 => select(&b".:[]%@/\\#?,;*-_ \t\x000159afxXz"[..]), 1 => any::<u8>()];
        let suffixes: Vec<&'static [u8]> = vec![
            b":80.evil.com",
            b"@evil",
            b"#",
            b"#evil",
            b"/",
            b"/path",
            b"\\",
            b"\\evil",
            b"%2e",
            b"%00",
            b"?",
            b",",
            b", evil.test",
            b"\t",
            b" ",
            b":",
            b":0",
            b":80:80",
            b":99999",
            b"]",
            b"[",
            b".evil.com",
            b".0x",
            b".1",
            b"\xe3\x80\x82com",
            b"\xc2\xad",
            b"\xad",
            b"%lo",
        ];
        let harmless: Vec<&'static [u8]> = vec![b".", b":80", b":443", b":8080", b":65535"];
        let prefixes: Vec<&'static [u8]> = vec![
            b"evil.com@",
            b"http://",
            b"//",
            b"a.",
            b"a.b.",
            b".",
            b"*.",
            b" ",
            b"\xef\xbb\xbf",
            b"[",
            b"x:",
            b"0",
        ];
        let texts: Vec<&'static [u8]> = vec![
            b"%2e",
            b"%6d",
            b"\xe2\x93\x94",
            b"\xc2\xad",
            b"\xef\xbc\x8e",
            b"::",
            b"..",
            b"@",
            b".x.",
        ];
        prop_oneof![
            3 => (any::<Index>(), byte()).prop_map(|(index, byte)| Insert(index, vec![byte])),
            1 => (any::<Index>(), select(texts)).prop_map(|(index, text)| Insert(index, text.to_vec())),
            2 => any::<Index>().prop_map(Delete),
            3 => (any::<Index>(), byte()).prop_map(|(index, byte)| Replace(index, byte)),
            2 => any::<Index>().prop_map(Duplicate),
            2 => any::<Index>().prop_map(Transpose),
            4 => any::<Index>().prop_map(Case),
            3 => select(suffixes).prop_map(Append),
            4 => select(harmless).prop_map(Append),
            2 => select(prefixes).prop_map(Prepend),
        ]
    }

    pub fn mutate(value: &mut Vec<u8>, mutation: &Mutation) {
        let at = |index: &Index| index.index(value.len().max(1));
        match mutation {
            Mutation::Insert(index, bytes) => {
                let index = index.index(value.len() + 1);
                value.splice(index..index, bytes.iter().copied());
            }
            Mutation::Append(bytes) => value.extend_from_slice(bytes),
            Mutation::Prepend(bytes) => {
                value.splice(..0, bytes.iter().copied());
            }
            _ if value.is_empty() => {}
            Mutation::Delete(index) => {
                value.remove(at(index));
            }
            Mutation::Replace(index, byte) => {
                let index = at(index);
                value[index] = *byte;
            }
            Mutation::Duplicate(index) => {
                let index = at(index);
                value.insert(index, value[index]);
            }
            Mutation::Transpose(index) => {
                let index = at(index);
                let next = (index + 1) % value.len();
                value.swap(index, next);
            }
            Mutation::Case(index) => {
                let index = at(index);
                value[index] ^= if value[index].is_ascii_alphabetic() { 0x20 } else { 0 };
            }
        }
    }

    /// Names of a small alphabet, so that near misses are common.
    fn small_name(depth: std::ops::Range<usize>) -> impl Strategy<Value = String> {
        vec(prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just("ab"), 1 => Just("a-b")], depth).prop_map(|labels| labels.join("."))
    }

    fn small_ipv4() -> impl Strategy<Value = Host> {
        (
            10..=11_u8,
            select(vec![0_u8, 128]),
            0..=1_u8,
            select(vec![0_u8, 1, 2, 255]),
        )
            .prop_map(|(a, b, c, d)| Host::V4([a, b, c, d]))
    }

    fn small_ipv6() -> impl Strategy<Value = Host> {
        let ends = (
            select(vec![0xfd00_u16, 0xfd01]),
            0..=1_u16,
            select(vec![0_u16, 0x8000]),
            0..=1_u16,
        );
        let plain = ends.prop_map(|(a, b, e, h)| Host::V6([a, b, 0, 0, e, 0, 0, h]));
        let mapped = (0..=1_u16).prop_map(|low| Host::V6([0, 0, 0, 0, 0, 0xffff, 0x0a00, low]));
        prop_oneof![5 => plain, 1 => mapped]
    }

    fn network(host: &Host, length: usize) -> What {
        // The bits past the prefix are zero, as a policy must write them.
        let keep = |bit: usize| usize::from(bit < length);
        let masked = match host {
            Host::V4(octets) => Host::V4(std::array::from_fn(|index| {
                (0..8).fold(0, |sum, bit| {
                    sum + u8::try_from(keep(index * 8 + bit)).unwrap() * (octets[index] & (128 >> bit))
                })
            })),
            Host::V6(groups) => Host::V6(std::array::from_fn(|index| {
                (0..16).fold(0, |sum, bit| {
                    sum + u16::try_from(keep(index * 16 + bit)).unwrap() * (groups[index] & (32768 >> bit))
                })
            })),
            Host::Name(_) => unreachable!("no name has a prefix"),
        };
        What::Network(masked, length)
    }

    fn small_pattern() -> impl Strategy<Value = Pattern> {
        let lengths4 = select(vec![8_usize, 9, 16, 23, 24, 30, 31, 32]);
        let lengths6 = select(vec![8_usize, 15, 16, 31, 32, 64, 65, 96, 127, 128]);
        let what = prop_oneof![
            3 => small_name(1..4).prop_map(|name| What::Exact(Host::Name(name))),
            3 => small_name(2..4).prop_map(What::OneLabel),
            2 => small_name(2..4).prop_map(What::AnyLabels),
            1 => small_ipv4().prop_map(What::Exact),
            1 => small_ipv6().prop_map(What::Exact),
            1 => (small_ipv4(), lengths4).prop_map(|(host, length)| network(&host, length)),
            1 => (small_ipv6(), lengths6).prop_map(|(host, length)| network(&host, length)),
        ];
        (what, small_port()).prop_map(|(what, port)| Pattern { what, port })
    }

    fn small_port() -> impl Strategy<Value = Option<u16>> {
        prop_oneof![2 => Just(None), 2 => select(vec![Some(80_u16), Some(443), Some(8080)])]
    }

    /// A policy that the engine must accept: no entry is covered by an earlier one.
    pub fn small_rules() -> impl Strategy<Value = Rules> {
        let scheme = prop_oneof![2 => Just(None), 1 => scheme().prop_map(Some)];
        (vec(small_pattern(), 1..=30), scheme).prop_map(|(patterns, scheme)| {
            let mut allow: Vec<Pattern> = Vec::new();
            for pattern in patterns {
                if !allow.iter().any(|earlier| earlier.covers(&pattern)) {
                    allow.push(pattern);
                }
            }
            Rules { allow, scheme }
        })
    }

    pub fn small_host() -> impl Strategy<Value = Vec<u8>> {
        let address = prop_oneof![small_ipv4(), small_ipv6()].prop_map(|host| text(&host));
        let host = prop_oneof![3 => small_name(1..5), 2 => address];
        let odd = prop_oneof![9 => Just(""), 1 => Just("."), 1 => select(vec!["..", "-", "x", "%"])];
        (host, odd, small_port(), any::<bool>()).prop_map(|(host, odd, port, upper)| {
            let host = if upper { host.to_uppercase() } else { host };
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            format!("{host}{odd}{port}").into_bytes()
        })
    }

    /// Values that mostly mean the same authority, or nearly.
    fn alike() -> impl Strategy<Value = Vec<u8>> {
        let families = [
            &[
                "example.com",
                "EXAMPLE.com",
                "example.com.",
                "example.com:80",
                "example.com:443",
                "Example.Com.:443",
                "example.com:8080",
            ][..],
            &[
                "[::1]",
                "[0:0:0:0:0:0:0:1]",
                "[::1]:80",
                "[0::0.0.0.1]:443",
                "[::0001]:8080",
            ],
            &[
                "127.0.0.1",
                "127.0.0.1.",
                "127.0.0.1:80",
                "127.0.0.1:443",
                "[::ffff:127.0.0.1]",
                "127.1",
            ],
            &[
                "evil.test",
                "evil.test:80",
                "example.com@evil.test",
                "example.com, evil.test",
                "",
                "example.com:",
                "example.com/x",
                "example.com\u{e9}",
                "a\nb",
            ],
        ];
        prop_oneof![12 => select(families[0]), 2 => select(families[1]), 1 => select(families[2]), 1 => select(families[3])]
            .prop_map(|value| value.as_bytes().to_vec())
    }

    pub fn exchange() -> impl Strategy<Value = Exchange> {
        let absolute = (
            select(vec!["http://", "https://", "HTTP://", "hTTpS://"]),
            alike(),
            select(vec!["", "/", "/x?y", "?y"]),
        )
            .prop_map(|(scheme, authority, rest)| Target::Absolute(scheme, authority, rest));
        let target = prop_oneof![2 => Just(Target::Origin), 1 => absolute];
        let count = || prop_oneof![2 => Just(0..=0_usize), 8 => Just(1..=1), 1 => Just(2..=2)];
        let values = move || count().prop_flat_map(|count| vec(alike(), count));
        (
            version(),
            scheme(),
            values(),
            values(),
            target,
            proptest::bool::weighted(0.05),
        )
            .prop_map(|(version, connection, hosts, authorities, target, pseudo)| {
                // Most HTTP/1.x requests have no `:authority`.
                let authorities = if version.has_pseudo_headers() || pseudo {
                    authorities
                } else {
                    Vec::new()
                };
                Exchange {
                    version,
                    connection,
                    hosts,
                    authorities,
                    target,
                }
            })
    }
}
