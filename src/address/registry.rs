//! The registries as data: the special-purpose blocks of IANA, and the metadata services of clouds.
//!
//! Holds the tables and looks addresses up in them; what follows from a row is [`Reachability`](super::Reachability)'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::{Network, embedded};

/// A block of [`REGISTRY`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegistryRow {
    /// Its addresses.
    pub block: Network,
    /// What they are for.
    pub name: &'static str,
    /// The RFC that says so.
    pub rfc: &'static str,
    /// Whether they are globally reachable.
    #[serde(skip)]
    pub global: bool,
}

/// The special-purpose blocks; of those that have an address the one with the longest prefix decides.
///
/// Sources: the [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
/// [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry) Special-Purpose Address Registries of IANA as transcribed on
/// 2026-08-22, the multicast registries, and RFC 3879 for `fec0::/10`, which left the registry. `::/96` (RFC 4291 §2.5.5.1) and
/// `::ffff:0:0:0/96` (RFC 2765 §2.1) are in none; 192.88.99.0/24 (RFC 7526) and 6to4 have no reachability there, and are not
/// reachable here.
///
/// `::ffff:0:0/96` and `64:ff9b::/96` have no row: the IPv4 address inside is judged instead.
#[rustfmt::skip]
pub static REGISTRY: &[RegistryRow] = &[
    denied(Network::v4([0, 0, 0, 0], 8), "this network", "RFC 791"),
    denied(Network::v4([0, 0, 0, 0], 32), "this host on this network", "RFC 1122"),
    denied(Network::v4([10, 0, 0, 0], 8), "private use", "RFC 1918"),
    denied(Network::v4([100, 64, 0, 0], 10), "shared address space", "RFC 6598"),
    denied(Network::v4([127, 0, 0, 0], 8), "loopback", "RFC 1122"),
    denied(Network::v4([169, 254, 0, 0], 16), "link-local", "RFC 3927"),
    denied(Network::v4([172, 16, 0, 0], 12), "private use", "RFC 1918"),
    denied(Network::v4([192, 0, 0, 0], 24), "IETF protocol assignments", "RFC 6890"),
    denied(Network::v4([192, 0, 0, 0], 29), "IPv4 service continuity", "RFC 7335"),
    denied(Network::v4([192, 0, 0, 8], 32), "IPv4 dummy address", "RFC 7600"),
    global(Network::v4([192, 0, 0, 9], 32), "Port Control Protocol anycast", "RFC 7723"),
    global(Network::v4([192, 0, 0, 10], 32), "TURN anycast", "RFC 8155"),
    denied(Network::v4([192, 0, 0, 170], 32), "NAT64/DNS64 discovery", "RFC 8880"),
    denied(Network::v4([192, 0, 0, 171], 32), "NAT64/DNS64 discovery", "RFC 8880"),
    denied(Network::v4([192, 0, 2, 0], 24), "documentation, TEST-NET-1", "RFC 5737"),
    global(Network::v4([192, 31, 196, 0], 24), "AS112", "RFC 7535"),
    global(Network::v4([192, 52, 193, 0], 24), "AMT", "RFC 7450"),
    denied(Network::v4([192, 88, 99, 0], 24), "deprecated 6to4 relay anycast", "RFC 7526"),
    denied(Network::v4([192, 88, 99, 2], 32), "6a44 relay anycast", "RFC 6751"),
    denied(Network::v4([192, 168, 0, 0], 16), "private use", "RFC 1918"),
    global(Network::v4([192, 175, 48, 0], 24), "direct delegation AS112", "RFC 7534"),
    denied(Network::v4([198, 18, 0, 0], 15), "benchmarking", "RFC 2544"),
    denied(Network::v4([198, 51, 100, 0], 24), "documentation, TEST-NET-2", "RFC 5737"),
    denied(Network::v4([203, 0, 113, 0], 24), "documentation, TEST-NET-3", "RFC 5737"),
    denied(Network::v4([224, 0, 0, 0], 4), "multicast", "RFC 5771"),
    denied(Network::v4([240, 0, 0, 0], 4), "reserved", "RFC 1112"),
    denied(Network::v4([255, 255, 255, 255], 32), "limited broadcast", "RFC 919"),

    denied(Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "deprecated IPv4-compatible", "RFC 4291"),
    denied(Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified", "RFC 4291"),
    denied(Network::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback", "RFC 4291"),
    denied(Network::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "IPv4-translated, SIIT", "RFC 2765"),
    denied(Network::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "local-use IPv4/IPv6 translation", "RFC 8215"),
    denied(Network::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard-only", "RFC 6666"),
    denied(Network::v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "dummy IPv6 prefix", "RFC 9780"),
    denied(Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "IETF protocol assignments", "RFC 2928"),
    denied(Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "Teredo", "RFC 4380"),
    global(Network::v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), "Port Control Protocol anycast", "RFC 7723"),
    global(Network::v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), "TURN anycast", "RFC 8155"),
    global(Network::v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), "DNS-SD SRP anycast", "RFC 9665"),
    denied(Network::v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "benchmarking", "RFC 5180"),
    global(Network::v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), "AMT", "RFC 7450"),
    global(Network::v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), "AS112", "RFC 7535"),
    denied(Network::v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), "deprecated ORCHID", "RFC 4843"),
    global(Network::v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), "ORCHIDv2", "RFC 7343"),
    global(Network::v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), "drone remote ID entity tags", "RFC 9374"),
    denied(Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation", "RFC 3849"),
    denied(Network::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "6to4", "RFC 3056"),
    global(Network::v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "direct delegation AS112", "RFC 7534"),
    denied(Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation", "RFC 9637"),
    denied(Network::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "SRv6 SIDs", "RFC 9602"),
    denied(Network::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local", "RFC 4193"),
    denied(Network::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local unicast", "RFC 4291"),
    denied(Network::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "deprecated site-local", "RFC 3879"),
    denied(Network::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast", "RFC 4291"),
];

/// An address of [`METADATA`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MetadataRow {
    /// Where it answers.
    pub address: IpAddr,
    /// What answers there.
    pub service: &'static str,
}

/// The addresses at which clouds hand out metadata and credentials to whoever asks from inside, or control the machine.
///
/// Collected from the documentation of the providers, of OpenStack and of cloud-init. 168.63.129.16 is a public address that no
/// registry has.
pub static METADATA: &[MetadataRow] = &[
    metadata_v4([169, 254, 169, 254], "AWS, GCP and Azure instance metadata"),
    metadata_v4([169, 254, 170, 2], "AWS ECS task metadata"),
    metadata_v4([169, 254, 170, 23], "AWS EKS Pod Identity"),
    metadata_v4([169, 254, 169, 253], "AWS VPC resolver"),
    metadata_v4([169, 254, 42, 42], "Scaleway metadata"),
    metadata_v4([169, 254, 0, 23], "Tencent Cloud metadata"),
    metadata_v4([100, 100, 100, 200], "Alibaba Cloud metadata"),
    metadata_v4([192, 0, 0, 192], "Oracle Cloud metadata"),
    metadata_v4([168, 63, 129, 16], "Azure WireServer"),
    metadata_v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], "AWS metadata over IPv6"),
    metadata_v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], "AWS EKS Pod Identity over IPv6"),
    metadata_v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], "GCP metadata over IPv6"),
    metadata_v6(
        [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe],
        "Oracle Cloud metadata over IPv6",
    ),
    metadata_v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], "Scaleway metadata over IPv6"),
    metadata_v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], "OpenStack metadata over IPv6"),
];

