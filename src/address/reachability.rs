//! Global reachability: whether an address is one of the public Internet.
//!
//! Decides by the registries and by what the address carries. What a policy lists besides is
//! [`AddressRules`](super::AddressRules)'.

use std::net::IpAddr;

use super::embedded::{Embedded, EmbeddedForm, Nat64Prefix, decoded, embedded};
use super::registry::{RegistryRow, service_at};

/// Whether an address is globally reachable, and what says so.
///
/// The IANA special-purpose registries (RFC 6890, RFC 8190), the multicast registries, the metadata services, and the IPv4 addresses
/// inside IPv6 ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reachability {
    /// Globally reachable, by that row or because no row has it.
    Global(Option<&'static RegistryRow>),
    /// Not, and why.
    NotGlobal(NotGlobal),
}

/// Why an address is not globally reachable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NotGlobal {
    /// The IPv4 address inside that decided, if it was not the address itself.
    pub embedded: Option<Embedded>,
    /// What was found.
    pub cause: NotGlobalCause,
}

/// What was found in the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotGlobalCause {
    /// A block that is not globally reachable.
    Block(&'static RegistryRow),
    /// A metadata service of this name.
    Metadata(&'static str),
}

impl Reachability {
    /// Judges an address.
    ///
    /// IPv4-mapped addresses and those under `64:ff9b::/96` are as reachable as the address inside; an ISATAP address if both are.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self::through(address, &[])
    }

    /// Judges an address in a network that translates to IPv4 under these prefixes.
    #[must_use]
    pub fn through(address: IpAddr, nat64: &[Nat64Prefix]) -> Self {
        let mut verdict = None;
        for inner in decoded(address, nat64) {
            match Self::carried(inner) {
                Self::Global(row) => verdict = Some(Self::Global(row)),
                denied @ Self::NotGlobal(_) => return denied,
            }
        }
        verdict.unwrap_or_else(|| Self::undecoded(address))
    }

    /// Judges an address that is not judged by what is inside.
    pub(super) fn undecoded(address: IpAddr) -> Self {
        let itself = Self::looked_up(address, None);
        if matches!(itself, Self::NotGlobal(_)) {
            return itself;
        }
        embedded(address, &[])
            .filter(|inner| inner.form == EmbeddedForm::Isatap)
            .map(Self::carried)
            .find(|inner| matches!(inner, Self::NotGlobal(_)))
            .unwrap_or(itself)
    }

    /// True if it is [`Global`](Self::Global).
    #[must_use]
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Global(_))
    }

    fn carried(inner: Embedded) -> Self {
        Self::looked_up(IpAddr::V4(inner.address), Some(inner))
    }

    fn looked_up(address: IpAddr, embedded: Option<Embedded>) -> Self {
        let cause = match (service_at(address), RegistryRow::of(address)) {
            (Some(service), _) => NotGlobalCause::Metadata(service),
            (None, Some(row)) if !row.global => NotGlobalCause::Block(row),
            (None, row) => return Self::Global(row),
        };
        Self::NotGlobal(NotGlobal { embedded, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deciding_row_is_named() {
        let why = |address: &str| match Reachability::of(address.parse().unwrap()) {
            Reachability::Global(row) => format!("global {:?}", row.map(|row| row.name)),
            Reachability::NotGlobal(why) => {
                let inner = why.embedded.map(|inner| inner.address.to_string()).unwrap_or_default();
                match why.cause {
                    NotGlobalCause::Block(row) => format!("{inner} {}", row.block),
                    NotGlobalCause::Metadata(service) => format!("{inner} {service}"),
                }
            }
        };
        for (address, want) in [
            ("8.8.8.8", "global None"),
            ("192.0.0.9", "global Some(\"Port Control Protocol anycast\")"),
            ("192.0.0.192", " Oracle Cloud metadata"),
            ("::ffff:10.0.0.1", "10.0.0.1 10.0.0.0/8"),
            ("::ffff:8.8.8.8", "global None"),
            ("64:ff9b::a83f:8110", "168.63.129.16 Azure WireServer"),
            ("2002:808:808::", " 2002::/16"),
            ("2a00::5efe:a00:1", "10.0.0.1 10.0.0.0/8"),
            ("2a00::200:5efe:808:808", "global None"),
            ("fd00::5efe:808:808", " fc00::/7"),
        ] {
            assert_eq!(why(address), want, "{address}");
        }
    }

    /// Where two prefixes overlap it is unknown which translator gets the packet, so both readings must be global.
    #[test]
    fn overlapping_prefixes_must_agree() {
        let nat64 = ["2a00::/32", "2a00::/96"].map(|text| Nat64Prefix::parse(text).unwrap());
        let judge = |address: &str| Reachability::through(address.parse().unwrap(), &nat64).is_global();
        assert!(judge("2a00:0:808:808::"), "only the /32 has it");
        assert!(!judge("2a00::808:808"), "0.0.0.0 by the /32");
    }
}
