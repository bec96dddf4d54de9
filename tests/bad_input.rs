//! Input that no client sends in good faith gets an answer, in bounded time.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::time::{Duration, Instant};

use hostbound::{
    Guard, Header, Headers, Inspection, Peer, Policy, PolicyDocument, Reason, Request, Scheme, Surroundings, Version,
};

/// Generous: debug builds on a busy machine. What is quadratic would take minutes.
const BOUND: Duration = Duration::from_secs(10);

fn guard(policy: &str) -> Guard {
    Guard::new(Policy::from_toml(policy, "hostbound.toml").unwrap())
}

fn reason(guard: &Guard, method: &[u8], target: &[u8], fields: &[(&[u8], &[u8])]) -> Option<Reason> {
    let headers: Vec<_> = fields.iter().map(|(name, value)| Header { name, value }).collect();
    let request = Request {
        method,
        scheme: Scheme::Http,
        version: Version::Http11,
        target,
        headers: Headers::new(&headers),
        peer: Peer::Unknown,
    };
    let start = Instant::now();
    let Inspection::Decided(verdict) = guard.inspect(&request, None) else {
        unreachable!()
    };
    let document = verdict.document(None);
    assert!(start.elapsed() < BOUND);
    assert!(document.to_json().len() < 2_000);
    assert!(verdict.client_text().len() < 1_000);
    document.reason
}

const SMALL: &str = "version = 1\n[hosts]\nallow = [\"a.example\"]\n";
const ROUTED: &str = "version = 1\n[hosts]\nallow = [\"a.example\"]\n[[routes]]\npath = \"/*/*/*/x\"\nrequire = []\n[[routes]]\npath = \"/**\"\nrequire = []\n";

#[test]
fn every_byte_anywhere() {
    let guard = guard(ROUTED);
    let host: (&[u8], &[u8]) = (b"Host", b"a.example");
    for byte in 0..=u8::MAX {
        let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = [b'x', byte];
        let want = (!is_token).then_some(Reason::RequestMalformed);
        assert_eq!(
            reason(&guard, b"GET", b"/", &[host, (&name, b"v")]),
            want,
            "name {byte:#x}"
        );

        let want = matches!(byte, b'\r' | b'\n' | 0).then_some(Reason::RequestMalformed);
        assert_eq!(
            reason(&guard, b"GET", b"/", &[host, (b"x", &[byte])]),
            want,
            "value {byte:#x}"
        );

        let found = reason(&guard, b"GET", &[b'/', byte], &[host]);
        let want = match byte {
            0..=0x20 | 0x7f | b'#' => Some(Reason::RequestMalformed),
            b'%' | b'\\' | b'.' => Some(Reason::RouteNotAllowed),
            _ => None,
        };
        assert_eq!(found, want, "target {byte:#x}");

        let found = reason(&guard, b"GET", b"/", &[(b"Host", &[b'a', byte, b'.', b'e'])]);
        let want = match byte {
            b'\r' | b'\n' | 0 => Reason::RequestMalformed,
            b',' => Reason::HostDuplicate,
            _ if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) => Reason::HostNotAllowed,
            _ => Reason::HostMalformed,
        };
        assert_eq!(found, Some(want), "host {byte:#x}");

        let is_method_byte = byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let want = (!is_method_byte).then_some(Reason::RequestMalformed);
        assert_eq!(reason(&guard, &[b'G', byte], b"/", &[host]), want, "method {byte:#x}");
    }
}

