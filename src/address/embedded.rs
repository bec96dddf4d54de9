//! IPv4 addresses inside IPv6 addresses: every form that some host, router or translator unpacks.
//!
//! Finds them; whether the outer or the inner address is then judged is [`Reachability`](super::Reachability)'s.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::{Network, NetworkError};

/// An IPv4 address that an IPv6 address carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Embedded {
    /// In which form.
    pub form: EmbeddedForm,
    /// The address inside.
    pub address: Ipv4Addr,
}

/// How an IPv6 address carries an IPv4 address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddedForm {
    /// `::ffff:0:0/96` (RFC 4291 §2.5.5.2).
    Ipv4Mapped,
    /// `::/96` without `::` and `::1`, deprecated (RFC 4291 §2.5.5.1).
    Ipv4Compatible,
    /// `::ffff:0:0:0/96`, IPv4-translated (RFC 2765 §2.1).
    Siit,
    /// `64:ff9b::/96` (RFC 6052 §2.1).
    Nat64WellKnown,
    /// `64:ff9b:1::/48` (RFC 8215), read as a prefix of that length.
    Nat64LocalUse,
    /// A prefix of one's own network (RFC 6052 §2.2).
    Nat64NetworkSpecific,
    /// `2002::/16` (RFC 3056 §2).
    #[serde(rename = "6to4")]
    SixToFour,
    /// The server in `2001::/32` (RFC 4380 §4).
    TeredoServer,
    /// The client in `2001::/32`, its bits inverted (RFC 4380 §4).
    TeredoClient,
    /// The interface identifier `0:5efe:a.b.c.d` or `200:5efe:a.b.c.d` under any prefix (RFC 5214 §6.1).
    Isatap,
}

impl EmbeddedForm {
    /// True if the address inside is judged instead of the one outside.
    #[must_use]
    pub const fn is_decoded(self) -> bool {
        matches!(
            self,
            Self::Ipv4Mapped | Self::Nat64WellKnown | Self::Nat64NetworkSpecific
        )
    }
}

/// Every IPv4 address inside the address; none for an IPv4 address.
///
/// `nat64` are the network's own translation prefixes. At most three, and one for each of those.
pub fn embedded(address: IpAddr, nat64: &[Nat64Prefix]) -> impl Iterator<Item = Embedded> {
    let address = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6),
    };
    address.into_iter().flat_map(move |address| {
        let own = nat64.iter().filter_map(move |prefix| prefix.decode(address));
        standard(address).into_iter().flatten().chain(own)
    })
}

/// Of [`embedded`] those that are judged instead of the address.
pub(crate) fn decoded(address: IpAddr, nat64: &[Nat64Prefix]) -> impl Iterator<Item = Embedded> {
    embedded(address, nat64).filter(|embedded| embedded.form.is_decoded())
}

/// The forms that need no configuration. All but ISATAP are told by how the address starts, so only one of them fits.
fn standard(address: Ipv6Addr) -> [Option<Embedded>; 3] {
    use EmbeddedForm::{
        Ipv4Compatible, Ipv4Mapped, Isatap, Nat64LocalUse, Nat64WellKnown, Siit, SixToFour, TeredoClient, TeredoServer,
    };
    let found = |form, address| Some(Embedded { form, address });
    let [_, _, a, b, c, d, e, f, .., w, x, y, z] = address.octets();
    let low = Ipv4Addr::new(w, x, y, z);
    let (first, second) = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] => (found(Ipv4Mapped, low), None),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => (None, None),
        [0, 0, 0, 0, 0, 0, ..] => (found(Ipv4Compatible, low), None),
        [0, 0, 0, 0, 0xffff, 0, ..] => (found(Siit, low), None),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => (found(Nat64WellKnown, low), None),
        [0x64, 0xff9b, 1, ..] => (found(Nat64LocalUse, after_prefix(address, 48)), None),
        [0x2002, ..] => (found(SixToFour, Ipv4Addr::new(a, b, c, d)), None),
        [0x2001, 0, ..] => (
            found(TeredoServer, Ipv4Addr::new(c, d, e, f)),
            found(TeredoClient, Ipv4Addr::from_bits(!low.to_bits())),
        ),
        _ => (None, None),
    };
    let isatap = match address.segments() {
        [.., 0 | 0x200, 0x5efe, _, _] => found(Isatap, low),
        _ => None,
    };
    [first, second, isatap]
}

