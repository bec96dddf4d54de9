//! What is wrong with a policy file, and where: errors that refuse it, lints that do not.

use std::fmt;
use std::ops::Range;

use crate::place::Position;

/// What kind of mistake a policy has. The names are public API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not TOML, or not JSON.
    Syntax,
    /// More than 16 MiB of text.
    TooLarge,
    /// One key twice.
    KeyDuplicate,
    /// A key that no policy has.
    KeyUnknown,
    /// A key that must be there is not.
    KeyMissing,
    /// A value of another type.
    TypeMismatch,
    /// A list without entries, which could not be told from "anything".
    ListEmpty,
    /// Not one of the values that the key can have.
    ValueUnknown,
    /// Not a host pattern.
    HostMalformed,
    /// A pattern that covers names nobody in particular owns.
    HostTooWide,
    /// Not an address, a network or `unix`.
    NetworkMalformed,
    /// Not an origin.
    OriginMalformed,
    /// Not a path pattern.
    PathMalformed,
    /// Not a method.
    MethodMalformed,
    /// An earlier entry already covers this one.
    EntryCovered,
    /// No request can ever match the entry, or meet the setting.
    EntryNeverMatches,
    /// Two entries of one name.
    NameDuplicate,
    /// A reference to a section that is not there.
    ReferenceUnknown,
    /// A case whose request or expectation is malformed.
    CaseMalformed,
    /// Two keys of which only one can be there.
    KeyConflict,
    /// More keys for one host than are tried.
    TooManyKeys,
    /// No value was given for a secret.
    SecretMissing,
    /// A secret whose value is not in its encoding, or ends in a line feed.
    SecretMalformed,
    /// A secret that is too short for a key.
    SecretShort,
    /// A secret that is too long for a key.
    SecretLong,
    /// One secret in two places.
    SecretDuplicate,
    /// A key set with a key that may not verify.
    KeySetRefused,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 27] = [
        Self::Syntax,
        Self::TooLarge,
        Self::KeyDuplicate,
        Self::KeyUnknown,
        Self::KeyMissing,
        Self::TypeMismatch,
        Self::ListEmpty,
        Self::ValueUnknown,
        Self::HostMalformed,
        Self::HostTooWide,
        Self::NetworkMalformed,
        Self::OriginMalformed,
        Self::PathMalformed,
        Self::MethodMalformed,
        Self::EntryCovered,
        Self::EntryNeverMatches,
        Self::NameDuplicate,
        Self::ReferenceUnknown,
        Self::CaseMalformed,
        Self::KeyConflict,
        Self::TooManyKeys,
        Self::SecretMissing,
        Self::SecretMalformed,
        Self::SecretShort,
        Self::SecretLong,
        Self::SecretDuplicate,
        Self::KeySetRefused,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLarge => "too-large",
            Self::KeyDuplicate => "key-duplicate",
            Self::KeyUnknown => "key-unknown",
            Self::KeyMissing => "key-missing",
            Self::TypeMismatch => "type-mismatch",
            Self::ListEmpty => "list-empty",
            Self::ValueUnknown => "value-unknown",
            Self::HostMalformed => "host-malformed",
            Self::HostTooWide => "host-too-wide",
            Self::NetworkMalformed => "network-malformed",
            Self::OriginMalformed => "origin-malformed",
            Self::PathMalformed => "path-malformed",
            Self::MethodMalformed => "method-malformed",
            Self::EntryCovered => "entry-covered",
            Self::EntryNeverMatches => "entry-never-matches",
            Self::NameDuplicate => "name-duplicate",
            Self::ReferenceUnknown => "reference-unknown",
            Self::CaseMalformed => "case-malformed",
            Self::KeyConflict => "key-conflict",
            Self::TooManyKeys => "too-many-keys",
            Self::SecretMissing => "secret-missing",
            Self::SecretMalformed => "secret-malformed",
            Self::SecretShort => "secret-short",
            Self::SecretLong => "secret-long",
            Self::SecretDuplicate => "secret-duplicate",
            Self::KeySetRefused => "key-set-refused",
        }
    }
}

/// One mistake in a policy. It refuses the whole file, and never meets a request.
#[derive(Clone, Debug)]
pub struct PolicyError {
    pub(crate) code: ErrorCode,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) fix: Option<String>,
    pub(crate) position: Option<Position>,
    pub(crate) span: Range<usize>,
}

