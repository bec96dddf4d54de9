//! Address spaces: what a browser takes an address for before it lets a page send a request there.
//!
//! Decides nothing about egress: that is [`Reachability`](super::Reachability), and neither turns into the other.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use super::{Network, unmapped};
use AddressSpace::{Local, Loopback};

/// The space an address is in, less public first.
///
/// A request is a local network request if its target is in a less public space than its client. WICG Local Network Access
/// (`index.bs` at `cfe0313`; Chrome 142 and later), "IP address space".
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressSpace {
    /// This machine.
    Loopback,
    /// The network this machine is in.
    Local,
    /// Everything else. NAT64, 6to4, Teredo, multicast and the IPv4 test networks are here too, since browsers say so.
    Public,
}

impl AddressSpace {
    /// The blocks of Local Network Access, in the order in which they are tried: the first that has the address decides.
    ///
    /// Its last row, IPv4-mapped, is no block here: [`of`](Self::of) decodes those addresses first, as the specification does.
    /// Transcribed from `WICG/local-network-access:index.bs` at `cfe0313` on 2026-08-22.
    #[rustfmt::skip]
    pub const BLOCKS: &'static [SpaceRow] = &[
        row(Network::v4([127, 0, 0, 0], 8), "IPv4 loopback", "RFC 1122", Loopback),
        row(Network::v4([10, 0, 0, 0], 8), "private use", "RFC 1918", Local),
        row(Network::v4([100, 64, 0, 0], 10), "carrier-grade NAT", "RFC 6598", Local),
        row(Network::v4([172, 16, 0, 0], 12), "private use", "RFC 1918", Local),
        row(Network::v4([192, 168, 0, 0], 16), "private use", "RFC 1918", Local),
        row(Network::v4([198, 18, 0, 0], 15), "benchmarking", "RFC 2544", Loopback),
        row(Network::v4([169, 254, 0, 0], 16), "link-local", "RFC 3927", Local),
        row(Network::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "IPv6 loopback", "RFC 4291", Loopback),
        row(Network::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local", "RFC 4193", Local),
        row(Network::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local unicast", "RFC 4291", Local),
        row(Network::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local unicast", "RFC 3513", Local),
        row(Network::v4([0, 0, 0, 0], 32), "IPv4 null address", "RFC 1884", Loopback),
        row(Network::v4([0, 0, 0, 0], 8), "IPv4 null addresses", "RFC 1884", Local),
        row(Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "IPv6 unspecified", "RFC 1884", Loopback),
        row(Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation", "RFC 3849", Local),
        row(Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation", "RFC 9637", Local),
    ];

    /// The space of the address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = unmapped(address);
        let row = Self::BLOCKS.iter().find(|row| row.block.contains(address));
        row.map_or(Self::Public, |row| row.space)
    }

    /// `loopback`, `local` or `public`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Local => "local",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for AddressSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A block of [`AddressSpace::BLOCKS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SpaceRow {
    /// Its addresses.
    pub block: Network,
    /// What they are for.
    pub name: &'static str,
    /// The RFC that says so.
    pub rfc: &'static str,
    /// Where a browser puts them.
    pub space: AddressSpace,
}

const fn row(block: Network, name: &'static str, rfc: &'static str, space: AddressSpace) -> SpaceRow {
    SpaceRow {
        block,
        name,
        rfc,
        space,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_networks() {
        assert_eq!(AddressSpace::BLOCKS.len(), 16);
        for row in AddressSpace::BLOCKS {
            assert_eq!(Network::parse(&row.block.to_string()), Ok(row.block));
        }
    }

    #[test]
    fn an_earlier_row_wins() {
        for (address, want) in [
            ("0.0.0.0", Loopback),
            ("0.0.0.1", Local),
            ("198.18.0.1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:8.8.8.8", AddressSpace::Public),
            ("64:ff9b::7f00:1", AddressSpace::Public),
        ] {
            assert_eq!(AddressSpace::of(address.parse().unwrap()), want, "{address}");
        }
        assert!(Loopback < Local && Local < AddressSpace::Public);
    }
}
