//! What must hold of every signed request, whatever it is: what is signed is allowed; what a profile covers cannot change, and what it does not cover can.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::LazyLock;

use hostbound::{
    Claim, ClaimOutcome, Guard, Header, Headers, Inspection, Memory, MemoryReplay, Peer, Policy, Reason, Request,
    Scheme, Secrets, SignError, SignOptions, SignedHeaders, Timestamp, Version,
};
use proptest::array::{uniform8, uniform10};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// What a signature may cover, beside its time and the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Method,
    Scheme,
    Host,
    Path,
    Query,
    ContentType,
    Nonce,
    /// By an id in the base.
    Key,
}

/// A `signatures` section, alone in its policy, and what its base holds by `docs/contract.md`.
struct Section {
    profile: &'static str,
    covers: &'static [Part],
    guard: Guard,
    /// By the same section and `content_types`.
    strict: Guard,
}

impl Section {
    fn new(profile: &'static str, settings: Value, covers: &'static [Part]) -> Self {
        let is_bound = matches!(profile, "service-scoped" | "standard-webhooks");
        let key = |id: &str, hosts: &[&str]| {
            let mut key = json!({"id": id, "secret": {"name": id}});
            if is_bound {
                key["hosts"] = json!(hosts);
            }
            if profile == "service-scoped" {
                key["service_id"] = json!(format!("service-{id}"));
            }
            key
        };
        let mut keys = vec![key("k1", &[HOSTS[0], HOSTS[1], HOSTS[3]])];
        if is_bound {
            keys.push(key("k2", &[HOSTS[2], HOSTS[4]]));
        }
        let mut section = json!({"profile": profile, "keys": keys});
        for (name, value) in settings.as_object().unwrap() {
            section[name] = value.clone();
        }
        let guard = Self::guard(&section);
        section["content_types"] = json!(["application/json", "text/plain"]);
        let strict = Self::guard(&section);
        Self {
            profile,
            covers,
            guard,
            strict,
        }
    }

    fn guard(section: &Value) -> Guard {
        let policy = json!({
            "version": 1,
            "hosts": {"allow": ["*.example.com", HOSTS[3], HOSTS[4]]},
            "signatures": {"s": section},
            "routes": [{"path": "/**", "require": ["signature:s"]}],
        });
        let policy = Policy::from_json(&policy.to_string(), "properties").unwrap();
        let mut secrets = Secrets::new();
        for id in ["k1", "k2"] {
            secrets.insert_named(
                policy.secrets(),
                id,
                &format!("published-test-key-of-{id}-32-bytes-long"),
            );
        }
        Guard::with_secrets(policy, &secrets).unwrap()
    }

    fn covers(&self, part: Part) -> bool {
        self.covers.contains(&part)
    }

    /// The key that signs for a host.
    fn key(&self, host: &Spelling) -> &'static str {
        let is_second = self.guard.policy().secrets().count() > 1 && matches!(host.host, 2 | 4);
        if is_second { "k2" } else { "k1" }
    }

    fn sign(&self, sent: &Sent) -> SignedHeaders {
        sign(&self.guard, sent).unwrap()
    }

    /// Why the request is denied, if it is, with the headers of a signature, at the time at which that was made.
    fn denial(&self, sent: &Sent, signed: &[(String, Vec<u8>)], now: u64) -> Option<Reason> {
        denial(&self.guard, sent, signed, now)
    }

    /// What the request would claim.
    fn claim(&self, sent: &Sent) -> Option<Claim> {
        let signed = headers(&self.sign(sent));
        sent.with(&signed, |request| {
            let Inspection::NeedsBody(mut needs) = self.guard.inspect(request, Some(Timestamp(sent.created))) else {
                panic!("the head passes")
            };
            needs.update(&sent.body);
            match needs.finish() {
                Inspection::NeedsNonce(needs) => Some(needs.claim().clone()),
                _ => None,
            }
        })
    }

    /// What the signature covers, each part in its one form: equal for two requests if and only if their bases are to be.
    fn covered(&self, sent: &Sent) -> Vec<Vec<u8>> {
        let part = |part, value: &str| {
            if self.covers(part) {
                value.as_bytes().to_vec()
            } else {
                Vec::new()
            }
        };
        let query = sent.query.as_deref().map(|query| format!("?{query}"));
        vec![
            part(Part::Method, sent.method),
            part(Part::Scheme, sent.scheme.as_str()),
            part(Part::Host, &sent.host.normalized(sent.scheme)),
            part(Part::Path, &sent.path),
            part(Part::Query, &query.unwrap_or_default()),
            part(Part::ContentType, sent.content_type.unwrap_or_default()),
            part(Part::Nonce, &sent.nonce),
            part(Part::Key, self.key(&sent.host)),
            sent.created.to_string().into_bytes(),
            sent.body.clone(),
        ]
    }
}

