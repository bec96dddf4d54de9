//! IP addresses and networks: canonical text in, comparison by value.
//!
//! Decides whether an address lies in a listed network. Which networks are listed, and what that means, is its callers' business;
//! what the world's own lists say of an address is in the modules below.

mod embedded;
mod reachability;
mod registry;
mod report;
mod rules;
mod space;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

pub use embedded::{Embedded, EmbeddedForm, Nat64Prefix, Nat64PrefixError, embedded};
pub use reachability::{NotGlobal, NotGlobalCause, Reachability};
pub use registry::{METADATA, MetadataRow, REGISTRY, RegistryRow, metadata_service};
pub use report::{AddressReport, EmbeddedReport};
pub use rules::{AddressRefusal, AddressRules};
pub use space::{AddressSpace, SpaceRow};

use crate::table::Table;

/// Parses an IPv4 address: four decimal numbers 0–255 without leading zeros, nothing else (RFC 6943 §3.1.1 on why).
#[must_use]
pub(crate) fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    // The standard library refuses octal, hexadecimal and short forms; the length bound keeps this constant-time.
    if text.len() > 15 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Parses an IPv6 address in any RFC 4291 §2.2 form, without brackets and without a zone.
#[must_use]
pub(crate) fn parse_ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    if text.len() > 45 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The address itself, or the IPv4 address inside an IPv4-mapped one (`::ffff:0:0/96`, RFC 4291 §2.5.5.2).
#[must_use]
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// A CIDR block (RFC 4632, RFC 4291 §2.3). The bits past the prefix are zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parses `address "/" prefix`, or a bare address as a block of one.
    ///
    /// # Errors
    /// [`NetworkError`] if either part is malformed, or if bits past the prefix are set.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address_text, prefix_text) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = parse_ipv4(address_text.as_bytes())
            .map(IpAddr::V4)
            .or_else(|| parse_ipv6(address_text.as_bytes()).map(IpAddr::V6))
            .ok_or(NetworkError::Malformed)?;
        let longest = longest_prefix(address);
        let prefix = match prefix_text {
            None => longest,
            Some(digits) => parse_prefix(digits)
                .filter(|prefix| *prefix <= longest)
                .ok_or(NetworkError::PrefixMalformed { longest })?,
        };
        let network = Self {
            address: masked(address, prefix),
            prefix,
        };
        if network.address == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits { network })
        }
    }

    /// The block of one address.
    #[must_use]
    pub const fn single(address: IpAddr) -> Self {
        let prefix = longest_prefix(address);
        Self { address, prefix }
    }

    /// A block of IPv4 addresses, for tables.
    // INVARIANT: the bits past the prefix are zero; the tables' tests see to it.
    pub(crate) const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Self {
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { address, prefix }
    }

    /// A block of IPv6 addresses, for tables.
    // INVARIANT: as in `v4`.
    pub(crate) const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Self {
        let address = IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h));
        Self { address, prefix }
    }

    /// The first address of the block.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits the addresses of the block share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// True if it is the block of one address.
    #[must_use]
    pub const fn is_single(self) -> bool {
        self.prefix == longest_prefix(self.address)
    }

    /// True if every address of the other block lies in this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// True if the address lies in the block. IPv4 never lies in an IPv6 block.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// As its text.
impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no [`Network`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkError {
    /// Not an address, or not followed by `/` and a number.
    Malformed,
    /// The prefix is no number from 0 to `longest`.
    PrefixMalformed {
        /// 32 for IPv4, 128 for IPv6.
        longest: u8,
    },
    /// Bits past the prefix are set.
    HostBits {
        /// The block that was probably meant.
        network: Network,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("is no address and no network"),
            Self::PrefixMalformed { longest } => write!(f, "has no prefix length from 0 to {longest}"),
            Self::HostBits { network } => write!(f, "has bits set past its prefix; `{network}` is the network"),
        }
    }
}

impl std::error::Error for NetworkError {}

/// Values by network, looked up by address: one probe for each prefix length in use, however many networks there are.
#[derive(Clone, Debug)]
pub(crate) struct NetworkMap<T> {
    /// The prefix lengths in use, of either family, shortest first.
    prefixes_v4: Vec<u8>,
    prefixes_v6: Vec<u8>,
    entries: Table<T, Network>,
}

