//! Why an outbound request is refused: the public codes of check `egress`.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why an outbound request was refused. Names are public API: added when needed, never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EgressReason {
    /// No URL, or not in the one spelling in which every parser reads it alike (WHATWG URL).
    UrlMalformed,
    /// Neither http nor https, or not the scheme under which the host is listed.
    SchemeNotAllowed,
    /// A user name or password in the URL (RFC 3986 §3.2.1).
    UserinfoNotAllowed,
    /// The host is listed, but not with this port.
    PortNotAllowed,
    /// The host is not listed.
    DestinationNotAllowed,
    /// The name resolved to no address.
    AddressMissing,
    /// An address that the policy does not let requests go to.
    AddressNotAllowed,
    /// A redirect that the policy does not let requests follow.
    RedirectNotAllowed,
    /// A credential that is not bound to the destination.
    CredentialsNotAllowed,
    /// None of the public keys that the server presented is pinned (RFC 7469 §2.4).
    PinMismatch,
}

impl EgressReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::UrlMalformed,
        Self::SchemeNotAllowed,
        Self::UserinfoNotAllowed,
        Self::PortNotAllowed,
        Self::DestinationNotAllowed,
        Self::AddressMissing,
        Self::AddressNotAllowed,
        Self::RedirectNotAllowed,
        Self::CredentialsNotAllowed,
        Self::PinMismatch,
    ];

    /// The stable name, as in a verdict's `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlMalformed => "url_malformed",
            Self::SchemeNotAllowed => "scheme_not_allowed",
            Self::UserinfoNotAllowed => "userinfo_not_allowed",
            Self::PortNotAllowed => "port_not_allowed",
            Self::DestinationNotAllowed => "destination_not_allowed",
            Self::AddressMissing => "address_missing",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::RedirectNotAllowed => "redirect_not_allowed",
            Self::CredentialsNotAllowed => "credentials_not_allowed",
            Self::PinMismatch => "pin_mismatch",
        }
    }

    /// True for what report mode refuses all the same: what is no one destination at all.
    #[must_use]
    pub const fn is_always_enforced(self) -> bool {
        matches!(
            self,
            Self::UrlMalformed | Self::UserinfoNotAllowed | Self::AddressMissing
        )
    }
}

impl fmt::Display for EgressReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EgressReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
