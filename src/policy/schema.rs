//! The shape of a policy document: every key, what it holds, and what it means. One table, from which the loader and the JSON Schema (`json_schema`) both come.

/// What a value may be.
pub(crate) enum Shape {
    /// A string with a syntax of its own, which the compiler checks.
    Text {
        example: &'static str,
    },
    Boolean,
    /// A string, which may be empty.
    #[cfg(feature = "tokens")]
    Word {
        example: &'static str,
    },
    /// A table that is read elsewhere.
    #[cfg(feature = "tokens")]
    Object {
        example: &'static str,
    },
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// One of these integers.
    Number(&'static [i64]),
    /// An integer from the first to the last.
    Count(i64, i64),
    /// A list, which may be empty only where that means something.
    List {
        of: &'static Shape,
        may_be_empty: bool,
    },
    Table(&'static [Field]),
    /// A table whose keys are the document's own.
    Map {
        of: &'static Shape,
        example: &'static str,
    },
    /// One value, or a list of them.
    OneOrMany(&'static Shape),
    /// A request in JSON form; the compiler reads it.
    #[cfg(feature = "authoring")]
    Request,
    /// Some fields of a verdict; the compiler reads it.
    #[cfg(feature = "authoring")]
    Expectation,
}

/// One key of a table.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
    #[cfg(feature = "authoring")]
    pub(crate) default: Option<&'static str>,
    #[cfg(feature = "authoring")]
    pub(crate) doc: &'static str,
}

const fn required(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    field(key, shape, true, None, doc)
}

const fn optional(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    field(key, shape, false, None, doc)
}

const fn defaulting(key: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Field {
    field(key, shape, false, Some(default), doc)
}

#[cfg_attr(
    not(feature = "authoring"),
    expect(unused_variables, reason = "only the JSON Schema tells them")
)]
const fn field(
    key: &'static str,
    shape: Shape,
    is_required: bool,
    default: Option<&'static str>,
    doc: &'static str,
) -> Field {
    Field {
        key,
        shape,
        is_required,
        #[cfg(feature = "authoring")]
        default,
        #[cfg(feature = "authoring")]
        doc,
    }
}

const fn list(of: &'static Shape) -> Shape {
    Shape::List {
        of,
        may_be_empty: false,
    }
}

const HOST: Shape = Shape::Text {
    example: "api.example.com",
};
const PEER: Shape = Shape::Text { example: "127.0.0.0/8" };
const ORIGIN: Shape = Shape::Text {
    example: "https://app.example.com",
};
const METHOD: Shape = Shape::Text { example: "POST" };
const PATH: Shape = Shape::Text { example: "/api/**" };
const NAME: Shape = Shape::Text { example: "partner-api" };
const REQUIREMENT: Shape = Shape::Text {
    example: "signature:partner",
};

/// Keys that the document may have beside [`DOCUMENT`]: an editor's reference to the schema, and the source map of a compiled policy. They are no
/// part of the policy and not digested. So are `cases`, which only feature `authoring` reads.
pub(crate) const ANNOTATIONS: &[&str] = if cfg!(feature = "authoring") {
    &["$schema", "$source"]
} else {
    &["$schema", "$source", "cases"]
};

pub(crate) const DOCUMENT: &[Field] = &[
    required("version", Shape::Number(&[1]), "The version of this format."),
    optional("name", NAME, "What to call the policy in logs."),
    defaulting(
        "mode",
        Shape::Choice(&["enforce", "report"]),
        "enforce",
        "`report` allows what would be denied and says so in the verdict; malformed requests and hosts are denied all the same.",
    ),
    defaulting(
        "explain_to_client",
        Shape::Boolean,
        "false",
        "Adds the detail and the policy's file and line to a denial, for peers on loopback only.",
    ),
    required("hosts", Shape::Table(HOSTS), "The hosts that this service answers as."),
    optional(
        "peers",
        Shape::Table(PEERS),
        "Who may connect. Absent: the peer is not judged.",
    ),
    optional(
        "origins",
        Shape::Table(ORIGINS),
        "Which pages may start requests. Absent: the service's own.",
    ),
    optional(
        "routes",
        list(&Shape::Table(ROUTE)),
        "What each path asks for; the first match decides, and no match is denied. Absent: requests are judged up to their origin.",
    ),
    optional(
        "signatures",
        Shape::Map {
            of: &Shape::Table(SIGNATURE),
            example: "partner",
        },
        "How requests are signed, by name; routes ask for one with `require = [\"signature:NAME\"]`.",
    ),
    #[cfg(feature = "tokens")]
    optional(
        "tokens",
        Shape::Map {
            of: &Shape::Table(TOKEN),
            example: "service",
        },
        "Which bearer tokens are taken, by name; routes ask for one with `require = [\"token:NAME\"]`.",
    ),
    optional(
        "egress",
        Shape::Table(EGRESS),
        "Where requests may go out to. Absent: every outbound request is refused.",
    ),
    #[cfg(feature = "authoring")]
    optional(
        "cases",
        list(&Shape::Table(CASE)),
        "Requests with their expected verdicts, run by `hostbound test`.",
    ),
];

const HOSTS: &[Field] = &[
    required(
        "allow",
        list(&HOST),
        "Names, `*.name` (one more label), `**.name` (one or more), IP literals and CIDR blocks, each with an optional `:port`.",
    ),
    optional(
        "scheme",
        Shape::Choice(&["http", "https"]),
        "The effective scheme behind TLS termination. Absent: the connection's.",
    ),
    defaulting(
        "denied_status",
        Shape::Number(&[421, 403]),
        "421",
        "The status for a host that is not allowed. A proxy must not generate 421 (RFC 9110 §15.5.20).",
    ),
    optional(
        "trusted_proxies",
        list(&PEER),
        "The only peers whose forwarded host, and whose `proxy_hosts`, are believed.",
    ),
    optional(
        "forwarded",
        Shape::Choice(&crate::request::FORWARDED_HEADERS),
        "The header in which a trusted proxy says the host that it was asked for.",
    ),
    optional(
        "proxy_hosts",
        list(&HOST),
        "Internal names that a trusted proxy may send as Host beside a forwarded host.",
    ),
    optional(
        "exempt",
        list(&Shape::Table(EXEMPT)),
        "Health checks that come by address: GET or HEAD of one path, an IP literal as Host, no trace of a browser.",
    ),
];

const EXEMPT: &[Field] = &[
    required(
        "path",
        Shape::Text { example: "/healthz" },
        "The path, compared byte for byte.",
    ),
    required("from", list(&PEER), "The peers that may ask."),
];

const PEERS: &[Field] = &[required(
    "allow",
    list(&PEER),
    "Addresses, CIDR blocks, and `unix` for Unix domain sockets.",
)];

const ORIGINS: &[Field] = &[
    defaulting(
        "check",
        Shape::Choice(&["on", "off"]),
        "on",
        "`off` judges no origin at all.",
    ),
    defaulting(
        "allow",
        list(&ORIGIN),
        "[\"self\"]",
        "`self` (the host that was asked for), `null`, and serialized origins.",
    ),
    defaulting(
        "fetch_site",
        list(&Shape::Choice(&crate::origin::FETCH_SITES)),
        "[\"same-origin\", \"none\"]",
        "The values of Sec-Fetch-Site that pass when there is no Origin.",
    ),
    defaulting(
        "navigate",
        Shape::Boolean,
        "true",
        "Plain links from elsewhere pass: GET or HEAD, mode navigate, destination document.",
    ),
    defaulting(
        "absent",
        Shape::Choice(&["allow", "deny"]),
        "allow",
        "For requests with neither Origin nor Sec-Fetch-Site, as programs send them.",
    ),
];

const ROUTE: &[Field] = &[
    required(
        "path",
        PATH,
        "Segments; `*` matches one, `**` at the end any rest. Compared with the path of the raw target.",
    ),
    optional("name", NAME, "The route's name in verdicts. Absent: its path."),
    optional(
        "hosts",
        list(&HOST),
        "The hosts to which the route belongs. Absent: all.",
    ),
    optional("methods", list(&METHOD), "Methods; GET includes HEAD. Absent: all."),
    required(
        "require",
        Shape::List {
            of: &REQUIREMENT,
            may_be_empty: true,
        },
        "What the request must prove beyond host, peer and origin: `signature:NAME`, `token:NAME` or `token:A|token:B`; `[]` asks for nothing.",
    ),
    #[cfg(feature = "tokens")]
    optional(
        "scopes",
        list(&Shape::Text {
            example: "orders:write",
        }),
        "Scopes that the token must have, all of them (RFC 6749 §3.3).",
    ),
    optional(
        "mode",
        Shape::Choice(&["enforce", "report"]),
        "`report` allows what the route's own requirements would deny. Absent: as the document.",
    ),
];

const DURATION: Shape = Shape::Text { example: "120s" };
const SIGNATURE_HEADER: Shape = Shape::Text {
    example: "x-api-signature",
};

const SIGNATURE: &[Field] = &[
    required(
        "profile",
        Shape::Choice(&[
            "http-message-signatures",
            "host-nonce",
            "service-scoped",
            "standard-webhooks",
        ]),
        "What is signed and in which headers it stands.",
    ),
    defaulting(
        "algorithm",
        Shape::Choice(&["hmac-sha256"]),
        "hmac-sha256",
        "The algorithm.",
    ),
    defaulting(
        "components",
        list(&Shape::Text { example: "@method" }),
        "[\"@method\", \"@authority\", \"@path\", \"@query\", \"content-digest\"]",
        "http-message-signatures: the components that must be covered (RFC 9421 §2); content-digest where there is a body.",
    ),
    defaulting(
        "parameters",
        list(&Shape::Choice(&crate::signature::SignatureParameter::NAMES)),
        "[\"created\", \"expires\", \"nonce\", \"keyid\", \"alg\"]",
        "http-message-signatures: the parameters that must be there (RFC 9421 §2.3); created and keyid always.",
    ),
    optional(
        "tag",
        Shape::Text { example: "partner-api" },
        "http-message-signatures: the tag by which the signature is found; or `label`.",
    ),
    optional(
        "label",
        Shape::Text { example: "sig1" },
        "http-message-signatures: the label by which the signature is found; or `tag`.",
    ),
    defaulting("max_age", DURATION, "120s", "How old a signature may be: 1s to 24h."),
    defaulting(
        "clock_tolerance",
        Shape::Text { example: "5s" },
        "5s",
        "How far in the future it may be made: 0s to 10m.",
    ),
    defaulting(
        "max_body",
        Shape::Text { example: "1MiB" },
        "1MiB",
        "The most bytes of body: 1B to 16GiB. A face holds them until the verdict.",
    ),
    defaulting(
        "replay",
        Shape::Choice(&["process", "shared"]),
        "process",
        "Where used nonces are kept: in the process, or in a store that all processes share.",
    ),
    defaulting(
        "replay_capacity",
        Shape::Count(1, 10_000_000),
        "100000",
        "How many used nonces are kept. A full store refuses.",
    ),
    defaulting(
        "nonce",
        Shape::Choice(&["unsafe-methods", "mac", "none"]),
        "unsafe-methods",
        "service-scoped: for which methods the MAC may be used once: all but GET, HEAD and OPTIONS; all; none.",
    ),
    defaulting(
        "query",
        Shape::Choice(&["signed", "unsigned"]),
        "signed",
        "service-scoped: whether the query is signed.",
    ),
    optional(
        "content_types",
        list(&Shape::Text {
            example: "application/json",
        }),
        "Media types of bodies; a content encoding is then refused. Absent: any.",
    ),
    optional(
        "headers",
        Shape::Table(SIGNATURE_HEADERS),
        "Other names for the profile's headers.",
    ),
    required(
        "keys",
        list(&Shape::Table(SIGNATURE_KEY)),
        "The keys, the one to sign with first.",
    ),
];

const SIGNATURE_HEADERS: &[Field] = &[
    optional("signature", SIGNATURE_HEADER, "The signature."),
    optional("timestamp", Shape::Text { example: "x-timestamp" }, "The time."),
    optional("nonce", Shape::Text { example: "x-nonce" }, "host-nonce: the nonce."),
    optional(
        "service_id",
        Shape::Text {
            example: "x-service-id",
        },
        "service-scoped: the service id.",
    ),
    optional(
        "id",
        Shape::Text { example: "webhook-id" },
        "standard-webhooks: the webhook's id.",
    ),
    optional(
        "key_id",
        Shape::Text { example: "x-key-id" },
        "host-nonce, service-scoped: the key id. Absent: the keys of the host are tried.",
    ),
];

const SIGNATURE_KEY: &[Field] = &[
    required("id", Shape::Text { example: "2026-11" }, "The key id."),
    required(
        "secret",
        Shape::Table(SECRET),
        "Where the secret is: exactly one of `env`, `file` and `name`.",
    ),
    optional(
        "hosts",
        list(&HOST),
        "The hosts for which the key signs: exact names and literals. Absent: all.",
    ),
    optional(
        "service_id",
        Shape::Text { example: "billing" },
        "service-scoped: the service that the key is for.",
    ),
];

const SECRET: &[Field] = &[
    optional(
        "env",
        Shape::Text { example: "PARTNER_KEY" },
        "The environment variable.",
    ),
    optional(
        "file",
        Shape::Text { example: "partner.key" },
        "The path, from the policy's folder.",
    ),
    optional(
        "name",
        Shape::Text { example: "partner" },
        "The name by which the caller gives it.",
    ),
    defaulting(
        "encoding",
        Shape::Choice(&["utf8", "base64", "hex"]),
        "utf8",
        "How the value spells the key's bytes. `whsec_` is always base64.",
    ),
];

#[cfg(feature = "tokens")]
const TOKEN: &[Field] = &[
    required(
        "issuer",
        Shape::Text {
            example: "https://auth.example.com/",
        },
        "`iss`, byte for byte (RFC 9068 §4).",
    ),
    required(
        "audience",
        list(&Shape::Text {
            example: "https://api.example.com",
        }),
        "This service: one of them must be in `aud`.",
    ),
    optional(
        "algorithms",
        list(&Shape::Choice(&crate::token::JwsAlgorithm::NAMES)),
        "The algorithms: those of public keys, or those of HMAC, never both. Required with `keys`.",
    ),
    defaulting(
        "types",
        list(&Shape::Word { example: "at+jwt" }),
        "[\"at+jwt\", \"JWT\"]",
        "The values of `typ`, without case and without `application/`; the empty string admits a token without.",
    ),
    optional(
        "keys",
        Shape::Table(TOKEN_KEYS),
        "The key set (RFC 7517): exactly one of `file`, `jwks` and `url`. Or else `introspection`.",
    ),
    optional(
        "introspection",
        Shape::Table(TOKEN_INTROSPECTION),
        "A server that is asked what an opaque token is worth (RFC 7662), instead of `keys`.",
    ),
    defaulting(
        "cache",
        Shape::Boolean,
        "true",
        "Whether a token that was verified is not verified again for 5 minutes, of introspection 30 seconds; its times are judged each time.",
    ),
    optional(
        "required_claims",
        list(&Shape::Text { example: "client_id" }),
        "Claims that must be there, beside `iss`, `aud` and `exp`.",
    ),
    optional(
        "expect",
        Shape::Map {
            of: &list(&Shape::Text { example: "billing" }),
            example: "client_id",
        },
        "Claims that must have one of these values.",
    ),
    optional(
        "max_lifetime",
        Shape::Text { example: "1h" },
        "How long a token may live, from `iat` to `exp`: 1s to 8760h.",
    ),
    optional(
        "max_age",
        Shape::Text { example: "24h" },
        "How long ago it may have been issued: 1s to 8760h.",
    ),
    defaulting(
        "clock_tolerance",
        Shape::Text { example: "30s" },
        "30s",
        "How far clocks may differ, for `exp`, `nbf` and `iat`: 0s to 10m.",
    ),
    optional(
        "from",
        Shape::Table(TOKEN_PLACE),
        "Where the token is: `header` or `cookie`. Absent: `Authorization: Bearer` (RFC 6750 §2.1).",
    ),
];

#[cfg(feature = "tokens")]
const TOKEN_KEYS: &[Field] = &[
    optional(
        "file",
        Shape::Text { example: "jwks.json" },
        "The path, from the policy's folder.",
    ),
    optional(
        "jwks",
        Shape::Object {
            example: "{ keys = [] }",
        },
        "The key set itself; no secrets.",
    ),
    optional(
        "url",
        Shape::Text {
            example: "https://auth.example.com/.well-known/jwks.json",
        },
        "Where it is fetched: an https URL whose origin `egress` lists.",
    ),
    optional(
        "pins",
        Shape::OneOrMany(&Shape::Text {
            example: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        }),
        "The thumbprints (RFC 7638, SHA-256) of the keys that count; of a `url` also `\"none\"`. `hostbound keys thumbprint` prints them.",
    ),
];

#[cfg(feature = "tokens")]
const TOKEN_INTROSPECTION: &[Field] = &[
    required(
        "url",
        Shape::Text {
            example: "https://auth.example.com/introspect",
        },
        "The endpoint: an https URL whose origin `egress` lists, with `authorization` among its `credentials`.",
    ),
    required(
        "client_id",
        Shape::Text { example: "orders-api" },
        "Who asks (RFC 6749 §2.3.1).",
    ),
    required("secret", Shape::Table(SECRET), "The password that goes with it."),
];

#[cfg(feature = "tokens")]
const TOKEN_PLACE: &[Field] = &[
    optional(
        "header",
        Shape::Text {
            example: "authorization",
        },
        "The header; any other than `authorization` holds the token and nothing else.",
    ),
    optional("cookie", Shape::Text { example: "session" }, "The cookie."),
];

const DESTINATION: Shape = Shape::Text {
    example: "https://auth.example.com",
};
const ADDRESSES: Shape = Shape::Text { example: "global" };
const HEADER: Shape = Shape::Text {
    example: "authorization",
};
const PIN: Shape = Shape::Text {
    example: "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
};
const FILE: &[Field] = &[required(
    "file",
    Shape::Text {
        example: "internal-ca.pem",
    },
    "The path, from the policy's folder.",
)];

const EGRESS: &[Field] = &[
    optional(
        "allow",
        list(&DESTINATION),
        "Destinations: scheme, `://`, a host pattern, an optional port; without one the scheme's default port and no other.",
    ),
    defaulting(
        "addresses",
        Shape::OneOrMany(&ADDRESSES),
        "global",
        "What a destination's name may resolve to: `global` (globally reachable by the IANA registries) and CIDR blocks.",
    ),
    optional(
        "nat64",
        list(&Shape::Text {
            example: "2001:db8:64::/96",
        }),
        "Prefixes of this network's own NAT64 (RFC 6052).",
    ),
    defaulting(
        "redirects",
        Shape::Choice(&["none", "same-origin", "allowed"]),
        "same-origin",
        "Which redirects are followed. Never from https to http, never with a credential to another origin.",
    ),
    optional(
        "credentials",
        Shape::Map {
            of: &list(&HEADER),
            example: "https://auth.example.com",
        },
        "By origin, the headers that carry a credential to it. To other origins they are refused.",
    ),
    optional(
        "destinations",
        list(&Shape::Table(EGRESS_DESTINATION)),
        "Origins whose rules differ.",
    ),
];

const EGRESS_DESTINATION: &[Field] = &[
    required("origin", DESTINATION, "The one origin."),
    optional(
        "addresses",
        Shape::OneOrMany(&ADDRESSES),
        "What its name may resolve to. Absent: as for all.",
    ),
    optional(
        "pins",
        list(&PIN),
        "`sha256/` and base64 of the SPKI digests of which one must be presented (RFC 7469 §2.4).",
    ),
    optional(
        "ca",
        Shape::Table(FILE),
        "The certificate authorities, in PEM, instead of the system's.",
    ),
    optional(
        "client_certificate",
        Shape::Table(FILE),
        "The client's certificate and key, in one PEM file.",
    ),
    optional(
        "credentials",
        list(&HEADER),
        "The headers that carry a credential to it.",
    ),
];

#[cfg(feature = "authoring")]
const CASE: &[Field] = &[
    required(
        "name",
        Shape::Text {
            example: "a rebound name is refused",
        },
        "What the case shows.",
    ),
    required("request", Shape::Request, "The request in JSON form."),
    required(
        "expect",
        Shape::Expectation,
        "Fields of the verdict; only these are compared.",
    ),
];

/// The fields of a verdict that a case can expect.
#[cfg(feature = "authoring")]
pub(crate) const EXPECTATIONS: [&str; 9] = [
    "decision",
    "status",
    "check",
    "reason",
    "public_reason",
    "rule",
    "mode",
    "identity",
    "reported",
];