fn sign(guard: &Guard, sent: &Sent) -> Result<SignedHeaders, SignError> {
    sent.with(&[], |request| {
        let options = SignOptions {
            key_id: None,
            created: Timestamp(sent.created),
            nonce: Some(&sent.nonce),
        };
        let mut signing = guard.sign("s", request, &options)?;
        signing.update(&sent.body);
        signing.finish()
    })
}

fn denial(guard: &Guard, sent: &Sent, signed: &[(String, Vec<u8>)], now: u64) -> Option<Reason> {
    let mut replay = Memory::new(Timestamp(0));
    sent.with(signed, |request| {
        let verdict = guard.judge(request, Some(Timestamp(now)), &sent.body, &mut replay);
        verdict.denied().map(|failure| failure.reason())
    })
}

#[rustfmt::skip]
static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(|| {
    use Part::{ContentType, Host, Key, Method, Nonce, Path, Query, Scheme};
    let key_id = json!({"headers": {"key_id": "x-key-id"}});
    let whole = json!({"label": "sig", "components": ["@method", "@target-uri", "content-type", "content-digest"]});
    vec![
        Section::new("http-message-signatures", json!({"tag": "t"}), &[Method, Host, Path, Query, Nonce, Key]),
        Section::new("http-message-signatures", whole, &[Method, Scheme, Host, Path, Query, ContentType, Nonce, Key]),
        Section::new("host-nonce", json!({}), &[Method, Host, Path, Query, Nonce]),
        Section::new("host-nonce", key_id.clone(), &[Method, Host, Path, Query, Nonce]),
        Section::new("service-scoped", json!({}), &[Method, Path, Query, Key]),
        Section::new("service-scoped", json!({"query": "unsigned"}), &[Method, Path, Key]),
        Section::new("service-scoped", key_id, &[Method, Path, Query, Key]),
        Section::new("standard-webhooks", json!({}), &[Nonce]),
    ]
});

const HOSTS: [&str; 5] = [
    "api.example.com",
    "third.example.com",
    "other.example.com",
    "10.0.0.7",
    "[::1]",
];

/// A Host as a client may spell it.
#[derive(Clone, Debug)]
struct Spelling {
    host: usize,
    is_odd: bool,
    port: Option<u16>,
}

impl Spelling {
    fn written(&self) -> String {
        let name = HOSTS[self.host];
        let odd = if name.starts_with('[') {
            "[0:0:0:0:0:0:0:1]".to_owned()
        } else {
            name.to_uppercase() + "."
        };
        let port = self.port.map(|port| format!(":{port}"));
        let name = if self.is_odd { odd } else { name.to_owned() };
        name + &port.unwrap_or_default()
    }

    /// Without the default port of the scheme.
    fn normalized(&self, scheme: Scheme) -> String {
        let default = if scheme == Scheme::Https { 443 } else { 80 };
        let port = self.port.filter(|port| *port != default).map(|port| format!(":{port}"));
        HOSTS[self.host].to_owned() + &port.unwrap_or_default()
    }
}

/// A request, and with what it is signed.
#[derive(Clone, Debug)]
struct Sent {
    method: &'static str,
    scheme: Scheme,
    host: Spelling,
    path: String,
    query: Option<String>,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    /// What no profile covers.
    version: Version,
    others: Vec<(&'static str, String)>,
    created: u64,
    nonce: String,
}

impl Sent {
    fn target(&self) -> String {
        self.path.clone()
            + &self
                .query
                .as_deref()
                .map(|query| format!("?{query}"))
                .unwrap_or_default()
    }