impl<T> Default for NetworkMap<T> {
    fn default() -> Self {
        Self {
            prefixes_v4: Vec::new(),
            prefixes_v6: Vec::new(),
            entries: Table::default(),
        }
    }
}

impl<T> NetworkMap<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Changes the value of exactly this network, which is made if it is not there.
    pub(crate) fn update(&mut self, network: Network, change: impl FnOnce(&mut T))
    where
        T: Default,
    {
        let prefixes = match network.address {
            IpAddr::V4(_) => &mut self.prefixes_v4,
            IpAddr::V6(_) => &mut self.prefixes_v6,
        };
        if let Err(place) = prefixes.binary_search(&network.prefix) {
            prefixes.insert(place, network.prefix);
        }
        self.entries.update(&network, change);
    }

    /// The value of exactly this network.
    pub(crate) fn get(&self, network: Network) -> Option<&T> {
        self.entries.get(&network)
    }

    /// The values of every network that contains the address, widest first.
    pub(crate) fn containing(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        self.covering(Network::single(address))
    }

    /// The values of every network that contains the whole of this one, widest first.
    pub(crate) fn covering(&self, network: Network) -> impl Iterator<Item = &T> {
        let prefixes = match network.address {
            IpAddr::V4(_) => &self.prefixes_v4,
            IpAddr::V6(_) => &self.prefixes_v6,
        };
        prefixes
            .iter()
            .take_while(move |prefix| **prefix <= network.prefix)
            .filter_map(move |prefix| {
                self.entries.get(&Network {
                    address: masked(network.address, *prefix),
                    prefix: *prefix,
                })
            })
    }
}

const fn longest_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn parse_prefix(digits: &str) -> Option<u8> {
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_parse_strictly() {
        const ROWS: &[(&str, Result<&str, NetworkError>)] = &[
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::/0", Ok("::/0")),
            ("fd00::/8", Ok("fd00::/8")),
            ("192.0.2.7", Ok("192.0.2.7/32")),
            ("FD00:0::1", Ok("fd00::1/128")),
            ("10.0.0.0/08", Err(NetworkError::PrefixMalformed { longest: 32 })),
            ("10.0.0.0/33", Err(NetworkError::PrefixMalformed { longest: 32 })),
            ("10.0.0.0/", Err(NetworkError::PrefixMalformed { longest: 32 })),
            ("::1/129", Err(NetworkError::PrefixMalformed { longest: 128 })),
            ("::1/+1", Err(NetworkError::PrefixMalformed { longest: 128 })),
            ("10.1/16", Err(NetworkError::Malformed)),
            ("010.0.0.0/8", Err(NetworkError::Malformed)),
            ("[::1]", Err(NetworkError::Malformed)),
            ("fe80::1%eth0", Err(NetworkError::Malformed)),
            ("", Err(NetworkError::Malformed)),
        ];
        for (text, want) in ROWS {
            assert_eq!(
                Network::parse(text).map(|network| network.to_string()),
                want.map(Into::into),
                "{text}"
            );
        }
        let error = Network::parse("10.1.2.3/8").unwrap_err();
        assert_eq!(
            error.to_string(),
            "has bits set past its prefix; `10.0.0.0/8` is the network"
        );
    }

    #[test]
    fn a_network_contains_its_edges_and_not_their_neighbours() {
        for (network, inside, outside) in [
            (
                "172.16.0.0/12",
                ["172.16.0.0", "172.31.255.255"],
                ["172.15.255.255", "172.32.0.0"],
            ),
            (
                "fc00::/7",
                ["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
                ["fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"],
            ),
        ] {
            let network = Network::parse(network).unwrap();
            let mut map = NetworkMap::<u8>::default();
            map.update(network, |value| *value = 7);
            for address in inside {
                let address = address.parse().unwrap();
                assert!(network.contains(address), "{address}");
                assert_eq!(map.containing(address).collect::<Vec<_>>(), [&7]);
            }
            for address in outside {
                let address = address.parse().unwrap();
                assert!(!network.contains(address), "{address}");
                assert_eq!(map.containing(address).count(), 0);
            }
        }
        assert!(!Network::parse("::/0").unwrap().contains("127.0.0.1".parse().unwrap()));
        assert!(
            Network::parse("0.0.0.0/0")
                .unwrap()
                .contains("255.255.255.255".parse().unwrap())
        );
    }
}
