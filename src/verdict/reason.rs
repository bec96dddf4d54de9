//! The checks and the reasons: the public codes.

use std::fmt;

use serde::{Serialize, Serializer};

/// A stage of the judgement. The order of the variants is the order in which they run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Is it a request by the grammar at all?
    Request,
    /// Is it meant for a host that this service answers as?
    Host,
    /// Does it come from an address that may connect?
    Peer,
    /// Was it started by a page that may start it?
    Origin,
    /// Is there a route for it?
    Route,
    /// Is it signed, for this host and this moment, by a key of the policy?
    Signature,
    /// Does it carry a token that is signed as the policy wants?
    Token,
    /// Does the token claim what the policy wants, for this service and this moment?
    Claims,
    /// Is it used for the first time?
    Nonce,
}

impl Check {
    /// True if a route asks for it: of the credentials that a request carries.
    pub(crate) const fn is_of_route(self) -> bool {
        matches!(self, Self::Signature | Self::Token | Self::Claims | Self::Nonce)
    }

    /// Every check, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Request,
        Self::Host,
        Self::Peer,
        Self::Origin,
        Self::Route,
        Self::Signature,
        Self::Token,
        Self::Claims,
        Self::Nonce,
    ];

    /// The stable name, as in a verdict's `check`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Host => "host",
            Self::Peer => "peer",
            Self::Origin => "origin",
            Self::Route => "route",
            Self::Signature => "signature",
            Self::Token => "token",
            Self::Claims => "claims",
            Self::Nonce => "nonce",
        }
    }
}

