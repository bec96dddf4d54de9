//! What the fuzz targets run. `tests/fuzz_corpus.rs` replays the corpus over the same functions without a fuzzer.

use hostbound::{
    Authority, Guard, Header, Headers, HostPattern, Inspection, MemoryReplay, Origin, Peer, Policy, PolicyDocument,
    Request, RequestDocument, Scheme, Surroundings, Timestamp, Version, pack,
};

/// A policy document, as TOML and as JSON: what compiles also compiles from its compiled form, to the same digest.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for document in [
        PolicyDocument::from_toml(text, "fuzz"),
        PolicyDocument::from_json(text, "fuzz"),
    ]
    .into_iter()
    .flatten()
    {
        let Ok(policy) = document.compile() else { continue };
        let _ = document.lint(Surroundings {
            is_public_suffix: &|_| false,
            has_several_processes: true,
        });
        let compiled = Policy::from_json(&document.to_compiled_json(), "compiled").expect("the compiled form compiles");
        assert_eq!(compiled.digest(), policy.digest());
    }
}

/// An authority, an origin and a host pattern: what parses prints normalized, and that parses to itself.
pub fn authority(data: &[u8]) {
    if let Ok(authority) = Authority::parse(data) {
        let host = authority.host().to_string();
        let again = Authority::parse(host.as_bytes()).expect("the normalized form parses");
        assert_eq!(again.host(), authority.host());
        assert_eq!(again.host().to_string(), host);
        // Every host that parses can be listed, and its entry matches it.
        let pattern = HostPattern::parse(&host).expect("a host is a pattern");
        let mut set = hostbound::HostSet::default();
        set.insert(&pattern).expect("nothing is listed yet");
        assert!(set.matching(authority, Scheme::Http.default_port()).is_some());
    }
    let _ = Origin::parse(data);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(pattern) = HostPattern::parse(text)
    {
        assert!(pattern.overlaps(&pattern));
    }
}

/// A request: packed, in JSON, and as a raw head, before a policy that reads everything.
pub fn request(data: &[u8]) {
    thread_local!(static GUARD: Guard = Guard::new(Policy::from_toml(EVERYTHING, "fuzz").expect("a valid policy")));
    GUARD.with(|guard| {
        if let Ok((request, now)) = Request::unpack(data) {
            judge(guard, &request, now);
        }
        if let Ok(document) = RequestDocument::from_json(data) {
            let mut replay = MemoryReplay::new(Timestamp(0));
            let explanation = guard.explain(&document, &replay);
            let verdict = guard.decide(&document, &mut replay);
            assert_eq!(explanation.verdict.to_json(), verdict.to_json());
        }
        // method SP target LF *( name ":" value LF )
        let mut lines = data.split(|byte| *byte == b'\n');
        let start = lines.next().unwrap_or_default();
        let mut words = start.splitn(3, |byte| *byte == b' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let field = |line: &'_ [u8]| -> Option<(usize, usize)> {
            line.iter().position(|byte| *byte == b':').map(|at| (at, line.len()))
        };
        let headers: Vec<_> = lines
            .filter_map(|line| {
                field(line).map(|(at, end)| Header {
                    name: &line[..at],
                    value: &line[at + 1..end],
                })
            })
            .collect();
        let request = Request {
            method: method.unwrap_or_default(),
            scheme: Scheme::Http,
            version: match version {
                Some(b"2") => Version::Http2,
                Some(b"1.0") => Version::Http10,
                _ => Version::Http11,
            },
            target: target.unwrap_or_default(),
            headers: Headers::new(&headers),
            peer: Peer::from_address([127, 0, 0, 1].into()),
        };
        judge(guard, &request, None);
    });
}

/// A path before routes of every kind: a path that is allowed is on one route in every form.
pub fn route(data: &[u8]) {
    thread_local!(static GUARD: Guard = Guard::new(Policy::from_toml(ROUTES, "fuzz").expect("a valid policy")));
    let target = [b"/", data].concat();
    GUARD.with(|guard| {
        let headers = [Header {
            name: b"host",
            value: b"a.example",
        }];
        let request = Request {
            method: b"GET",
            scheme: Scheme::Http,
            version: Version::Http11,
            target: &target,
            headers: Headers::new(&headers),
            peer: Peer::Unknown,
        };
        let Inspection::Decided(verdict) = guard.inspect(&request, None) else {
            return;
        };
        let Some(name) = verdict.identity().and_then(|identity| identity.route()) else {
            return;
        };
        // No way of reading an allowed path leads into the admin pages unless it was judged as one.
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let mut form = path.to_vec();
        for _ in 0..4 {
            let mut lower = form.to_ascii_lowercase();
            lower.dedup_by(|a, b| *a == b'/' && *b == b'/');
            let is_admin = lower == b"/admin" || lower.starts_with(b"/admin/") || lower.starts_with(b"/admin;");
            assert!(!is_admin || name == "admin", "{}", String::from_utf8_lossy(&target));
            form = decode(&form);
        }
    });
}

fn judge(guard: &Guard, request: &Request<'_>, now: Option<Timestamp>) {
    let Inspection::Decided(verdict) = guard.inspect(request, now) else {
        return;
    };
    let json = verdict.document(None).to_json();
    assert!(json.is_ascii() && !json.contains('\n'));
    assert_eq!(
        verdict.code() == 0,
        verdict.is_allowed() && verdict.reported().is_none()
    );
    let mut buffer = Vec::new();
    pack(request, now, &mut buffer).expect("short enough");
    let (again, now) = Request::unpack(&buffer).expect("packed");
    let Inspection::Decided(verdict) = guard.inspect(&again, now) else {
        return;
    };
    assert_eq!(verdict.document(None).to_json(), json);
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match value
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

const EVERYTHING: &str = r#"
version = 1
explain_to_client = true
[hosts]
allow = ["a.example", "*.b.example", "**.c.example:8443", "127.0.0.1", "[::1]:80", "10.0.0.0/8"]
trusted_proxies = ["127.0.0.0/8", "unix"]
forwarded = "forwarded"
proxy_hosts = ["api.internal"]
[[hosts.exempt]]
path = "/healthz"
from = ["127.0.0.0/8"]
[peers]
allow = ["127.0.0.0/8", "unix"]
[origins]
allow = ["self", "https://app.example", "null"]
[[routes]]
path = "/admin/*/items"
methods = ["GET", "POST"]
require = []
[[routes]]
path = "/**"
require = []
"#;

const ROUTES: &str = r#"
version = 1
[hosts]
allow = ["a.example"]
[[routes]]
name = "admin"
path = "/admin/**"
require = []
[[routes]]
name = "item"
path = "/items/*"
require = []
[[routes]]
name = "escaped"
path = "/caf%C3%A9/**"
require = []
[[routes]]
name = "rest"
path = "/**"
require = []
"#;
