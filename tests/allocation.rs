//! The allow path allocates nothing.

use hostbound::{Guard, Header, Headers, Inspection, Peer, Policy, Request, Scheme, Timestamp, Version, pack};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const POLICY: &str = r#"
version = 1
[hosts]
allow = ["api.example.com", "**.preview.example.com", "10.0.0.0/8", "[::1]:8443"]
trusted_proxies = ["10.0.0.0/8"]
forwarded = "forwarded"
[peers]
allow = ["10.0.0.0/8", "192.0.2.0/24"]
[[routes]]
path = "/orders/*"
methods = ["GET", "POST"]
require = []
[[routes]]
path = "/**"
require = []
"#;

/// Method, target, headers, and whether forms of the path must be made.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    bool,
);

/// One test, so that no other thread allocates meanwhile.
#[test]
fn the_allow_path_allocates_nothing() {
    let guard = Guard::new(Policy::from_toml(POLICY, "hostbound.toml").unwrap());
    let rows: [Row; 8] = [
        (
            "GET",
            "/orders/7?x=%20",
            &[
                ("Host", "API.example.com.:8443"),
                ("Origin", "http://api.example.com:8443"),
            ],
            false,
        ),
        (
            "POST",
            "/orders/7",
            &[("Host", "a.b.preview.example.com"), ("Sec-Fetch-Site", "same-origin")],
            false,
        ),
        ("GET", "/", &[("Host", "10.1.2.3"), ("User-Agent", "x")], false),
        (
            "GET",
            "http://api.example.com/orders/7",
            &[("Host", "api.example.com")],
            false,
        ),
        (
            "GET",
            "/a",
            &[
                ("Host", "api.example.com"),
                ("Forwarded", "for=\"[2001:db8::1]\";host=\"[::1]:8443\""),
            ],
            false,
        ),
        (
            "OPTIONS",
            "/a",
            &[
                ("Host", "api.example.com"),
                ("Origin", "http://api.example.com"),
                ("Access-Control-Request-Method", "PUT"),
            ],
            false,
        ),
        (
            "POST",
            "/orders/7",
            &[("Host", "api.example.com"), ("X-HTTP-Method-Override", "get")],
            false,
        ),
        // The forms of a path that is percent-encoded must be made before they can be compared.
        ("GET", "/a%20b", &[("Host", "api.example.com")], true),
    ];
    for (method, target, fields, may_allocate) in rows {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            })
            .collect();
        let request = Request {
            method: method.as_bytes(),
            scheme: Scheme::Http,
            version: Version::Http11,
            target: target.as_bytes(),
            headers: Headers::new(&fields),
            peer: Peer::from_address([10, 0, 0, 1].into()),
        };
        let mut buffer = Vec::new();
        pack(&request, Some(Timestamp(0)), &mut buffer).unwrap();
        let region = Region::new(ALLOCATOR);
        let Inspection::Decided(verdict) = guard.inspect(&request, None) else {
            unreachable!()
        };
        let is_allowed = verdict.is_allowed();
        let (unpacked, now) = Request::unpack(&buffer).unwrap();
        let Inspection::Decided(again) = guard.inspect(&unpacked, now) else {
            unreachable!()
        };
        let code = again.code();
        let change = region.change();
        assert!(
            is_allowed && code == 0,
            "{target}: {}",
            verdict.document(None).to_json()
        );
        assert_eq!(
            change.allocations + change.reallocations > 0,
            may_allocate,
            "{target}: {change:?}"
        );
    }
}
