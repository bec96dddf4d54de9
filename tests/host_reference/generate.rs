//! Hosts, policies and requests, well-formed and nearly so.

use std::net::Ipv6Addr;

use hostbound::{Scheme, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::reference::{self, Authority, Exchange, Host, Pattern, Rules, Target, What, text};

const DEFAULT_PORTS: [u16; 2] = [80, 443];
#[rustfmt::skip]
const ODD_LABELS: &[&str] = &[
    "0x", "0X", "0x1f", "0Xg", "x0", "1", "007", "1a", "a1", "-", "_", "--", "xn--", "xn--a", "localhost", "",
    "0", "9", "255", "256", "4294967296",
];
const ODD_OCTETS: &[&str] = &["256", "00", "01", "0177", "0x7f", "0x", "65535", "", "1e1", "999"];
#[rustfmt::skip]
const ODD_IPV6: &[&str] = &[
    "", ":", "::", ":::", "::1::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8",
    "1:2:3:4:5:6:7:8:9", "12345::", "::g", "::1%lo", "::1%25lo", "v1.x", "::1.2.3", "::1.2.3.04", "1.2.3.4::",
    "::1.2.3.4:5", "localhost", "127.0.0.1", " ::1", "::1 ", ":1", "1:", "::+1", "::0x1", "::FFFF:127.0.0.1",
    "64:ff9b::7f00:1",
];
const ODD_BRACKETS: &[(&str, &str)] = &[("", ""), ("[", ""), ("", "]"), ("[[", "]]"), ("[", "].")];
#[rustfmt::skip]
const ODD_PORTS: &[&str] = &[
    "", "0", "00", "080", "65536", "99999", "100000", "-1", "+80", "0x50", "80 ", " 80", "80:80", "8O", "80.",
    "\u{0668}\u{0660}",
];

/// What a tampered value gets at its end, at its start, inside.
#[rustfmt::skip]
const SUFFIXES: &[&[u8]] = &[
    b":80.evil.com", b"@evil", b"#", b"#evil", b"/", b"/path", b"\\", b"\\evil", b"%2e", b"%00", b"?", b",",
    b", evil.test", b"\t", b" ", b":", b":0", b":80:80", b":99999", b"]", b"[", b".evil.com", b".0x", b".1",
    b"\xe3\x80\x82com", b"\xc2\xad", b"\xad", b"%lo",
];
const HARMLESS_SUFFIXES: &[&[u8]] = &[b".", b":80", b":443", b":8080", b":65535"];
#[rustfmt::skip]
const PREFIXES: &[&[u8]] = &[
    b"evil.com@", b"http://", b"//", b"a.", b"a.b.", b".", b"*.", b" ", b"\xef\xbb\xbf", b"[", b"x:", b"0",
];
#[rustfmt::skip]
const INSERTIONS: &[&[u8]] = &[
    b"%2e", b"%6d", b"\xe2\x93\x94", b"\xc2\xad", b"\xef\xbc\x8e", b"::", b"..", b"@", b".x.",
];
const ODD_BYTES: &[u8] = b".:[]%@/\\#?,;*-_ \t\x00\r\n059afxXz";

/// Values that mean the same authority, or nearly: most of them one name.
#[rustfmt::skip]
const ALIKE: [&[&str]; 3] = [
    &["example.com", "EXAMPLE.com", "example.com.", "example.com:80", "example.com:443", "Example.Com.:443", "example.com:8080"],
    &["[::1]", "[0:0:0:0:0:0:0:1]", "[::1]:80", "[0::0.0.0.1]:443", "[::0001]:8080"],
    &[
        "127.0.0.1", "127.0.0.1.", "127.0.0.1:80", "127.0.0.1:443", "[::ffff:127.0.0.1]", "127.1", "evil.test", "evil.test:80",
        "example.com@evil.test", "example.com, evil.test", "", "example.com:", "example.com/x", "example.com?x", "example.com#", "example.com\u{e9}", "a\nb",
    ],
];

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
    prop_oneof![
        8 => "[A-Za-z0-9_-]{1,12}",
        1 => "[A-Za-z0-9_-]{61,65}",
        3 => select(ODD_LABELS).prop_map(str::to_owned),
    ]
}

fn ipv4_text() -> impl Strategy<Value = String> {
    let canonical = any::<[u8; 4]>().prop_map(|octets| text(&Host::V4(octets)));
    let part = prop_oneof![
        4 => any::<u8>().prop_map(|octet| octet.to_string()),
        1 => select(ODD_OCTETS).prop_map(str::to_owned),
    ];
    prop_oneof![2 => canonical, 1 => vec(part, 1..6).prop_map(|parts| parts.join("."))]
}

