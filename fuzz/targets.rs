//! What the fuzz targets run. `tests/fuzz_corpus.rs` replays the corpus over the same functions without a fuzzer.

use hostbound::{
    Authority, Claim, ClaimOutcome, Guard, Header, Headers, HostPattern, Inspection, KeySet, Memory, Origin, Peer,
    Policy, PolicyDocument, ReplayLedger, ReplayShard, Request, RequestDocument, Scheme, Secrets, ShardClaim,
    SignOptions, Standing, Surroundings, Timestamp, TokenAnswer, TokenStore, Version, pack,
};
#[cfg(feature = "egress")]
use hostbound::{Decision, EgressDocument, PageDocument, PageVerdictDocument};

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
            let mut memory = Memory::new(Timestamp(0));
            let explanation = guard.explain(&document, &mut memory);
            let verdict = guard.decide(&document, &mut memory);
            assert_eq!(explanation.verdict.to_json(), verdict.to_json());
        }
        let (line, headers) = head(data);
        let request = Request {
            scheme: Scheme::Http,
            headers: Headers::new(&headers),
            peer: Peer::from_address([127, 0, 0, 1].into()),
            ..line
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

/// When the seeds of [`signature`] were signed.
pub const SIGNED_AT: Timestamp = Timestamp(1_767_225_600);

/// A signed request before a policy with all four profiles: in JSON, and as a raw head, an empty line and a body; and the bytes as each of the structured
/// fields of a request that is otherwise in order. True if the raw request is allowed by its signature.
pub fn signature(data: &[u8]) -> bool {
    thread_local!(static GUARD: Guard = signed_guard());
    GUARD.with(|guard| {
        if let Ok(document) = RequestDocument::from_json(data) {
            let mut memory = Memory::new(Timestamp(0));
            let explanation = guard.explain(&document, &mut memory);
            let verdict = guard.decide(&document, &mut memory);
            assert_eq!(explanation.verdict.to_json(), verdict.to_json());
        }
        for field in ["signature-input", "signature", "content-digest"] {
            let headers = FIELDS.map(|(name, value)| Header {
                name: name.as_bytes(),
                value: if name == field { data } else { value.as_bytes() },
            });
            let (line, _) = head(b"POST /ms/");
            let headers = Headers::new(&headers);
            assert!(
                !judge_signed(guard, &Request { headers, ..line }, b"{}"),
                "nobody signed this"
            );
        }
        let end = data.windows(2).position(|pair| pair == b"\n\n");
        let (start, body) = data.split_at(end.unwrap_or(data.len()));
        let (line, headers) = head(start);
        let headers = Headers::new(&headers);
        judge_signed(guard, &Request { headers, ..line }, body.get(2..).unwrap_or_default())
    })
}

/// True if the request is allowed by its signature. Then no other body is.
fn judge_signed(guard: &Guard, request: &Request<'_>, body: &[u8]) -> bool {
    let judged = |request: &Request<'_>, now, body: &[u8]| {
        let verdict = guard.judge(request, now, body, &mut Memory::new(Timestamp(0)));
        let identity = verdict.identity();
        let is_signed = identity.is_some_and(|identity| identity.signature().is_some());
        (verdict.is_allowed() && is_signed, verdict.document(None).to_json())
    };
    let (is_signed, json) = judged(request, Some(SIGNED_AT), body);
    assert!(json.is_ascii() && !json.contains('\n'));
    let mut buffer = Vec::new();
    pack(request, Some(SIGNED_AT), &mut buffer).expect("short enough");
    let (again, now) = Request::unpack(&buffer).expect("packed");
    assert_eq!(judged(&again, now, body).1, json);
    if is_signed {
        assert!(!judged(request, now, &[body, b"x"].concat()).0, "the body is covered");
    }
    is_signed
}

fn signed_guard() -> Guard {
    let policy = Policy::from_toml(SIGNATURES, "fuzz").expect("a valid policy");
    let mut secrets = Secrets::new();
    for name in ["MS", "HN", "SS", "SW1", "SW2"] {
        secrets.insert_named(
            policy.secrets(),
            name,
            &format!("published-test-key-for-fuzzing-{name}"),
        );
    }
    Guard::with_secrets(policy, &secrets).expect("every secret is given")
}