/// The 32 bits after the prefix, as if bits 64–71, the "u" octet, were not there (RFC 6052 §2.2).
fn after_prefix(address: Ipv6Addr, length: u8) -> Ipv4Addr {
    let bits = address.to_bits();
    let bits = if length > 64 {
        bits // The octet is part of the prefix.
    } else {
        let before = bits & (u128::MAX << 64);
        let after = (bits << 72) >> 64;
        before | after
    };
    let [a, b, c, d, ..] = bits.unbounded_shl(u32::from(length)).to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// A prefix under which a network translates to IPv4, beside the well-known one (RFC 6052 §2.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Nat64Prefix {
    // INVARIANT: IPv6, of a length in `LENGTHS`, bits 64–71 zero.
    network: Network,
}

impl Nat64Prefix {
    /// The lengths a prefix can have.
    pub const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

    /// Parses `address "/" length`.
    ///
    /// # Errors
    /// [`Nat64PrefixError`] if it is no IPv6 network, if its length is not in [`LENGTHS`](Self::LENGTHS), or if bits 64 to 71 are
    /// set.
    pub fn parse(text: &str) -> Result<Self, Nat64PrefixError> {
        let network = Network::parse(text).map_err(Nat64PrefixError::Network)?;
        let IpAddr::V6(address) = network.address() else {
            return Err(Nat64PrefixError::NotIpv6);
        };
        if !Self::LENGTHS.contains(&network.prefix()) {
            return Err(Nat64PrefixError::Length);
        }
        let [_, _, _, _, _, _, _, _, u, ..] = address.octets();
        if u != 0 {
            return Err(Nat64PrefixError::UOctet);
        }
        Ok(Self { network })
    }

    /// The prefix as a network.
    #[must_use]
    pub const fn network(self) -> Network {
        self.network
    }

    /// The IPv4 address inside, if the address is under this prefix. What follows it, and the "u" octet, are not looked at.
    #[must_use]
    pub fn decode(self, address: Ipv6Addr) -> Option<Embedded> {
        self.network.contains(IpAddr::V6(address)).then(|| Embedded {
            form: EmbeddedForm::Nat64NetworkSpecific,
            address: after_prefix(address, self.network.prefix()),
        })
    }
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network.fmt(f)
    }
}

/// Why a text is no [`Nat64Prefix`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nat64PrefixError {
    /// Not a network.
    Network(NetworkError),
    /// An IPv4 network.
    NotIpv6,
    /// Of another length than RFC 6052 §2.2 has.
    Length,
    /// Bits 64 to 71 are not zero.
    UOctet,
}

impl fmt::Display for Nat64PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => error.fmt(f),
            Self::NotIpv6 => f.write_str("is an IPv4 network; a NAT64 prefix is an IPv6 one"),
            Self::Length => f.write_str("has no length that a NAT64 prefix can have: 32, 40, 48, 56, 64 or 96"),
            Self::UOctet => f.write_str("has bits 64 to 71 set, which RFC 6052 wants to be zero"),
        }
    }
}

