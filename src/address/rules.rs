//! The addresses a policy lets requests go out to.
//!
//! Decides whether one address may be connected to; which names resolve to it is not its business.

use std::fmt;
use std::net::IpAddr;

use super::embedded::{Embedded, Nat64Prefix, decoded, embedded};
use super::reachability::{NotGlobalCause, Reachability};
use super::registry::{METADATA, REGISTRY, RegistryRow, service_at};
use super::{Network, NetworkMap};

/// A list of addresses: networks, and `global` for everything that is globally reachable. The empty list allows nothing.
///
/// Addresses that are [decoded](crate::EmbeddedForm::is_decoded) are judged by the IPv4 address inside, by the same list. A
/// metadata service is in the list only by its exact address, and so is an IPv6 address that carries one in any form. Matching takes
/// one look-up for each prefix length in use and one walk through the registry, and allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    global: Option<usize>,
    networks: NetworkMap<Option<usize>>,
    length: usize,
    nat64: Vec<Nat64Prefix>,
}

impl AddressRules {
    /// The list that allows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds everything that is globally reachable.
    ///
    /// # Errors
    /// The index of the earlier `global`.
    pub fn insert_global(&mut self) -> Result<(), usize> {
        match self.global {
            Some(earlier) => Err(earlier),
            None => {
                self.global = Some(self.next_index());
                Ok(())
            }
        }
    }

    /// Adds a network.
    ///
    /// # Errors
    /// The index of an earlier entry that covers it. A metadata service is covered by nothing but itself.
    pub fn insert(&mut self, network: Network) -> Result<(), usize> {
        let exact = || self.networks.get(network).copied().flatten();
        let wider = || self.networks.covering(network).find_map(|index| *index);
        let global = || self.global.filter(|_| is_wholly_global(network));
        let earlier = if network.is_single() && carried_service(network.address()).is_some() {
            exact()
        } else {
            wider().or_else(global)
        };
        if let Some(earlier) = earlier {
            return Err(earlier);
        }
        let index = self.next_index();
        self.networks.update(network, |known| *known = Some(index));
        Ok(())
    }

    /// Adds a prefix under which this network translates to IPv4. These are no entries of the list and are counted apart.
    ///
    /// # Errors
    /// The index of an earlier prefix that overlaps it: one address would have two readings.
    pub fn insert_nat64(&mut self, prefix: Nat64Prefix) -> Result<(), usize> {
        let network = prefix.network();
        let overlaps = |earlier: &Nat64Prefix| {
            let earlier = earlier.network();
            earlier.covers(network) || network.covers(earlier)
        };
        match self.nat64.iter().position(overlaps) {
            Some(earlier) => Err(earlier),
            None => {
                self.nat64.push(prefix);
                Ok(())
            }
        }
    }

    /// The prefixes under which this network translates to IPv4.
    #[must_use]
    pub fn nat64(&self) -> &[Nat64Prefix] {
        &self.nat64
    }

    /// The decoded prefix that has the whole network, which no address can then be in: list the IPv4 network inside instead.
    #[must_use]
    pub fn decoding(&self, network: Network) -> Option<Network> {
        let own = self.nat64.iter().map(|prefix| prefix.network());
        DECODED.into_iter().chain(own).find(|decoded| decoded.covers(network))
    }

    /// Judges an address.
    ///
    /// # Errors
    /// [`AddressRefusal`] if it is not in the list.
    pub fn allows(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        let refused = |embedded, cause| AddressRefusal {
            address,
            embedded,
            cause,
        };
        let mut is_decoded = false;
        for inner in decoded(address, &self.nat64) {
            is_decoded = true;
            self.judge(IpAddr::V4(inner.address))
                .map_err(|(_, cause)| refused(Some(inner), cause))?;
        }
        if is_decoded {
            return Ok(());
        }
        self.judge(address)
            .map_err(|(embedded, cause)| refused(embedded, cause))
    }