/// The bytes as a value of a replay store in shared data, of a shard and of the ledger. True if the claim can be made in them.
pub fn replay_shard(data: &[u8]) -> bool {
    thread_local!(static CLAIM: (ReplayLedger, Claim) = {
        let guard = signed_guard();
        (ReplayLedger::new(&guard, "fuzz").expect("few keys"), claim(&guard))
    });
    CLAIM.with(|(ledger, claim)| {
        let purged = ReplayShard::purged(data, SIGNED_AT);
        if let Some(purged) = &purged {
            assert!(purged.len() < data.len());
            assert_eq!(ReplayShard::purged(purged, SIGNED_AT), None);
        }
        let made = ReplayShard::claim(data, claim, SIGNED_AT);
        if let ShardClaim::Write(written) = &made {
            assert!(written.len() <= data.len() + 28);
            let again = ReplayShard::claim(written, claim, SIGNED_AT);
            assert_eq!(again, ShardClaim::Known(ClaimOutcome::Present));
        } else {
            assert_ne!(made, ShardClaim::Known(ClaimOutcome::Made));
        }
        // Only what has ended is left out, so that it makes no difference.
        if let (Some(purged), ShardClaim::Known(outcome)) = (&purged, &made) {
            assert_eq!(
                ReplayShard::claim(purged, claim, SIGNED_AT),
                ShardClaim::Known(*outcome)
            );
        }
        let _ = ReplayLedger::former_shards(data);
        let value = ledger.loaded(Some(data), &[], SIGNED_AT);
        let value = value.as_deref().unwrap_or(data);
        assert!(matches!(ledger.standing(value, claim), Standing::Since(_)));
        assert_eq!(ledger.loaded(Some(value), &[], SIGNED_AT), None);
        assert_eq!(ledger.mended(Some(value), SIGNED_AT), None);
        matches!(made, ShardClaim::Write(_))
    })
}

/// Of a request that the guard signs itself.
fn claim(guard: &Guard) -> Claim {
    let (line, headers) = head(b"POST /hn/\nhost:a.example\ncontent-type:application/json");
    let request = Request {
        headers: Headers::new(&headers),
        ..line
    };
    let options = SignOptions {
        key_id: None,
        created: SIGNED_AT,
        nonce: Some("0123456789abcdef"),
    };
    let mut signing = guard.sign("hn", &request, &options).expect("a key for this host");
    signing.update(b"{}");
    let signed = signing.finish().expect("a request that can be signed");
    let added = signed.headers().iter().map(|(name, value)| Header {
        name: name.as_bytes(),
        value: value.as_bytes(),
    });
    let headers: Vec<_> = headers.iter().copied().chain(added).collect();
    let request = Request {
        headers: Headers::new(&headers),
        ..line
    };
    let Inspection::NeedsBody(mut needs) = guard.inspect(&request, Some(SIGNED_AT)) else {
        panic!("the head is right");
    };
    needs.update(b"{}");
    let Inspection::NeedsNonce(needs) = needs.finish() else {
        panic!("the signature is right");
    };
    needs.claim().clone()
}

/// When the seeds of [`token`] count.
const TOKEN_AT: Timestamp = Timestamp(1_767_225_600);

