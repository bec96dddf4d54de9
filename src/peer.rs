//! The transport peer, and the lists of peers in a policy.

use std::net::IpAddr;

use crate::address::{Network, NetworkError, NetworkMap, parse_ipv4, parse_ipv6, unmapped};

/// The other end of the transport connection; never an address that a header claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// The face does not know. No list has it.
    Unknown,
    /// A Unix domain socket.
    Unix,
    /// An address; never IPv4-mapped.
    Address(IpAddr),
}

impl Peer {
    /// The peer of that address. IPv4-mapped addresses are unmapped.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self::Address(unmapped(address))
    }

    /// Parses an address without brackets, port or zone, or `unix`; nothing at all is [`Peer::Unknown`].
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"" => Some(Self::Unknown),
            b"unix" => Some(Self::Unix),
            _ => parse_ipv4(text)
                .map(IpAddr::V4)
                .or_else(|| parse_ipv6(text).map(IpAddr::V6))
                .map(Self::from_address),
        }
    }

    /// True for 127.0.0.0/8 and ::1.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        matches!(self, Self::Address(address) if address.is_loopback())
    }
}

/// One entry of a list of peers: a CIDR block or `unix`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PeerPattern {
    Unix,
    Network(Network),
}

impl PeerPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, NetworkError> {
        if text == "unix" {
            Ok(Self::Unix)
        } else {
            Network::parse(text).map(Self::Network)
        }
    }

    /// What to write instead of a network that no peer is in, since peers are unmapped.
    pub(crate) fn never_matches(self) -> Option<String> {
        let Self::Network(network) = self else { return None };
        let IpAddr::V6(address) = network.address() else {
            return None;
        };
        let prefix = network.prefix().checked_sub(96)?;
        address.to_ipv4_mapped().map(|address| format!("{address}/{prefix}"))
    }

    /// True if some peer could match both.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Network(a), Self::Network(b)) => a.contains(b.address()) || b.contains(a.address()),
            _ => self == other,
        }
    }
}

/// A list of peers. Matching takes one look-up for each prefix length in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerSet {
    unix: Option<usize>,
    networks: NetworkMap<Option<usize>>,
    length: usize,
}

impl PeerSet {
    /// Adds an entry, or gives the index of an earlier one that covers it.
    pub(crate) fn insert(&mut self, pattern: PeerPattern) -> Result<(), usize> {
        let earlier = match pattern {
            PeerPattern::Unix => self.unix,
            PeerPattern::Network(network) => self.networks.covering(network).find_map(|index| *index),
        };
        if let Some(earlier) = earlier {
            return Err(earlier);
        }
        let index = Some(self.length);
        self.length = self.length.saturating_add(1);
        match pattern {
            PeerPattern::Unix => self.unix = index,
            PeerPattern::Network(network) => self.networks.update(network, |known| *known = index),
        }
        Ok(())
    }

    /// The index of an entry that has the peer. An unknown peer is in no list.
    pub(crate) fn matching(&self, peer: Peer) -> Option<usize> {
        match peer {
            Peer::Unknown => None,
            Peer::Unix => self.unix,
            Peer::Address(address) => self.networks.containing(address).find_map(|index| *index),
        }
    }

    pub(crate) fn contains(&self, peer: Peer) -> bool {
        self.matching(peer).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_parse_without_port_or_zone() {
        for (text, want) in [
            ("", Some(Peer::Unknown)),
            ("unix", Some(Peer::Unix)),
            ("127.0.0.1", Some(Peer::Address(IpAddr::from([127, 0, 0, 1])))),
            ("::ffff:127.0.0.1", Some(Peer::Address(IpAddr::from([127, 0, 0, 1])))),
            ("127.0.0.1:80", None),
            ("[::1]", None),
            ("fe80::1%eth0", None),
            ("localhost", None),
        ] {
            assert_eq!(Peer::parse(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn an_unknown_peer_is_in_no_list() {
        let mut set = PeerSet::default();
        for text in ["0.0.0.0/0", "::/0", "unix"] {
            set.insert(PeerPattern::parse(text).unwrap()).unwrap();
        }
        assert!(!set.contains(Peer::Unknown));
        assert!(set.contains(Peer::Unix));
        assert_eq!(set.insert(PeerPattern::parse("10.0.0.0/8").unwrap()), Err(0));
    }
}