#[test]
fn huge_heads_are_denied() {
    let guard = guard(ROUTED);
    let host: (&[u8], &[u8]) = (b"Host", b"a.example");
    let megabyte = vec![b'a'; 1 << 20];
    assert_eq!(
        reason(&guard, b"GET", b"/", &[(b"Host", &megabyte)]),
        Some(Reason::RequestMalformed)
    );
    assert_eq!(
        reason(&guard, b"GET", b"/", &[host, (&megabyte, b"")]),
        Some(Reason::RequestMalformed)
    );
    assert_eq!(reason(&guard, &megabyte, b"/", &[host]), Some(Reason::RequestMalformed));
    assert_eq!(
        reason(&guard, b"GET", &[b"/", &megabyte[..]].concat(), &[host]),
        Some(Reason::RequestMalformed)
    );
    assert_eq!(
        reason(&guard, b"GET", b"/", &vec![host; 100_000]),
        Some(Reason::RequestMalformed)
    );
    // As long as is allowed.
    let quarter = vec![b'.'; 250_000];
    assert_eq!(
        reason(&guard, b"GET", b"/", &[(b"Host", &quarter)]),
        Some(Reason::HostMalformed)
    );
    assert_eq!(
        reason(&guard, b"GET", b"/", &[(b"Host", &vec![b','; 250_000])]),
        Some(Reason::HostDuplicate)
    );
    assert_eq!(
        reason(&guard, b"GET", b"/", &[host, (b"Origin", &quarter)]),
        Some(Reason::OriginMalformed)
    );
    let names: Vec<_> = (0..900)
        .map(|index| format!("sec-fetch-{index}").into_bytes())
        .collect();
    let fields: Vec<(&[u8], &[u8])> = std::iter::once(host)
        .chain(names.iter().map(|name| (&name[..], &b"x"[..])))
        .collect();
    assert_eq!(reason(&guard, b"GET", b"/", &fields), Some(Reason::RequestMalformed));
    for path in [
        "/a".repeat(8_000),
        "/".repeat(16_000),
        "/%25".repeat(4_000),
        "%2525".repeat(3_000),
        "/;".repeat(8_000),
    ] {
        let target = format!("/{path}");
        let _ = reason(&guard, b"GET", target.as_bytes(), &[host]);
    }
}

#[test]
fn ten_thousand_patterns_and_routes() {
    let start = Instant::now();
    let names: Vec<_> = (0..10_000).map(|index| format!("\"n{index}.example\"")).collect();
    let routes: String = (0..10_000)
        .map(|index| format!("[[routes]]\npath = \"/r{index}/*/**\"\nrequire = []\n"))
        .collect();
    let peers: Vec<_> = (0..10_000)
        .map(|index| format!("\"10.{}.{}.0/24\"", index / 256, index % 256))
        .collect();
    let policy = format!(
        "version = 1\n[hosts]\nallow = [{}]\n[peers]\nallow = [{}]\n{routes}",
        names.join(","),
        peers.join(",")
    );
    let document = PolicyDocument::from_toml(&policy, "large.toml").unwrap();
    let policy = document.compile().unwrap();
    let _ = document.lint(Surroundings {
        is_public_suffix: &|_| false,
        has_several_processes: true,
    });
    assert_eq!(
        Policy::from_json(&document.to_compiled_json(), "large.json")
            .unwrap()
            .digest(),
        policy.digest()
    );
    assert!(start.elapsed() < BOUND * 3, "{:?}", start.elapsed());
    let guard = Guard::new(policy);
    assert_eq!(
        reason(&guard, b"GET", b"/", &[(b"Host", b"n10000.example")]),
        Some(Reason::HostNotAllowed)
    );
    assert_eq!(
        reason(&guard, b"GET", b"/", &[(b"Host", b"N9999.example.")]),
        Some(Reason::PeerNotAllowed)
    );
}

#[test]
fn many_mistakes_are_found_in_time() {
    let start = Instant::now();
    let same: Vec<_> = (0..10_000).map(|_| "\"a.example\"").collect();
    for policy in [
        format!("version = 1\n[hosts]\nallow = [{}]\n", same.join(",")),
        format!(
            "version = 1\n[hosts]\nallow = [{}]\n",
            same.join(",").replace("a.example", "*")
        ),
        format!(
            "{SMALL}[peers]\nallow = [{}]\n",
            same.join(",").replace("a.example", "::1")
        ),
        format!(
            "{SMALL}[origins]\nallow = [{}]\n",
            same.join(",").replace("a.example", "https://a.example")
        ),
        format!("{SMALL}{}", "[[routes]]\npath = \"/**\"\nrequire = []\n".repeat(10_000)),
        format!("{SMALL}x = {}1{}\n", "[".repeat(50), "]".repeat(50)),
    ] {
        let document = PolicyDocument::from_toml(&policy, "bad.toml").unwrap();
        assert!(!document.compile().unwrap_err().errors().is_empty());
    }
    assert!(start.elapsed() < BOUND * 3, "{:?}", start.elapsed());
}