/// The bytes as a signed token, as an opaque one, as a key set and as what a server says of a token. True if the signed token is allowed.
pub fn token(data: &[u8]) -> bool {
    thread_local!(static GUARD: Guard = token_guard());
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(keys) = KeySet::from_json(text)
    {
        assert!(!keys.keys().is_empty());
        assert!(
            keys.keys()
                .iter()
                .all(|key| key.is_symmetric() == key.thumbprint().is_none())
        );
    }
    let bearer = [b"Bearer ", data].concat();
    let headers = [
        Header {
            name: b"Host",
            value: b"api.example.com",
        },
        Header {
            name: b"Authorization",
            value: &bearer,
        },
    ];
    let (signed, _) = head(b"GET /signed");
    let (opaque, _) = head(b"GET /opaque");
    let [signed, opaque] = [signed, opaque].map(|line| Request {
        headers: Headers::new(&headers),
        ..line
    });
    GUARD.with(|guard| {
        let told = |inspection: Inspection<'_>| match inspection {
            Inspection::Decided(verdict) => verdict.document(None).to_json(),
            _ => panic!("keys are held, and there is no body"),
        };
        let plain = told(guard.inspect(&signed, Some(TOKEN_AT)));
        // With a cache, empty and then not, and with the signature verified by the caller: the same.
        let mut store = TokenStore::new();
        assert_eq!(told(guard.inspect_in(&signed, Some(TOKEN_AT), &mut store)), plain);
        assert_eq!(told(guard.inspect_in(&signed, Some(TOKEN_AT), &mut store)), plain);
        let mut outside = TokenStore::new().verifying_outside();
        let inspection = match guard.inspect_in(&signed, Some(TOKEN_AT), &mut outside) {
            Inspection::NeedsVerification(needs) => {
                let is_right = needs.is_right();
                needs.resume(is_right, &mut outside)
            }
            other => other,
        };
        assert_eq!(told(inspection), plain);

        let answer = TokenAnswer {
            status: 200,
            content_type: Some("application/json"),
            body: data,
        };
        for bytes in [data, b"opaque"] {
            let bearer = [b"Bearer ", bytes].concat();
            let headers = [
                headers[0],
                Header {
                    name: b"Authorization",
                    value: &bearer,
                },
            ];
            let request = Request {
                headers: Headers::new(&headers),
                ..opaque
            };
            let mut store = TokenStore::new();
            if let Inspection::NeedsIntrospection(mut needs) = guard.inspect_in(&request, Some(TOKEN_AT), &mut store) {
                assert!(needs.question().body().is_some_and(|body| body.starts_with("token=")));
                let _ = needs.take(Some(answer));
                let _ = told(needs.resume(&mut store));
            }
        }
        plain.contains("\"decision\":\"allow\"")
    })
}

fn token_guard() -> Guard {
    let policy = Policy::from_toml(TOKENS, "fuzz").expect("a valid policy");
    let mut secrets = Secrets::new();
    secrets.insert_named(policy.secrets(), "ASKS", "published-test-secret");
    Guard::with_secrets(policy, &secrets).expect("every secret is given")
}

const TOKENS: &str = r#"
version = 1
[hosts]
allow = ["api.example.com"]
[tokens.signed]
issuer = "https://auth.example.com/"
audience = ["api.example.com"]
algorithms = ["EdDSA"]
keys = { jwks = { keys = [
    { kty = "OKP", crv = "Ed25519", kid = "ed1", x = "J1Dp_FhY3MjFc62t_yibxMzKh_xMObZUazyggpu1Mbs" },
    { kty = "OKP", crv = "Ed25519", kid = "ed2", x = "VnSQX5uqXrB8m5Rehub-5iQzho0_xDQlV2wgpauFvZo" },
] } }
[tokens.opaque]
issuer = "https://auth.example.com/"
audience = ["api.example.com"]
introspection = { url = "https://auth.example.com/introspect", client_id = "api", secret = { env = "ASKS" } }
[egress]
allow = ["https://auth.example.com"]
credentials = { "https://auth.example.com" = ["authorization"] }
[[routes]]
path = "/signed"
require = ["token:signed"]
[[routes]]
path = "/opaque"
require = ["token:opaque"]
"#;

/// An outbound URL, with its request in JSON or alone: what is allowed goes where WHATWG reads it to, and says so.
#[cfg(feature = "egress")]
pub fn egress_url(data: &[u8]) {
    thread_local!(static GUARD: Guard = Guard::new(Policy::from_toml(EGRESS, "fuzz").expect("a valid policy")));
    let document = EgressDocument::from_json(data).ok().or_else(|| {
        Some(EgressDocument {
            url: std::str::from_utf8(data).ok()?.to_owned(),
            ..EgressDocument::default()
        })
    });
    let Some(document) = document else { return };
    GUARD.with(|guard| {
        let verdict = guard.judge_egress(&document);
        let json = verdict.to_json();
        assert!(!json.contains('\n'));
        assert_eq!(verdict.decision == Decision::Allow, verdict.identity.is_some());
        let Some(identity) = verdict.identity else { return };
        let mut url = url::Url::parse(&document.url).expect("what is allowed is a URL");
        url.set_fragment(None);
        // WHATWG keeps the dot of the root; it names the same host.
        if let Some(name) = url
            .host_str()
            .and_then(|host| host.strip_suffix('.'))
            .map(str::to_owned)
        {
            url.set_host(Some(&name)).expect("a host without its dot is one");
        }
        assert_eq!(identity.url, url.as_str());
        assert_eq!(Some(identity.port), url.port_or_known_default());
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        assert_eq!(identity.host, host);
        // It is one of the policy's, and stays allowed as it is written out.
        assert!(
            ["a.example", "127.0.0.1", "::1"].contains(&host) || host.ends_with(".b.example"),
            "{host}"
        );
        let again = EgressDocument {
            url: identity.url.clone(),
            ..document.clone()
        };
        let again = guard.judge_egress(&again).identity.expect("allowed again");
        assert_eq!(again.url, identity.url);
    });
}