/// The metadata service at the address, or at the IPv4 address inside an IPv4-mapped or `64:ff9b::/96` one.
#[must_use]
pub fn metadata_service(address: IpAddr) -> Option<&'static str> {
    let inner = embedded::decoded(address, &[]).next();
    service_at(inner.map_or(address, |inner| IpAddr::V4(inner.address)))
}

/// The metadata service at exactly this address.
pub(crate) fn service_at(address: IpAddr) -> Option<&'static str> {
    let row = METADATA.iter().find(|row| row.address == address);
    row.map(|row| row.service)
}

impl RegistryRow {
    /// The row with the longest prefix that has the address.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<&'static Self> {
        let rows = REGISTRY.iter().filter(|row| row.block.contains(address));
        rows.max_by_key(|row| row.block.prefix())
    }
}

const fn denied(block: Network, name: &'static str, rfc: &'static str) -> RegistryRow {
    let global = false;
    RegistryRow {
        block,
        name,
        rfc,
        global,
    }
}

const fn global(block: Network, name: &'static str, rfc: &'static str) -> RegistryRow {
    let global = true;
    RegistryRow {
        block,
        name,
        rfc,
        global,
    }
}

const fn metadata_v4([a, b, c, d]: [u8; 4], service: &'static str) -> MetadataRow {
    let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    MetadataRow { address, service }
}

const fn metadata_v6([a, b, c, d, e, f, g, h]: [u16; 8], service: &'static str) -> MetadataRow {
    let address = IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h));
    MetadataRow { address, service }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_tables_have_networks_and_each_once() {
        let mut blocks = HashSet::new();
        for row in REGISTRY {
            assert_eq!(Network::parse(&row.block.to_string()), Ok(row.block));
            assert!(blocks.insert(row.block), "{}", row.block);
        }
        let addresses: HashSet<_> = METADATA.iter().map(|row| row.address).collect();
        assert_eq!(addresses.len(), METADATA.len());
    }

    #[test]
    fn the_longest_prefix_wins() {
        for (address, want) in [
            ("192.0.0.1", "192.0.0.0/29"),
            ("192.0.0.9", "192.0.0.9/32"),
            ("192.0.0.11", "192.0.0.0/24"),
            ("::1", "::1/128"),
            ("::2", "::/96"),
            ("2001::1", "2001::/32"),
            ("2001:1ff::", "2001::/23"),
            ("2001:20::1", "2001:20::/28"),
        ] {
            let row = RegistryRow::of(address.parse().unwrap()).unwrap();
            assert_eq!(row.block.to_string(), want, "{address}");
        }
        assert_eq!(RegistryRow::of("8.8.8.8".parse().unwrap()), None);
    }

    #[test]
    fn a_metadata_service_is_known_when_carried() {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            let service = metadata_service(address.parse().unwrap());
            assert_eq!(service, Some("AWS, GCP and Azure instance metadata"), "{address}");
        }
        assert_eq!(metadata_service("169.254.169.252".parse().unwrap()), None);
    }
}