    /// Judges an address that is not decoded, or what was inside.
    fn judge(&self, address: IpAddr) -> Result<(), (Option<Embedded>, Cause)> {
        if self.networks.get(Network::single(address)).is_some() {
            return Ok(());
        }
        if let Some((embedded, service)) = carried_service(address) {
            return Err((embedded, Cause::Metadata(service)));
        }
        if self.networks.containing(address).next().is_some() {
            return Ok(());
        }
        if self.global.is_none() {
            return Err((None, Cause::NotListed));
        }
        match Reachability::undecoded(address) {
            Reachability::Global(_) => Ok(()),
            Reachability::NotGlobal(why) => Err((why.embedded, why.cause.into())),
        }
    }

    fn next_index(&mut self) -> usize {
        let index = self.length;
        self.length = self.length.saturating_add(1);
        index
    }
}

/// The prefixes that are decoded everywhere.
const DECODED: [Network; 2] = [
    Network::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    Network::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
];

/// The metadata service at the address, or at one inside it in whatever form.
fn carried_service(address: IpAddr) -> Option<(Option<Embedded>, &'static str)> {
    let itself = service_at(address).map(|service| (None, service));
    itself.or_else(|| {
        embedded(address, &[]).find_map(|inner| {
            let service = service_at(IpAddr::V4(inner.address))?;
            Some((Some(inner), service))
        })
    })
}

/// True if `global` has every address of the block. False for all IPv6 blocks of more than one, since they may hold ISATAP addresses.
fn is_wholly_global(network: Network) -> bool {
    if network.is_single() {
        return Reachability::of(network.address()).is_global();
    }
    // The narrowest row that has the whole block: that of its first address may have this one alone (192.0.0.10/32 in 192.0.0.10/31).
    let around = REGISTRY.iter().filter(|row| row.block.covers(network));
    network.address().is_ipv4()
        && around.max_by_key(|row| row.block.prefix()).is_none_or(|row| row.global)
        && !REGISTRY.iter().any(|row| !row.global && network.covers(row.block))
        && !METADATA.iter().any(|row| network.contains(row.address))
}

/// Why an address is not in a list. Its `Display` is one line for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressRefusal {
    address: IpAddr,
    embedded: Option<Embedded>,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    Block(&'static RegistryRow),
    Metadata(&'static str),
    NotListed,
}

impl From<NotGlobalCause> for Cause {
    fn from(cause: NotGlobalCause) -> Self {
        match cause {
            NotGlobalCause::Block(row) => Self::Block(row),
            NotGlobalCause::Metadata(service) => Self::Metadata(service),
        }
    }
}

impl AddressRefusal {
    /// What `global` alone says of an address that it does not have.
    pub(super) fn not_global(address: IpAddr, embedded: Option<Embedded>, cause: NotGlobalCause) -> Self {
        let cause = cause.into();
        Self {
            address,
            embedded,
            cause,
        }
    }

    /// The address that was judged.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The IPv4 address inside that was refused, if it was not the address itself.
    #[must_use]
    pub const fn embedded(&self) -> Option<Embedded> {
        self.embedded
    }

    /// The row of the registry that decided.
    #[must_use]
    pub const fn row(&self) -> Option<&'static RegistryRow> {
        match self.cause {
            Cause::Block(row) => Some(row),
            Cause::Metadata(_) | Cause::NotListed => None,
        }
    }

    /// The metadata service that decided.
    #[must_use]
    pub const fn metadata(&self) -> Option<&'static str> {
        match self.cause {
            Cause::Metadata(service) => Some(service),
            Cause::Block(_) | Cause::NotListed => None,
        }
    }
}

impl fmt::Display for AddressRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if let Some(Embedded { address, .. }) = self.embedded {
            write!(f, " carries {address}, which")?;
        }
        match self.cause {
            Cause::Block(RegistryRow { block, name, rfc, .. }) => write!(f, " is in {block}, {name} ({rfc})"),
            Cause::Metadata(service) => write!(f, " is {service}"),
            Cause::NotListed => f.write_str(" is in no listed network"),
        }
    }
}

impl std::error::Error for AddressRefusal {}

#[cfg(test)]
mod tests {
    use super::*;