/// What a page asks for, with the page in JSON or by itself: what is allowed goes, as WHATWG reads it too, to the page's own origin or to a listed one.
#[cfg(feature = "egress")]
pub fn page(data: &[u8]) {
    thread_local!(static GUARD: Guard = Guard::new(Policy::from_toml(EGRESS, "fuzz").expect("a valid policy")));
    let document = PageDocument::from_json(data).ok().or_else(|| {
        Some(PageDocument {
            origin: "http://localhost".into(),
            url: Some(std::str::from_utf8(data).ok()?.to_owned()),
            ..PageDocument::default()
        })
    });
    let Some(document) = document else { return };
    let verdict = GUARD.with(|guard| guard.judge_page(&document));
    assert!(!verdict.to_json().contains('\n'));
    let PageVerdictDocument::Request(verdict) = verdict else {
        return;
    };
    let Some(identity) = verdict.identity else { return };
    assert_eq!(verdict.decision, Decision::Allow);
    let url = url::Url::parse(&identity.url).expect("what is allowed is a URL");
    assert_eq!(Some(identity.port), url.port_or_known_default());
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    assert_eq!(identity.host, host);
    assert!(
        ["localhost", "a.example", "127.0.0.1", "::1"].contains(&host) || host.ends_with(".b.example"),
        "{host}"
    );
}

/// `method SP target [SP version] *( LF name ":" value )`: over https, from nobody.
fn head(data: &[u8]) -> (Request<'_>, Vec<Header<'_>>) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let line = Request {
        method: words.next().unwrap_or_default(),
        scheme: Scheme::Https,
        target: words.next().unwrap_or_default(),
        version: match words.next() {
            Some(b"2") => Version::Http2,
            Some(b"1.0") => Version::Http10,
            _ => Version::Http11,
        },
        headers: Headers::new(&[]),
        peer: Peer::Unknown,
    };
    let headers = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        Some(Header {
            name: &line[..at],
            value: &line[at + 1..],
        })
    });
    (line, headers.collect())
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

/// A request that is in order but for its signature, which nobody made.
const FIELDS: [(&str, &str); 4] = [
    ("host", "a.example"),
    (
        "signature-input",
        "sig=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\");created=1767225600;expires=1767225660;nonce=\"0123456789abcdef\";keyid=\"m\";alg=\"hmac-sha256\";tag=\"t\"",
    ),
    ("signature", "sig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
    (
        "content-digest",
        "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:",
    ),
];

const SIGNATURES: &str = r#"
version = 1
[hosts]
allow = ["a.example", "b.example"]
[signatures.ms]
profile = "http-message-signatures"
tag = "t"
keys = [{ id = "m", secret = { name = "MS" } }]
[signatures.hn]
profile = "host-nonce"
headers = { key_id = "x-key-id" }
content_types = ["application/json"]
keys = [{ id = "h", secret = { name = "HN" }, hosts = ["a.example"] }]
[signatures.ss]
profile = "service-scoped"
nonce = "mac"
keys = [{ id = "s", secret = { name = "SS" }, hosts = ["a.example"], service_id = "billing" }]
[signatures.sw]
profile = "standard-webhooks"
keys = [
    { id = "w1", secret = { name = "SW1" }, hosts = ["a.example"] },
    { id = "w2", secret = { name = "SW2" }, hosts = ["a.example"] },
]
[[routes]]
path = "/ms/**"
require = ["signature:ms"]
[[routes]]
path = "/hn/**"
require = ["signature:hn"]
[[routes]]
path = "/ss/**"
require = ["signature:ss"]
[[routes]]
path = "/sw/**"
require = ["signature:sw"]
[[routes]]
path = "/open"
require = []
"#;

#[cfg(feature = "egress")]
const EGRESS: &str = r#"
version = 1
[hosts]
allow = ["localhost"]
[egress]
allow = ["https://a.example", "http://a.example:8080", "https://*.b.example", "http://127.0.0.1", "http://[::1]:8080"]
redirects = "allowed"
[egress.credentials]
"https://a.example" = ["authorization"]
"#;