    fn with<T>(&self, signed: &[(String, Vec<u8>)], run: impl FnOnce(&Request<'_>) -> T) -> T {
        self.with_raw(
            self.method.as_bytes(),
            self.host.written().as_bytes(),
            self.target().as_bytes(),
            signed,
            run,
        )
    }

    /// With bytes of the caller in the place of those parts.
    fn with_raw<T>(
        &self,
        method: &[u8],
        host: &[u8],
        target: &[u8],
        signed: &[(String, Vec<u8>)],
        run: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        let mut headers = vec![Header {
            name: b"Host",
            value: host,
        }];
        headers.extend(self.content_type.map(|value| Header {
            name: b"Content-Type",
            value: value.as_bytes(),
        }));
        headers.extend(self.others.iter().map(|(name, value)| Header {
            name: name.as_bytes(),
            value: value.as_bytes(),
        }));
        headers.extend(signed.iter().map(|(name, value)| Header {
            name: name.as_bytes(),
            value,
        }));
        run(&Request {
            method,
            scheme: self.scheme,
            version: self.version,
            target,
            headers: Headers::new(&headers),
            peer: Peer::Unknown,
        })
    }

    /// With each part from the other request where the mask says so.
    fn mixed(&self, other: &Self, mask: [bool; 10]) -> Self {
        let mut mixed = self.clone();
        let [
            method,
            scheme,
            host,
            path,
            query,
            content_type,
            body,
            others,
            created,
            nonce,
        ] = mask;
        macro_rules! take {
            ($($field:ident)*) => { $(if $field { mixed.$field = other.$field.clone(); })* };
        }
        take!(method scheme host path query content_type body others created nonce);
        if others {
            mixed.version = other.version;
        }
        mixed
    }
}

fn headers(signed: &SignedHeaders) -> Vec<(String, Vec<u8>)> {
    let headers = signed.headers().iter();
    headers
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect()
}

/// Parts that shift if a base is ambiguous.
fn pieces(most: usize) -> impl Strategy<Value = String> {
    const PIECES: [&str; 16] = [
        "a",
        "B",
        "~",
        "-",
        "1700000000",
        ".",
        "%41",
        "%7E",
        "%2F",
        ";v=1",
        "x=1",
        "&",
        "=",
        "+",
        "/",
        ",",
    ];
    vec(select(&PIECES), 1..most).prop_map(|pieces| pieces.concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    const LINES: [&str; 8] = ["\n", "|", ".", "1700000000", "0123456789abcdef", "/a", "{}", "\u{fffd}"];
    prop_oneof![
        Just(Vec::new()),
        vec(select(&LINES), 0..6).prop_map(|lines| lines.concat().into_bytes()),
        vec(any::<u8>(), 0..64),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X-1"];
    const NAMES: [&str; 6] = [
        "X-Other",
        "Cookie",
        "Accept",
        "X-Forwarded-Host",
        "Content-Encoding",
        "Authorization2",
    ];
    let host = (
        0..HOSTS.len(),
        any::<bool>(),
        select(&[None, None, Some(80), Some(443), Some(8443)][..]),
    );
    // No segment is a dot.
    let path = vec(pieces(3).prop_map(|pieces| pieces.replace('.', "a.a")), 0..3);
    (
        (
            select(&METHODS),
            select(&[Scheme::Http, Scheme::Https][..]),
            host.prop_map(|(host, is_odd, port)| Spelling { host, is_odd, port }),
            path.prop_map(|segments| format!("/{}", segments.join("/"))),
            proptest::option::of(pieces(5)),
            select(
                &[
                    Some("application/json"),
                    Some("text/plain"),
                    Some("text/plain; charset=utf-8"),
                ][..],
            ),
        ),
        body(),
        (
            select(&[Version::Http10, Version::Http11, Version::Http2, Version::Http3][..]),
            vec((select(&NAMES), "[ -~]{0,12}"), 0..3),
        ),
        1_699_999_999_u64..1_700_000_002,
        "[A-Za-z0-9_-]{16,20}",
    )
        .prop_map(
            |((method, scheme, host, path, query, content_type), body, (version, others), created, nonce)| Sent {
                method,
                scheme,
                host,
                path,
                query,
                content_type,
                body,
                version,
                others,
                created,
                nonce,
            },
        )
}

/// Requests with what may be wrong beside a signature, too: no content type or an unlisted one, a content encoding, a method override.
fn any_sent() -> impl Strategy<Value = Sent> {
    const TYPES: [Option<&str>; 6] = [
        None,
        Some(""),
        Some("text/plain"),
        Some("TEXT/PLAIN ;a=b"),
        Some("text/html"),
        Some("text/plain, text/html"),
    ];
    const NAMES: [&str; 6] = [
        "Accept",
        "Content-Encoding",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Method-Override2",
    ];
    let others = vec((select(&NAMES), "[a-z]{0,4}"), 0..2);
    (sent(), select(&TYPES), others).prop_map(|(sent, content_type, others)| Sent {
        content_type,
        others: others.into_iter().collect(),
        ..sent
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn what_is_signed_is_allowed(sent in sent()) {
        for section in SECTIONS.iter() {
            let signed = section.sign(&sent);
            let denied = section.denial(&sent, &headers(&signed), sent.created);
            prop_assert_eq!(denied, None, "{}: {:?}", section.profile, signed);
            let is_safe = matches!(sent.method, "GET" | "HEAD" | "OPTIONS");
            let is_claimed = section.profile != "service-scoped" || !is_safe;
            prop_assert_eq!(section.claim(&sent).is_some(), is_claimed, "{}", section.profile);
        }
    }

    /// What is not signed for its headers or size would be denied, had somebody else signed the rest of it.
    #[test]
    fn what_is_signed_is_allowed_and_nothing_else(sent in any_sent()) {
        let bare = Sent { others: Vec::new(), ..sent.clone() };
        for section in SECTIONS.iter() {
            for guard in [&section.guard, &section.strict] {
                let signed = sign(guard, &sent);
                let Ok(other) = sign(&section.guard, &bare) else {
                    // Nobody can sign a component that is not there.
                    prop_assert!(section.covers(Part::ContentType) && sent.content_type.is_none());
                    prop_assert!(signed.is_err());
                    continue;
                };
                let headers = headers(signed.as_ref().unwrap_or(&other));
                let denied = denial(guard, &sent, &headers, sent.created);
                prop_assert_eq!(signed.is_ok(), denied.is_none(), "{}: {:?}, {:?}", section.profile, signed, denied);
            }
        }
    }

    /// Two requests share what is signed, base and body, if and only if they are equal in all that the profile covers, after normalization of the
    /// authority. A signature is good for the other request if and only if they share it and the key.
    #[test]
    fn bases_are_equal_for_equal_requests_alone(first in sent(), other in sent(), mask in uniform10(weighted(0.15))) {
        let second = first.mixed(&other, mask);
        for section in SECTIONS.iter() {
            let [one, two] = [&first, &second].map(|sent| {
                let signed = section.sign(sent);
                let after = signed.body_length().map(|_| sent.body.as_slice());
                let base = [signed.base().as_bytes(), after.unwrap_or_default()].concat();
                (base, headers(&signed))
            });
            let are_equal = section.covered(&first) == section.covered(&second);
            prop_assert_eq!(one.0 == two.0, are_equal, "{}", section.profile);

            // The second request, with the first one's tag: the last header that is added.
            let mut swapped = two.1;
            *swapped.last_mut().unwrap() = one.1.last().unwrap().clone();
            let denied = section.denial(&second, &swapped, second.created);
            let is_wanted = are_equal && section.key(&first.host) == section.key(&second.host);
            prop_assert_eq!(denied.is_none(), is_wanted, "{}: {:?}", section.profile, denied);
        }
    }

    /// A signed request of which parts are exchanged stays allowed if and only if the profile covers none of those that differ: the table "What a
    /// signature does not cover".
    #[test]
    fn what_is_not_covered_can_change(first in sent(), other in sent(), mask in uniform8(weighted(0.25))) {
        let [method, scheme, host, path, query, content_type, body, others] = mask;
        let mask = [method, scheme, host, path, query, content_type, body, others, false, false];
        let received = first.mixed(&other, mask);
        for section in SECTIONS.iter() {
            let signed = headers(&section.sign(&first));
            let denied = section.denial(&received, &signed, first.created);
            let is_wanted = section.covered(&first) == section.covered(&received)
                && section.key(&first.host) == section.key(&received.host);
            prop_assert_eq!(denied.is_none(), is_wanted, "{}: {:?}", section.profile, denied);
        }
    }

    /// No byte of what is covered can change, nor one of what signing added: tag, nonce, time, key, service, digest.
    #[test]
    fn no_byte_can_change(sent in sent(), at in any::<Index>(), header in any::<Index>(), flip in 1..=255_u8) {
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            bytes
        };
        for section in SECTIONS.iter() {
            let signed = headers(&section.sign(&sent));
            let judged = |method: &[u8], host: &[u8], target: &[u8], signed: &[(String, Vec<u8>)]| {
                let mut replay = Memory::new(Timestamp(0));
                sent.with_raw(method, host, target, signed, |request| {
                    let verdict = section.guard.judge(request, Some(Timestamp(sent.created)), &sent.body, &mut replay);
                    verdict.is_allowed()
                })
            };
            let (method, host, target) = (sent.method.as_bytes(), sent.host.written(), sent.target());
            let (host, target) = (host.as_bytes(), target.as_bytes());
            prop_assert!(judged(method, host, target, &signed));

            let mut other = signed.clone();
            let (_, value) = &mut other[header.index(signed.len())];
            *value = flipped(value);
            prop_assert!(!judged(method, host, target, &other), "{}: {:?}", section.profile, other);

            if section.covers(Part::Method) {
                prop_assert!(!judged(&flipped(method), host, target, &signed), "{}: the method", section.profile);
            }
            let other = flipped(host);
            if section.covers(Part::Host) && !is_same_host(&other, host) {
                prop_assert!(!judged(method, &other, target, &signed), "{}: {:?}", section.profile, other);
            }
            let is_covered = section.covers(if at.index(target.len()) < sent.path.len() { Part::Path } else { Part::Query });
            if is_covered {
                prop_assert!(!judged(method, host, &flipped(target), &signed), "{}: the target", section.profile);
            }
            if !sent.body.is_empty() {
                let other = Sent { body: flipped(&sent.body), ..sent.clone() };
                prop_assert!(section.denial(&other, &signed, sent.created).is_some(), "{}: the body", section.profile);
            }
        }
    }
}

/// Case is no part of a host, nor is it one how an IPv6 address is shortened.
fn is_same_host(one: &[u8], other: &[u8]) -> bool {
    let [one, other] = [one, other].map(|text| {
        let text = std::str::from_utf8(text).ok()?;
        match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => Some((address.parse::<Ipv6Addr>().ok()?.to_string(), port.to_owned())),
            None => Some((text.to_ascii_lowercase(), String::new())),
        }
    });
    one.is_some() && one == other
}

/// A body of that length, without a period.
fn long_body(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 16).to_le_bytes()[0])
        .collect()
}

proptest! {
    #![proptest_config(config(100))]

    /// However the body comes, also beyond the 64 KiB that are kept; and if one of several signatures is right.
    #[test]
    fn chunks_change_no_verdict(
        sent in sent(),
        length in prop_oneof![0..300_usize, 65_300..65_800_usize, 100_000..150_000_usize],
        sizes in vec(prop_oneof![0..4_usize, 1..5_000_usize, 60_000..70_000_usize], 1..6),
        tampered in proptest::option::of(any::<Index>()),
    ) {
        let sent = Sent { body: long_body(length), ..sent };
        let mut received = sent.body.clone();
        if let Some(at) = tampered.filter(|_| length > 0) {
            received[at.index(length)] ^= 1;
        }
        let is_wanted = received == sent.body;
        for section in SECTIONS.iter() {
            let mut signed = headers(&section.sign(&sent));
            for decoy in [false, true] {
                if decoy && section.profile != "standard-webhooks" {
                    continue;
                }
                if decoy {
                    let value = &mut signed.last_mut().unwrap().1;
                    *value = [format!("v1,{}= ", "A".repeat(43)).as_bytes(), value.as_slice()].concat();
                }
                let judged = |sizes: &[usize]| sent.with(&signed, |request| {
                    let now = Some(Timestamp(sent.created));
                    let Inspection::NeedsBody(mut needs) = section.guard.inspect(request, now) else {
                        panic!("the head passes")
                    };
                    let (mut rest, mut sizes) = (received.as_slice(), sizes.iter().cycle());
                    while !rest.is_empty() {
                        // A size of nothing is a chunk of nothing, then one byte.
                        let size = *sizes.next().unwrap();
                        if size == 0 {
                            needs.update(b"");
                        }
                        let (chunk, after) = rest.split_at(size.clamp(1, rest.len()));
                        needs.update(chunk);
                        rest = after;
                    }
                    let mut replay = MemoryReplay::new(Timestamp(0));
                    let verdict = match needs.finish() {
                        Inspection::NeedsNonce(needs) => needs.claim_in(&mut replay),
                        Inspection::Decided(verdict) => verdict,
                        _ => panic!("the body is there"),
                    };
                    (verdict.is_allowed(), verdict.document(None).to_json())
                });
                let (is_allowed, whole) = judged(&[usize::MAX]);
                prop_assert_eq!(is_allowed, is_wanted, "{}", section.profile);
                prop_assert_eq!(judged(&sizes).1, whole, "{}", section.profile);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(300))]

    /// However claims interleave, and whatever the clocks say, each is made at most once: the first time, unless that is too late to know.
    #[test]
    fn a_claim_is_made_once(
        requests in vec(sent(), 1..5),
        order in vec((any::<Index>(), 1_699_999_990..1_700_000_250_u64), 1..40),
    ) {
        for section in SECTIONS.iter() {
            let claims: Vec<Claim> = requests.iter().filter_map(|sent| section.claim(sent)).collect();
            if claims.is_empty() {
                // What is safe by its method may be sent again.
                prop_assert_eq!(section.profile, "service-scoped");
                continue;
            }
            let mut store = MemoryReplay::new(Timestamp(0));
            let (mut made, mut clock) = (BTreeSet::new(), 0);
            for (index, now) in &order {
                let claim = &claims[index.index(claims.len())];
                clock = clock.max(*now);
                let wanted = if claim.expires().0 <= clock {
                    ClaimOutcome::Full
                } else if made.insert(claim.key()) {
                    ClaimOutcome::Made
                } else {
                    ClaimOutcome::Present
                };
                prop_assert_eq!(store.claim(claim, Timestamp(*now)), wanted, "{}", section.profile);
            }
        }
    }
}

/// The page's table says of each profile what the sections above leave out, and nothing that they cover.
#[test]
fn the_table_of_the_contract_is_what_is_tested() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("### What a signature does not cover").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).take(4);
    let mut count = 0_usize;
    for row in rows {
        let [profile, outside] = *row.trim_matches('|').split(" | ").collect::<Vec<_>>() else {
            panic!("{row}")
        };
        let profile = profile.trim().trim_matches('`');
        count += 1;
        if profile == "http-message-signatures" {
            assert!(outside.contains("neither the policy nor the signer lists"), "{row}");
            continue;
        }
        let always = outside.split("; with ").next().unwrap();
        let (before_headers, _) = always.split_once("every header").unwrap();
        let section = SECTIONS.iter().find(|section| section.profile == profile).unwrap();
        for (part, word) in [
            (Part::Method, "method"),
            (Part::Scheme, "scheme"),
            (Part::Host, "host"),
            (Part::Path, "path"),
            (Part::Query, "query"),
        ] {
            let is_outside = before_headers.split([',', ' ', ';']).any(|said| said == word);
            assert_ne!(is_outside, section.covers(part), "{profile}: {word}");
        }
        let unsigned = SECTIONS
            .iter()
            .any(|section| section.profile == profile && section.covers(Part::Path) && !section.covers(Part::Query));
        assert_eq!(outside.contains("the query"), unsigned, "{profile}: with `query`");
    }
    assert_eq!(count, 4);
}