    /// `global`, `nat64 PREFIX` or a network an entry.
    fn rules(entries: &[&str]) -> AddressRules {
        let mut rules = AddressRules::new();
        for entry in entries {
            let added = match (*entry, entry.strip_prefix("nat64 ")) {
                ("global", _) => rules.insert_global(),
                (_, Some(prefix)) => rules.insert_nat64(Nat64Prefix::parse(prefix).unwrap()),
                (network, None) => rules.insert(Network::parse(network).unwrap()),
            };
            added.unwrap();
        }
        rules
    }

    #[test]
    fn a_list_has_what_is_listed() {
        const ROWS: &[(&[&str], &str, &str)] = &[
            (&[], "8.8.8.8", "8.8.8.8 is in no listed network"),
            (&["global"], "8.8.8.8", ""),
            (&["global"], "::ffff:8.8.8.8", ""),
            (
                &["global"],
                "10.0.0.1",
                "10.0.0.1 is in 10.0.0.0/8, private use (RFC 1918)",
            ),
            (&["global", "10.0.0.0/8"], "10.0.0.1", ""),
            (&["global", "10.0.0.0/8"], "::ffff:10.0.0.1", ""),
            (&["global", "10.0.0.0/8"], "64:ff9b::a00:1", ""),
            (
                &["10.0.0.0/8"],
                "64:ff9b::808:808",
                "64:ff9b::808:808 carries 8.8.8.8, which is in no listed network",
            ),
            // Its own family: what is decoded is in no IPv6 block, what is not in no IPv4 block.
            (&["::/0"], "10.0.0.1", "10.0.0.1 is in no listed network"),
            (
                &["::/0"],
                "::ffff:10.0.0.1",
                "::ffff:10.0.0.1 carries 10.0.0.1, which is in no listed network",
            ),
            (
                &["0.0.0.0/0"],
                "2002:808:808::",
                "2002:808:808:: is in no listed network",
            ),
            (&["::/0"], "2002:808:808::", ""),
            (
                &["global"],
                "64:ff9b::7f00:1",
                "64:ff9b::7f00:1 carries 127.0.0.1, which is in 127.0.0.0/8, loopback (RFC 1122)",
            ),
            (
                &["global"],
                "2001:470::5efe:a00:1",
                "2001:470::5efe:a00:1 carries 10.0.0.1, which is in 10.0.0.0/8, private use (RFC 1918)",
            ),
            (&["global"], "2001:470::5efe:808:808", ""),
            (&["2001:470::/32"], "2001:470::5efe:a00:1", ""),
        ];
        for (entries, address, want) in ROWS {
            let found = rules(entries).allows(address.parse().unwrap());
            let found = found.err().map(|refusal| refusal.to_string()).unwrap_or_default();
            assert_eq!(found, *want, "{entries:?} {address}");
        }
    }