/// Why a request was denied. Names and codes are public API: added when needed, never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Not a request by RFC 9110 and RFC 9112, or beyond the limits.
    RequestMalformed,
    /// A header that may occur once occurs twice, or under a second spelling.
    HeaderDuplicate,
    /// More body than a signature may cover.
    BodyTooLarge,
    /// No Host (RFC 9112 §3.2), and no `:authority` (RFC 9113 §8.3.1).
    HostMissing,
    /// Not host [":" port] (RFC 9110 §7.2).
    HostMalformed,
    /// More than one Host, or a list in it (RFC 9112 §3.2).
    HostDuplicate,
    /// Host, `:authority` and the target's authority disagree.
    AuthorityMismatch,
    /// A well-formed host that the policy does not list.
    HostNotAllowed,
    /// The transport peer is not listed, or not known.
    PeerNotAllowed,
    /// Not a serialized origin (RFC 6454 §7).
    OriginMalformed,
    /// The Origin is not listed; or there is none and the policy wants one.
    OriginNotAllowed,
    /// Sec-Fetch-Site names a relation that the policy does not list.
    FetchSiteNotAllowed,
    /// No route matches, or the path's normal forms disagree on which one does.
    RouteNotAllowed,
    /// No signature of the route's section.
    SignatureMissing,
    /// A signature, or a header of its, that is not by the profile's grammar; or a target or body that the profile cannot sign.
    SignatureMalformed,
    /// A component that must be signed is not (RFC 9421 §2).
    SignatureComponentMissing,
    /// Not `hmac-sha256`.
    SignatureAlgorithmNotAllowed,
    /// No key of that id signs for this host.
    SignatureKeyUnknown,
    /// The service id is another host's.
    SignatureServiceMismatch,
    /// The MAC is not that of the request.
    SignatureMismatch,
    /// Older than `max_age`, or past its `expires`.
    SignatureExpired,
    /// From the future, beyond `clock_tolerance`.
    SignatureNotYetValid,
    /// It would live longer than `max_age`.
    SignatureWindowTooLong,
    /// A body that no signed digest covers (RFC 9530).
    ContentDigestMissing,
    /// The body is not the one that was digested.
    ContentDigestMismatch,
    /// No token in the configured place.
    TokenMissing,
    /// Not a compact JWS of JSON objects, or two credentials.
    TokenMalformed,
    /// A `typ` that the policy does not list.
    TokenTypeNotAllowed,
    /// An `alg` that the policy does not list, or that is not the key's.
    TokenAlgorithmNotAllowed,
    /// A header member such as `crit` or `jwk`.
    TokenHeaderNotUnderstood,
    /// No key of the policy for the token.
    TokenKeyUnknown,
    /// The signature is not the key's.
    TokenSignatureMismatch,
    /// A token that is bound to its holder (`cnf`), which nothing checks.
    TokenBindingMissing,
    /// The keys for tokens, or the server that knows tokens, cannot be had.
    TokenKeysUnavailable,
    /// A claim that must be there is not.
    ClaimMissing,
    /// A claim of another type.
    ClaimMalformed,
    /// A claim with a value that the policy does not list.
    ClaimMismatch,
    /// Another issuer.
    IssuerMismatch,
    /// For another audience.
    AudienceMismatch,
    /// Past its `exp`.
    TokenExpired,
    /// Before its `nbf`, or issued in the future.
    TokenNotYetValid,
    /// It lives longer than the policy allows.
    TokenLifetimeTooLong,
    /// Issued longer ago than the policy allows.
    TokenTooOld,
    /// Not active, by the server that knows tokens (RFC 7662 §2.2).
    TokenInactive,
    /// Without a scope that the route needs.
    ScopeInsufficient,
    /// No nonce, and no webhook id.
    NonceMissing,
    /// A nonce or webhook id that is not by the profile's grammar.
    NonceMalformed,
    /// The nonce was used before.
    NonceReplayed,
    /// Whether the nonce was used cannot be told: the store is down, full or younger than the signature.
    ReplayStoreUnavailable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 49] = [
        Self::RequestMalformed,
        Self::HeaderDuplicate,
        Self::BodyTooLarge,
        Self::HostMissing,
        Self::HostMalformed,
        Self::HostDuplicate,
        Self::AuthorityMismatch,
        Self::HostNotAllowed,
        Self::PeerNotAllowed,
        Self::OriginMalformed,
        Self::OriginNotAllowed,
        Self::FetchSiteNotAllowed,
        Self::RouteNotAllowed,
        Self::SignatureMissing,
        Self::SignatureMalformed,
        Self::SignatureComponentMissing,
        Self::SignatureAlgorithmNotAllowed,
        Self::SignatureKeyUnknown,
        Self::SignatureServiceMismatch,
        Self::SignatureMismatch,
        Self::SignatureExpired,
        Self::SignatureNotYetValid,
        Self::SignatureWindowTooLong,
        Self::ContentDigestMissing,
        Self::ContentDigestMismatch,
        Self::TokenMissing,
        Self::TokenMalformed,
        Self::TokenTypeNotAllowed,
        Self::TokenAlgorithmNotAllowed,
        Self::TokenHeaderNotUnderstood,
        Self::TokenKeyUnknown,
        Self::TokenSignatureMismatch,
        Self::TokenBindingMissing,
        Self::TokenKeysUnavailable,
        Self::ClaimMissing,
        Self::ClaimMalformed,
        Self::ClaimMismatch,
        Self::IssuerMismatch,
        Self::AudienceMismatch,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::TokenLifetimeTooLong,
        Self::TokenTooOld,
        Self::TokenInactive,
        Self::ScopeInsufficient,
        Self::NonceMissing,
        Self::NonceMalformed,
        Self::NonceReplayed,
        Self::ReplayStoreUnavailable,
    ];

    /// The stable name, as in a verdict's `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestMalformed => "request_malformed",
            Self::HeaderDuplicate => "header_duplicate",
            Self::BodyTooLarge => "body_too_large",
            Self::HostMissing => "host_missing",
            Self::HostMalformed => "host_malformed",
            Self::HostDuplicate => "host_duplicate",
            Self::AuthorityMismatch => "authority_mismatch",
            Self::HostNotAllowed => "host_not_allowed",
            Self::PeerNotAllowed => "peer_not_allowed",
            Self::OriginMalformed => "origin_malformed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::FetchSiteNotAllowed => "fetch_site_not_allowed",
            Self::RouteNotAllowed => "route_not_allowed",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureComponentMissing => "signature_component_missing",
            Self::SignatureAlgorithmNotAllowed => "signature_algorithm_not_allowed",
            Self::SignatureKeyUnknown => "signature_key_unknown",
            Self::SignatureServiceMismatch => "signature_service_mismatch",
            Self::SignatureMismatch => "signature_mismatch",
            Self::SignatureExpired => "signature_expired",
            Self::SignatureNotYetValid => "signature_not_yet_valid",
            Self::SignatureWindowTooLong => "signature_window_too_long",
            Self::ContentDigestMissing => "content_digest_missing",
            Self::ContentDigestMismatch => "content_digest_mismatch",
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::TokenTypeNotAllowed => "token_type_not_allowed",
            Self::TokenAlgorithmNotAllowed => "token_algorithm_not_allowed",
            Self::TokenHeaderNotUnderstood => "token_header_not_understood",
            Self::TokenKeyUnknown => "token_key_unknown",
            Self::TokenSignatureMismatch => "token_signature_mismatch",
            Self::TokenBindingMissing => "token_binding_missing",
            Self::TokenKeysUnavailable => "token_keys_unavailable",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimMalformed => "claim_malformed",
            Self::ClaimMismatch => "claim_mismatch",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::TokenLifetimeTooLong => "token_lifetime_too_long",
            Self::TokenTooOld => "token_too_old",
            Self::TokenInactive => "token_inactive",
            Self::ScopeInsufficient => "scope_insufficient",
            Self::NonceMissing => "nonce_missing",
            Self::NonceMalformed => "nonce_malformed",
            Self::NonceReplayed => "nonce_replayed",
            Self::ReplayStoreUnavailable => "replay_store_unavailable",
        }
    }

    /// The stable number, 1…255, in the integer form of a verdict ([`Verdict::code`]).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::RequestMalformed => 1,
            Self::HeaderDuplicate => 2,
            Self::BodyTooLarge => 3,
            Self::HostMissing => 10,
            Self::HostMalformed => 11,
            Self::HostDuplicate => 12,
            Self::AuthorityMismatch => 13,
            Self::HostNotAllowed => 14,
            Self::PeerNotAllowed => 20,
            Self::OriginMalformed => 30,
            Self::OriginNotAllowed => 31,
            Self::FetchSiteNotAllowed => 32,
            Self::RouteNotAllowed => 40,
            Self::SignatureMissing => 50,
            Self::SignatureMalformed => 51,
            Self::SignatureComponentMissing => 52,
            Self::SignatureAlgorithmNotAllowed => 53,
            Self::SignatureKeyUnknown => 54,
            Self::SignatureServiceMismatch => 55,
            Self::SignatureMismatch => 56,
            Self::SignatureExpired => 57,
            Self::SignatureNotYetValid => 58,
            Self::SignatureWindowTooLong => 59,
            Self::ContentDigestMissing => 60,
            Self::ContentDigestMismatch => 61,
            Self::TokenMissing => 80,
            Self::TokenMalformed => 81,
            Self::TokenTypeNotAllowed => 82,
            Self::TokenAlgorithmNotAllowed => 83,
            Self::TokenHeaderNotUnderstood => 84,
            Self::TokenKeyUnknown => 85,
            Self::TokenSignatureMismatch => 86,
            Self::TokenBindingMissing => 87,
            Self::TokenKeysUnavailable => 88,
            Self::ClaimMissing => 100,
            Self::ClaimMalformed => 101,
            Self::ClaimMismatch => 102,
            Self::IssuerMismatch => 103,
            Self::AudienceMismatch => 104,
            Self::TokenExpired => 105,
            Self::TokenNotYetValid => 106,
            Self::TokenLifetimeTooLong => 107,
            Self::TokenTooOld => 108,
            Self::TokenInactive => 110,
            Self::ScopeInsufficient => 109,
            Self::NonceMissing => 70,
            Self::NonceMalformed => 71,
            Self::NonceReplayed => 72,
            Self::ReplayStoreUnavailable => 73,
        }
    }

    /// The check that gives this reason.
    #[must_use]
    pub const fn check(self) -> Check {
        match self {
            Self::RequestMalformed | Self::HeaderDuplicate | Self::BodyTooLarge => Check::Request,
            Self::HostMissing
            | Self::HostMalformed
            | Self::HostDuplicate
            | Self::AuthorityMismatch
            | Self::HostNotAllowed => Check::Host,
            Self::PeerNotAllowed => Check::Peer,
            Self::OriginMalformed | Self::OriginNotAllowed | Self::FetchSiteNotAllowed => Check::Origin,
            Self::RouteNotAllowed => Check::Route,
            Self::SignatureMissing
            | Self::SignatureMalformed
            | Self::SignatureComponentMissing
            | Self::SignatureAlgorithmNotAllowed
            | Self::SignatureKeyUnknown
            | Self::SignatureServiceMismatch
            | Self::SignatureMismatch
            | Self::SignatureExpired
            | Self::SignatureNotYetValid
            | Self::SignatureWindowTooLong
            | Self::ContentDigestMissing
            | Self::ContentDigestMismatch => Check::Signature,
            Self::TokenMissing
            | Self::TokenMalformed
            | Self::TokenTypeNotAllowed
            | Self::TokenAlgorithmNotAllowed
            | Self::TokenHeaderNotUnderstood
            | Self::TokenKeyUnknown
            | Self::TokenSignatureMismatch
            | Self::TokenBindingMissing
            | Self::TokenKeysUnavailable => Check::Token,
            Self::ClaimMissing
            | Self::ClaimMalformed
            | Self::ClaimMismatch
            | Self::IssuerMismatch
            | Self::AudienceMismatch
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::TokenLifetimeTooLong
            | Self::TokenTooOld
            | Self::TokenInactive
            | Self::ScopeInsufficient => Check::Claims,
            Self::NonceMissing | Self::NonceMalformed | Self::NonceReplayed | Self::ReplayStoreUnavailable => {
                Check::Nonce
            }
        }
    }

    /// What the client may know. Of a signature that is there it learns nothing but that it does not count.
    #[must_use]
    pub const fn public(self) -> &'static str {
        match (self, self.check()) {
            (Self::SignatureMissing | Self::TokenMissing | Self::ScopeInsufficient, _) => self.as_str(),
            (Self::ReplayStoreUnavailable | Self::TokenKeysUnavailable, _) => "unavailable",
            (_, Check::Signature | Check::Nonce) => "signature_invalid",
            (_, Check::Token | Check::Claims) => "token_invalid",
            _ => self.as_str(),
        }
    }

    /// The HTTP status: 400 for what is no request or has no usable host, 413 for too much body, 421 (RFC 9110 §15.5.20) for a host that is not served
    /// here, 401 where credentials are missing or wrong, 503 where they cannot be judged, 403 for the rest. `hosts.denied_status` may turn 421 into 403.
    #[must_use]
    pub const fn status(self) -> u16 {
        match (self, self.check()) {
            (Self::BodyTooLarge, _) => 413,
            (Self::HostNotAllowed, _) => 421,
            (Self::ReplayStoreUnavailable | Self::TokenKeysUnavailable, _) => 503,
            (_, Check::Request | Check::Host) => 400,
            (_, Check::Peer | Check::Origin | Check::Route) => 403,
            (Self::ScopeInsufficient, _) => 403,
            (_, Check::Signature | Check::Nonce | Check::Token | Check::Claims) => 401,
        }
    }

    /// True for what report mode denies all the same: check `request` and every 400 of `host`.
    #[must_use]
    pub const fn is_always_enforced(self) -> bool {
        matches!(self.status(), 400 | 413)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_grouped_by_check() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.check()));
    }
}