impl PolicyError {
    /// What kind of mistake.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The entry, such as `hosts.allow[2]`; empty for the document.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong: lower case, no full stop, the offending text in backticks.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// Where; absent for a policy that came as an object.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The bytes of the text; empty if there is no text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl std::error::Error for PolicyError {}

/// Every mistake found in a policy, at least one, in the order of the text.
#[derive(Clone, Debug)]
pub struct PolicyErrors {
    pub(crate) file: String,
    pub(crate) errors: Vec<PolicyError>,
}

impl PolicyErrors {
    /// The name under which the policy was loaded.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The mistakes.
    #[must_use]
    pub fn errors(&self) -> &[PolicyError] {
        &self.errors
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some(position) = error.position {
                write!(f, ":{position}")?;
            }
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

/// A weak choice in a policy that is valid all the same.
#[derive(Clone, Debug)]
pub struct Lint {
    pub(crate) id: LintId,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) fix: Option<String>,
    pub(crate) position: Option<Position>,
    pub(crate) span: Range<usize>,
}

impl Lint {
    /// Which lint.
    #[must_use]
    pub const fn id(&self) -> LintId {
        self.id
    }

    /// The entry, such as `hosts.allow[2]`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is weak about it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do instead.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// Where; absent for a policy that came as an object.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The bytes of the text; empty if there is no text.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

macro_rules! lints {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The lints. Their names are public API.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum LintId { $($(#[doc = $doc])+ $variant,)+ }

        impl LintId {
            /// Every lint.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

lints! {
    /// `0.0.0.0` or `[::]`: browsers reach the machine itself under it.
    HostUnspecified = "host-unspecified",
    /// A wildcard over a domain whose names anyone can point anywhere.
    HostSharedDns = "host-shared-dns",
    /// A wildcard over a public suffix: its names belong to different owners.
    HostPublicSuffix = "host-public-suffix",
    /// A network of every address.
    NetworkWide = "network-wide",
    /// A forwarded host is believed: the proxy must overwrite the header.
    ForwardedPassthrough = "forwarded-passthrough",
    /// An exemption whose requests the origin check denies.
    ExemptDenied = "exempt-denied",
    /// The origin check is off.
    OriginCheckOff = "origin-check-off",
    /// `null` is listed: any sandboxed frame has that origin.
    OriginNull = "origin-null",
    /// `cross-site` is listed.
    OriginCrossSite = "origin-cross-site",
    /// A route that asks for nothing beyond the host, peer and origin checks.
    RoutePublic = "route-public",
    /// A method that a route leaves out falls through to a later route.
    MethodFallthrough = "method-fallthrough",
    /// A host that a route leaves out falls through to a later route.
    HostFallthrough = "host-fallthrough",
    /// Routes differ by method, and a header could change it behind the check.
    MethodOverride = "method-override",
    /// The policy reports and denies nothing but malformed requests.
    ModeReport = "mode-report",
    /// Denials are explained to clients on loopback.
    ExplainToClient = "explain-to-client",
    /// A destination without TLS: whoever answers for its name gets the request.
    EgressHttp = "egress-http",
    /// A cloud's metadata service is listed.
    EgressMetadata = "egress-metadata",
    /// Redirects lead to every listed destination.
    EgressRedirects = "egress-redirects",
    /// A profile that signs neither host nor nonce.
    SignatureLegacy = "signature-legacy",
    /// A signature that does not cover the host.
    SignatureHostUnbound = "signature-host-unbound",
    /// A signature that does not cover the query.
    SignatureQueryUnsigned = "signature-query-unsigned",
    /// A signature that does not cover the body.
    SignatureBodyUnbound = "signature-body-unbound",
    /// A signature without a nonce can be replayed while it is fresh.
    SignatureNonceAbsent = "signature-nonce-absent",
    /// A signature lives for more than five minutes.
    SignatureWindowWide = "signature-window-wide",
    /// Used nonces are kept by each process for itself.
    ReplayProcess = "replay-process",
    /// A secret that is shorter than the hash.
    SecretShort = "secret-short",
    /// Keys that are fetched, and trusted because of the destination's certificate or key alone.
    KeysTlsTrusted = "keys-tls-trusted",
    /// Keys that are fetched, and trusted whatever they are.
    KeysUnpinned = "keys-unpinned",
    /// Tokens that do not say of what type they are.
    TypeAbsent = "type-absent",
    /// An algorithm, or a key, with which signatures take long to verify in WebAssembly.
    SlowInWasm = "slow-in-wasm",
}

impl fmt::Display for LintId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