    #[test]
    fn metadata_services_are_listed_by_their_address_alone() {
        let all = rules(&["global", "0.0.0.0/0", "::/0"]);
        for row in METADATA {
            let refusal = all.allows(row.address).unwrap_err();
            assert_eq!(refusal.metadata(), Some(row.service));
            assert_eq!(refusal.to_string(), format!("{} is {}", row.address, row.service));
            let mut exact = all.clone();
            exact.insert(Network::single(row.address)).unwrap();
            assert_eq!(exact.insert(Network::single(row.address)), Err(3));
            assert_eq!(exact.allows(row.address), Ok(()));
        }
        // Carried, in every form.
        for address in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00:808:808",
            "2002:a9fe:a9fe::",
            "2001:0:a9fe:a9fe::",
            "2001:0:4136:e378:8000:63bf:5601:5601",
            "fd00::5efe:a9fe:a9fe",
            "fd00::200:5efe:a9fe:a9fe",
        ] {
            let refusal = all.allows(address.parse().unwrap()).unwrap_err();
            assert_eq!(
                refusal.metadata(),
                Some("AWS, GCP and Azure instance metadata"),
                "{address}"
            );
        }
        let exact = rules(&["169.254.169.254"]);
        assert_eq!(exact.allows("64:ff9b::a9fe:a9fe".parse().unwrap()), Ok(()));
        assert!(exact.allows("2002:a9fe:a9fe::".parse().unwrap()).is_err());
        let outer = rules(&["::/0", "2002:a9fe:a9fe::"]);
        assert_eq!(outer.allows("2002:a9fe:a9fe::".parse().unwrap()), Ok(()));
        // A list of two metadata services is no list of their block.
        let two = rules(&["169.254.169.252/31"]);
        assert!(two.allows("169.254.169.252".parse().unwrap()).is_ok());
        assert!(two.allows("169.254.169.253".parse().unwrap()).is_err());
    }

    #[test]
    fn own_prefixes_are_decoded_first() {
        let rules = rules(&["global", "10.0.0.0/8", "nat64 64:ff9b:1::/96", "nat64 fd00:64::/64"]);
        for (address, want) in [
            ("64:ff9b:1::808:808", true),
            ("64:ff9b:1::a00:1", true),
            ("64:ff9b:1::c0a8:1", false),
            ("64:ff9b:1:1::808:808", false),
            ("fd00:64::8:808:800:0", true),
            ("fd00:64::7f:0:100:0", false),
            ("fd00:65::8:808:800:0", false),
        ] {
            assert_eq!(rules.allows(address.parse().unwrap()).is_ok(), want, "{address}");
        }
    }

    #[test]
    fn a_global_address_first_in_a_block_does_not_stand_for_the_rest() {
        let rules = rules(&["global", "192.0.0.10/31"]);
        for (address, want) in [("192.0.0.10", true), ("192.0.0.11", true), ("192.0.0.8", false)] {
            assert_eq!(rules.allows(address.parse().unwrap()).is_ok(), want, "{address}");
        }
    }

    #[test]
    fn a_covered_entry_names_the_earlier_one() {
        const ROWS: &[(&[&str], &str, Option<usize>)] = &[
            (&["10.0.0.0/8"], "10.1.0.0/16", Some(0)),
            (&["10.1.0.0/16"], "10.0.0.0/8", None),
            (&["10.0.0.0/8", "global"], "8.8.8.0/24", Some(1)),
            (&["global"], "2606:4700::1111", Some(0)),
            (&["global"], "2606:4700::/32", None),
            (&["global"], "192.31.196.0/24", Some(0)),
            (&["global"], "192.0.0.9", Some(0)),
            (&["global"], "192.0.0.8/31", None),
            (&["global"], "192.0.0.8", None),
            (&["global"], "192.0.0.10/31", None),
            (&["global"], "8.0.0.0/5", None),
            (&["global"], "0.0.0.0/0", None),
            (&["global"], "168.63.0.0/16", None),
            (&["global", "168.63.0.0/16"], "168.63.129.16", None),
            (&["169.254.0.0/16"], "169.254.169.254", None),
            (&["169.254.0.0/16"], "169.254.169.252", Some(0)),
            (&["169.254.169.254"], "169.254.169.254", Some(0)),
        ];
        for (entries, entry, want) in ROWS {
            let found = rules(entries).insert(Network::parse(entry).unwrap());
            assert_eq!(found.err(), *want, "{entries:?} {entry}");
        }
        let mut twice = rules(&["10.0.0.0/8", "global", "nat64 2001:db8::/32"]);
        assert_eq!(twice.insert_global(), Err(1));
        assert_eq!(twice.insert_nat64(Nat64Prefix::parse("2001:db8::/96").unwrap()), Err(0));
        assert_eq!(twice.nat64().len(), 1);
    }

    #[test]
    fn a_network_that_is_decoded_is_told() {
        let rules = rules(&["nat64 2001:db8::/32"]);
        for (network, want) in [
            ("::ffff:10.0.0.0/104", Some("::ffff:0.0.0.0/96")),
            ("64:ff9b::/96", Some("64:ff9b::/96")),
            ("64:ff9b::1", Some("64:ff9b::/96")),
            ("2001:db8:1::/48", Some("2001:db8::/32")),
            ("64:ff9b::/64", None),
            ("10.0.0.0/8", None),
            ("::/0", None),
        ] {
            let found = rules.decoding(Network::parse(network).unwrap());
            assert_eq!(found.map(|network| network.to_string()).as_deref(), want, "{network}");
        }
    }
}