impl std::error::Error for Nat64PrefixError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, nat64: &[&str]) -> Vec<(EmbeddedForm, String)> {
        let nat64: Vec<_> = nat64.iter().map(|text| Nat64Prefix::parse(text).unwrap()).collect();
        embedded(address.parse().unwrap(), &nat64)
            .map(|embedded| (embedded.form, embedded.address.to_string()))
            .collect()
    }

    #[test]
    fn every_form_is_found() {
        use EmbeddedForm::*;
        const ROWS: &[(&str, &[(EmbeddedForm, &str)])] = &[
            ("10.0.0.1", &[]),
            ("::", &[]),
            ("::1", &[]),
            ("2606:4700::1111", &[]),
            ("::ffff:10.0.0.1", &[(Ipv4Mapped, "10.0.0.1")]),
            ("::2", &[(Ipv4Compatible, "0.0.0.2")]),
            ("::127.0.0.1", &[(Ipv4Compatible, "127.0.0.1")]),
            ("::ffff:0:7f00:1", &[(Siit, "127.0.0.1")]),
            ("64:ff9b::7f00:1", &[(Nat64WellKnown, "127.0.0.1")]),
            ("64:ff9b:0:0:1::7f00:1", &[]),
            ("64:ff9b:1:a9fe:a9:fe00:808:808", &[(Nat64LocalUse, "169.254.169.254")]),
            ("2002:a9fe:a9fe::", &[(SixToFour, "169.254.169.254")]),
            (
                "2001:0:4136:e378:8000:63bf:5601:5601",
                &[(TeredoServer, "65.54.227.120"), (TeredoClient, "169.254.169.254")],
            ),
            ("2001:db8::5efe:a00:1", &[(Isatap, "10.0.0.1")]),
            ("2001:db8::200:5efe:a00:1", &[(Isatap, "10.0.0.1")]),
            ("2001:db8::100:5efe:a00:1", &[]),
            (
                "2002:808:808::5efe:a00:1",
                &[(SixToFour, "8.8.8.8"), (Isatap, "10.0.0.1")],
            ),
        ];
        for (address, want) in ROWS {
            let want: Vec<_> = want.iter().map(|(form, inner)| (*form, (*inner).to_owned())).collect();
            assert_eq!(found(address, &[]), want, "{address}");
        }
    }

    /// The examples of RFC 6052 §2.4, and each again with every bit set that is not looked at.
    #[test]
    fn own_prefixes_are_decoded_by_length() {
        for (prefix, address, noisy) in [
            (
                "2001:db8::/32",
                "2001:db8:c000:221::",
                "2001:db8:c000:221:ffff:ffff:ffff:ffff",
            ),
            (
                "2001:db8:100::/40",
                "2001:db8:1c0:2:21::",
                "2001:db8:1c0:2:ff21:ffff:ffff:ffff",
            ),
            (
                "2001:db8:122::/48",
                "2001:db8:122:c000:2:2100::",
                "2001:db8:122:c000:ff02:21ff:ffff:ffff",
            ),
            (
                "2001:db8:122:300::/56",
                "2001:db8:122:3c0:0:221::",
                "2001:db8:122:3c0:ff00:221:ffff:ffff",
            ),
            (
                "2001:db8:122:344::/64",
                "2001:db8:122:344:c0:2:2100::",
                "2001:db8:122:344:ffc0:2:21ff:ffff",
            ),
            (
                "2001:db8:122:344::/96",
                "2001:db8:122:344::192.0.2.33",
                "2001:db8:122:344::192.0.2.33",
            ),
        ] {
            for address in [address, noisy] {
                let want = [(EmbeddedForm::Nat64NetworkSpecific, "192.0.2.33".to_owned())];
                assert_eq!(found(address, &[prefix]), want, "{prefix} {address}");
            }
            assert_eq!(found("2001:db9::1", &[prefix]), []);
        }
    }

    #[test]
    fn prefixes_parse_strictly() {
        for (text, want) in [
            ("64:ff9b:1::/48", Ok("64:ff9b:1::/48")),
            ("2001:db8::/33", Err(Nat64PrefixError::Length)),
            ("2001:db8::/128", Err(Nat64PrefixError::Length)),
            ("2001:db8::", Err(Nat64PrefixError::Length)),
            ("::/0", Err(Nat64PrefixError::Length)),
            ("10.0.0.0/32", Err(Nat64PrefixError::NotIpv6)),
            ("2001:db8::100:0:0:0/96", Err(Nat64PrefixError::UOctet)),
            ("2001:db8::1:0:0:0/96", Ok("2001:db8:0:0:1::/96")),
            (
                "2001:db8::/abc",
                Err(Nat64PrefixError::Network(NetworkError::PrefixMalformed {
                    longest: 128,
                })),
            ),
            ("", Err(Nat64PrefixError::Network(NetworkError::Malformed))),
        ] {
            let found = Nat64Prefix::parse(text).map(|prefix| prefix.to_string());
            assert_eq!(found, want.map(Into::into), "{text}");
        }
        let error = Nat64Prefix::parse("2001:db8::1/32").unwrap_err();
        assert_eq!(
            error.to_string(),
            "has bits set past its prefix; `2001:db8::/32` is the network"
        );
    }
}