/// An IPv6 address in any spelling, some of them wrong.
fn ipv6_text() -> impl Strategy<Value = String> {
    let group = prop_oneof![3 => Just(0_u16), 1 => Just(0xffff), 2 => any::<u16>(), 1 => 0..16_u16];
    let width = prop_oneof![4 => 0..=4_usize, 1 => Just(5)];
    let spelling = (width, 0..9_usize, 0..9_usize, any::<bool>(), any::<bool>());
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
    let inside = prop_oneof![6 => written, 1 => select(ODD_IPV6).prop_map(str::to_owned)];
    let brackets = prop_oneof![12 => Just(("[", "]")), 1 => select(ODD_BRACKETS)];
    (inside, brackets).prop_map(|(inside, (open, close))| format!("{open}{inside}{close}"))
}

fn port_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        3 => select(&DEFAULT_PORTS[..]).prop_map(|port| format!(":{port}")),
        3 => (1..=65535_u32).prop_map(|port| format!(":{port}")),
        1 => select(vec![1, 9, 10, 9999, 10000, 65535]).prop_map(|port| format!(":{port}")),
        1 => select(ODD_PORTS).prop_map(|port| format!(":{port}")),
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

/// A policy about those of the values that are authorities at all.
pub fn rules_about(values: &[(String, Listing)]) -> Rules {
    let mut rules = rules(&["example.com", "127.0.0.1", "[::1]"], None);
    for (value, listing) in values {
        let Some(Authority { host, port }) = reference::authority(value.as_bytes()) else {
            continue;
        };
        let port = port.unwrap_or(DEFAULT_PORTS[0]);
        let (host, port) = match listing {
            Listing::Host => (host, None),
            Listing::HostAndPort => (host, Some(port)),
            Listing::HostAndOtherPort => (host, Some(if port == 81 { 80 } else { 81 })),
            Listing::Neighbour => (neighbour(host), None),
        };
        add(
            &mut rules,
            Pattern {
                what: What::Exact(host),
                port,
            },
        );
    }
    rules
}

/// Adds an entry, if no earlier one covers it: the engine would refuse the policy.
fn add(rules: &mut Rules, pattern: Pattern) {
    if !rules.allow.iter().any(|earlier| earlier.covers(&pattern)) {
        rules.allow.push(pattern);
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
    let byte = || prop_oneof![2 => select(ODD_BYTES), 1 => any::<u8>()];
    prop_oneof![
        3 => (any::<Index>(), byte()).prop_map(|(index, byte)| Insert(index, vec![byte])),
        1 => (any::<Index>(), select(INSERTIONS)).prop_map(|(index, text)| Insert(index, text.to_vec())),
        2 => any::<Index>().prop_map(Delete),
        3 => (any::<Index>(), byte()).prop_map(|(index, byte)| Replace(index, byte)),
        2 => any::<Index>().prop_map(Duplicate),
        2 => any::<Index>().prop_map(Transpose),
        4 => any::<Index>().prop_map(Case),
        3 => select(SUFFIXES).prop_map(Append),
        4 => select(HARMLESS_SUFFIXES).prop_map(Append),
        2 => select(PREFIXES).prop_map(Prepend),
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
    let label = prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just("ab"), 1 => Just("a-b")];
    vec(label, depth).prop_map(|labels| labels.join("."))
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

/// The network of an address. The bits past the prefix are zero, as a policy must write them.
fn network(host: &Host, length: u32) -> What {
    let masked = match host {
        Host::V4(octets) => {
            let rest = u32::MAX.checked_shr(length).unwrap_or(0);
            Host::V4((u32::from_be_bytes(*octets) & !rest).to_be_bytes())
        }
        Host::V6(groups) => {
            let rest = u128::MAX.checked_shr(length).unwrap_or(0);
            Host::V6(Ipv6Addr::from_bits(Ipv6Addr::from(*groups).to_bits() & !rest).segments())
        }
        Host::Name(_) => unreachable!("no name has a prefix"),
    };
    What::Network(masked, length.try_into().unwrap())
}

fn small_pattern() -> impl Strategy<Value = Pattern> {
    let lengths4 = select(vec![8_u32, 9, 16, 23, 24, 30, 31, 32]);
    let lengths6 = select(vec![8_u32, 15, 16, 31, 32, 64, 65, 96, 127, 128]);
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

pub fn small_rules() -> impl Strategy<Value = Rules> {
    let scheme = prop_oneof![2 => Just(None), 1 => scheme().prop_map(Some)];
    (vec(small_pattern(), 1..=30), scheme).prop_map(|(patterns, scheme)| {
        let mut rules = rules(&[], scheme);
        patterns.into_iter().for_each(|pattern| add(&mut rules, pattern));
        rules
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

fn alike() -> impl Strategy<Value = Vec<u8>> {
    let [name, address, other] = ALIKE;
    prop_oneof![12 => select(name), 2 => select(address), 2 => select(other)]
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
