//! Host patterns and the allowlist made of them.
//!
//! Decides whether an authority matches a list. Which authority of a request counts is for `guard`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::address::{Network, NetworkError, NetworkMap, parse_ipv4, parse_ipv6};
use crate::authority::{Authority, AuthorityError, Host, Port, split_scheme};
use crate::table::Table;

/// One entry of an allowlist: an exact name, `*.name`, `**.name`, an IP literal or a CIDR block, each with an optional `:port`.
///
/// `*.name` matches exactly one more label, `**.name` one or more; neither matches the bare name. A CIDR block matches IP literals only.
/// Without a port any port matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPattern {
    kind: PatternKind,
    port: Option<Port>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum PatternKind {
    Name(Box<[u8]>),
    OneLabel(Box<[u8]>),
    Subdomains(Box<[u8]>),
    Address(IpAddr),
    Network(Network),
}

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`HostPatternError`], whose fix is a pattern that would be accepted, where there is an obvious one.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        if !text.is_ascii() {
            return Err(HostPatternError::NotAscii {
                #[cfg(feature = "authoring")]
                a_labels: Some(to_a_labels(text)),
                #[cfg(not(feature = "authoring"))]
                a_labels: None,
            });
        }
        if text == "*" || text == "**" {
            return Err(HostPatternError::TooWide);
        }
        if let Some(error) = not_only_an_authority(text) {
            return Err(error);
        }
        let (host, port) = split_port(text)?;
        let kind = if let Some(name) = host.strip_prefix("**.") {
            PatternKind::Subdomains(wildcard_name(name)?)
        } else if let Some(name) = host.strip_prefix("*.") {
            PatternKind::OneLabel(wildcard_name(name)?)
        } else if host.contains('*') {
            return Err(HostPatternError::WildcardPlace);
        } else if host.contains('/') {
            PatternKind::Network(parse_network(host)?)
        } else {
            match Host::parse(host.as_bytes()) {
                Ok(Host::Name(name)) => PatternKind::Name(name.lower().as_bytes().into()),
                Ok(Host::Ipv4(address)) => PatternKind::Address(IpAddr::V4(address)),
                Ok(Host::Ipv6(address)) => PatternKind::Address(IpAddr::V6(address)),
                Err(error) => {
                    return Err(HostPatternError::Malformed {
                        error,
                        fix: unbracketed(host),
                    });
                }
            }
        };
        Ok(Self { kind, port })
    }

    /// The pattern with a port instead of its own.
    #[must_use]
    pub(crate) fn with_port(&self, port: Port) -> Self {
        Self {
            kind: self.kind.clone(),
            port: Some(port),
        }
    }

    /// The pattern for every port.
    #[must_use]
    pub(crate) fn without_port(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            port: None,
        }
    }

    /// The port, if it has one.
    #[must_use]
    pub const fn port(&self) -> Option<Port> {
        self.port
    }

    /// The name after `*.` or `**.`, if this is a wildcard.
    #[must_use]
    pub fn wildcard_base(&self) -> Option<&str> {
        match &self.kind {
            PatternKind::OneLabel(base) | PatternKind::Subdomains(base) => std::str::from_utf8(base).ok(),
            _ => None,
        }
    }

    /// The address, if this is an IP literal.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self.kind {
            PatternKind::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The block, if this is a CIDR pattern.
    #[must_use]
    pub const fn network(&self) -> Option<Network> {
        match self.kind {
            PatternKind::Network(network) => Some(network),
            _ => None,
        }
    }

    /// True if some authority could match both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let ports = self.port.is_none() || other.port.is_none() || self.port == other.port;
        ports && (self.kind.meets(&other.kind) || other.kind.meets(&self.kind))
    }

    /// True if this is an exact name or an IP literal, as run-time additions must be.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self.kind, PatternKind::Name(_) | PatternKind::Address(_))
    }
}

impl PatternKind {
    /// True if the other, of the same or a narrower kind, lies in this one at least in part.
    fn meets(&self, narrower: &Self) -> bool {
        match (self, narrower) {
            (Self::OneLabel(base), Self::Name(name)) => parent(name) == Some(base),
            (Self::Subdomains(base), Self::Name(name)) => is_below(name, base),
            (Self::Subdomains(base), Self::OneLabel(other) | Self::Subdomains(other)) => {
                base == other || is_below(other, base)
            }
            (Self::Network(network), Self::Address(address)) => network.contains(*address),
            (Self::Network(network), Self::Network(other)) => network.contains(other.address()),
            _ => self == narrower,
        }
    }
}

/// Why a text is no [`HostPattern`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostPatternError {
    /// Not a host, by the grammar of a request's own.
    Malformed {
        /// The rule.
        error: AuthorityError,
        /// The same with brackets, where an IPv6 address lacks them.
        fix: Option<String>,
    },
    /// A URL, or a host with a path: more than a host.
    NotOnlyHost {
        /// What it has too much.
        what: &'static str,
        /// The host in it, if it is one.
        fix: Option<String>,
    },
    /// A character above U+007F.
    NotAscii {
        /// The pattern with every label in its A-label form (RFC 5890 §2.3.2.1); none without feature `authoring`.
        a_labels: Option<String>,
    },
    /// `*`, or a wildcard over a single label.
    TooWide,
    /// A `*` that is not a whole first label.
    WildcardPlace,
    /// A wildcard over an IP address.
    WildcardAddress,
    /// A CIDR block that is none.
    Network {
        /// What is wrong with it.
        error: NetworkError,
        /// The same with brackets, where an IPv6 block lacks them.
        fix: Option<String>,
    },
}

impl HostPatternError {
    /// What to write instead, where that is clear.
    #[must_use]
    pub fn fix(&self) -> Option<String> {
        match self {
            Self::Malformed { fix, .. } | Self::NotOnlyHost { fix, .. } => fix.clone(),
            Self::NotAscii { a_labels } => a_labels.clone(),
            Self::Network {
                error: NetworkError::HostBits { network },
                ..
            } => Some(match network.address() {
                IpAddr::V4(_) => network.to_string(),
                IpAddr::V6(_) => format!("[{network}]"),
            }),
            Self::Network { fix, .. } => fix.clone(),
            _ => None,
        }
    }
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { fix: Some(fix), .. } if fix.starts_with('[') => {
                f.write_str("is an IPv6 address without brackets")
            }
            Self::Malformed { error, .. } => error.fmt(f),
            Self::NotOnlyHost { what, .. } => f.write_str(what),
            Self::NotAscii { .. } => f.write_str("is not ASCII; browsers send the A-label form"),
            Self::TooWide => f.write_str("covers names that nobody in particular owns"),
            Self::WildcardPlace => f.write_str("has a `*` that is not the whole first label"),
            Self::WildcardAddress => f.write_str("is a wildcard over an address"),
            Self::Network { error, .. } => error.fmt(f),
        }
    }
}

impl std::error::Error for HostPatternError {}

/// An allowlist. Matching takes the same time for ten entries and for ten thousand: one hash look-up for each way in
/// which an authority could be listed.
#[derive(Clone, Debug, Default)]
pub struct HostSet {
    names: Table<Ports>,
    one_label: Table<Ports>,
    subdomains: Table<Ports>,
    addresses: Table<Ports, Network>,
    networks: NetworkMap<Ports>,
    length: usize,
}

impl HostSet {
    /// Adds a pattern as the next entry.
    ///
    /// # Errors
    /// The index of an earlier entry that already covers everything the pattern matches.
    pub fn insert(&mut self, pattern: &HostPattern) -> Result<(), usize> {
        if let Some(earlier) = self.covering(pattern) {
            return Err(earlier);
        }
        let index = self.length;
        self.length = index.saturating_add(1);
        let add = |ports: &mut Ports| ports.insert(pattern.port, index);
        match &pattern.kind {
            PatternKind::Name(name) => self.names.update(name, add),
            PatternKind::OneLabel(base) => self.one_label.update(base, add),
            PatternKind::Subdomains(base) => self.subdomains.update(base, add),
            PatternKind::Address(address) => self.addresses.update(&Network::single(*address), add),
            PatternKind::Network(network) => self.networks.update(*network, add),
        }
        Ok(())
    }

    /// True if nothing is listed. An empty list allows nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The index of an entry that matches the authority. An authority without a port has the default port.
    #[must_use]
    pub fn matching(&self, authority: Authority<'_>, default_port: Port) -> Option<usize> {
        let port = Wanted::Port(authority.port().unwrap_or(default_port));
        match authority.host() {
            Host::Name(name) => self.matching_name(name.lower().as_bytes(), port),
            Host::Ipv4(address) => self.matching_address(IpAddr::V4(address), port),
            Host::Ipv6(address) => self.matching_address(IpAddr::V6(address), port),
        }
    }

    /// The index of an entry that matches everything the pattern matches.
    #[must_use]
    pub fn covering(&self, pattern: &HostPattern) -> Option<usize> {
        let port = pattern.port.map_or(Wanted::EveryPort, Wanted::Port);
        match &pattern.kind {
            PatternKind::Name(name) => self.matching_name(name, port),
            PatternKind::OneLabel(base) => {
                find(&self.one_label, base, port).or_else(|| self.covering_subdomains(base, port))
            }
            PatternKind::Subdomains(base) => self.covering_subdomains(base, port),
            PatternKind::Address(address) => self.matching_address(*address, port),
            PatternKind::Network(network) => self.networks.covering(*network).find_map(|ports| ports.find(port)),
        }
    }

    fn matching_name(&self, name: &[u8], port: Wanted) -> Option<usize> {
        find(&self.names, name, port)
            .or_else(|| find(&self.one_label, parent(name)?, port))
            .or_else(|| {
                if self.subdomains.is_empty() {
                    return None;
                }
                ancestors(name).find_map(|base| find(&self.subdomains, base, port))
            })
    }

    fn covering_subdomains(&self, base: &[u8], port: Wanted) -> Option<usize> {
        std::iter::once(base)
            .chain(ancestors(base))
            .find_map(|base| find(&self.subdomains, base, port))
    }

    fn matching_address(&self, address: IpAddr, port: Wanted) -> Option<usize> {
        self.addresses
            .get(&Network::single(address))
            .and_then(|ports| ports.find(port))
            .or_else(|| {
                if self.networks.is_empty() {
                    return None;
                }
                self.networks.containing(address).find_map(|ports| ports.find(port))
            })
    }
}

/// The ports of one host in a list, and the entry of each.
#[derive(Clone, Debug, Default)]
struct Ports {
    any: Option<usize>,
    exact: BTreeMap<Port, usize>,
}

#[derive(Clone, Copy)]
enum Wanted {
    Port(Port),
    EveryPort,
}

impl Ports {
    fn insert(&mut self, port: Option<Port>, index: usize) {
        match port {
            None => self.any = Some(index),
            Some(port) => {
                self.exact.insert(port, index);
            }
        }
    }

    fn find(&self, wanted: Wanted) -> Option<usize> {
        self.any.or_else(|| match wanted {
            Wanted::Port(port) => self.exact.get(&port).copied(),
            Wanted::EveryPort => None,
        })
    }
}

fn find(entries: &Table<Ports>, name: &[u8], port: Wanted) -> Option<usize> {
    entries.get(name).and_then(|ports| ports.find(port))
}

/// What follows the first label.
fn parent(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().position(|byte| *byte == b'.')?;
    name.get(dot.checked_add(1)?..)
}

/// The name without its first label, without its first two, and so on.
fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(name), |name| parent(name))
}

fn is_below(name: &[u8], base: &[u8]) -> bool {
    ancestors(name).any(|ancestor| ancestor == base)
}

/// What people paste: a URL, or a host with a path. A slash after an address is a prefix length, right or wrong.
fn not_only_an_authority(text: &str) -> Option<HostPatternError> {
    let (what, rest) = match split_scheme(text) {
        Some((_, rest)) => ("is a URL, not a host", rest),
        None => ("has a path", text),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    let has_more = rest.len() != text.len() || (host.len() != rest.len() && !is_address);
    has_more.then(|| HostPatternError::NotOnlyHost {
        what,
        fix: HostPattern::parse(host).is_ok().then(|| host.to_owned()),
    })
}

/// Splits `:port` off. A colon counts only after the closing bracket, or if it is the only one.
fn split_port(text: &str) -> Result<(&str, Option<Port>), HostPatternError> {
    let Some((host, digits)) = text.rsplit_once(':') else {
        return Ok((text, None));
    };
    if !host.ends_with(']') && (host.contains(':') || host.starts_with('[')) {
        return Ok((text, None));
    }
    let malformed = HostPatternError::Malformed {
        error: AuthorityError::Port,
        fix: None,
    };
    Port::parse(digits.as_bytes())
        .map(|port| (host, Some(port)))
        .ok_or(malformed)
}

fn wildcard_name(name: &str) -> Result<Box<[u8]>, HostPatternError> {
    if name.contains('*') {
        return Err(HostPatternError::WildcardPlace);
    }
    match Host::parse(name.as_bytes()) {
        Ok(Host::Name(name)) if !name.as_bytes().contains(&b'.') => Err(HostPatternError::TooWide),
        Ok(Host::Name(name)) => Ok(name.lower().as_bytes().into()),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err(HostPatternError::WildcardAddress),
        Err(error) => Err(HostPatternError::Malformed { error, fix: None }),
    }
}

fn parse_network(host: &str) -> Result<Network, HostPatternError> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let network =
        Network::parse(bracketed.unwrap_or(host)).map_err(|error| HostPatternError::Network { error, fix: None })?;
    if network.address().is_ipv6() == bracketed.is_some() {
        return Ok(network);
    }
    let fix = if network.address().is_ipv6() {
        format!("[{network}]")
    } else {
        network.to_string()
    };
    Err(HostPatternError::Network {
        error: NetworkError::Malformed,
        fix: Some(fix),
    })
}

fn unbracketed(host: &str) -> Option<String> {
    if let Some(address) = parse_ipv6(host.as_bytes()) {
        return Some(format!("[{address}]"));
    }
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'))?;
    parse_ipv4(inner.as_bytes()).map(|address| address.to_string())
}

/// Each label lower-cased and, where it is not ASCII, in Punycode (RFC 3492). A proposal for a person to look at, so without the mapping and
/// validity tables of UTS 46.
#[cfg(feature = "authoring")]
fn to_a_labels(text: &str) -> String {
    let labels = text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(|label| {
        let lower = label.to_lowercase();
        match idna::punycode::encode_str(&lower) {
            Some(encoded) if !lower.is_ascii() => format!("xn--{encoded}"),
            _ => lower,
        }
    });
    labels.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(patterns: &[&str]) -> HostSet {
        let mut set = HostSet::default();
        for pattern in patterns {
            set.insert(&HostPattern::parse(pattern).unwrap()).unwrap();
        }
        set
    }

    #[test]
    fn patterns_match_what_they_say() {
        let rows: &[(&[&str], &[&str], &[&str])] = &[
            (
                &["a.example"],
                &["a.example", "A.Example.", "a.example:8080"],
                &["b.a.example", "example", "a.example.b"],
            ),
            (
                &["*.a.example"],
                &["b.a.example", "b.a.example:1"],
                &["a.example", "c.b.a.example", "ba.example"],
            ),
            (
                &["**.a.example"],
                &["b.a.example", "c.b.a.example"],
                &["a.example", "ba.example"],
            ),
            (
                &["a.example:8443"],
                &["a.example:8443"],
                &["a.example", "a.example:443"],
            ),
            (&["a.example:80"], &["a.example:80", "a.example"], &["a.example:443"]),
            (
                &["a.example:1", "a.example:2"],
                &["a.example:1", "a.example:2"],
                &["a.example:3"],
            ),
            (
                &["127.0.0.1"],
                &["127.0.0.1", "127.0.0.1:9"],
                &["127.0.0.2", "[::ffff:127.0.0.1]", "localhost"],
            ),
            (&["[::1]:8443"], &["[0::1]:8443"], &["[::1]", "[::2]:8443"]),
            (
                &["10.0.0.0/8:8080"],
                &["10.255.0.1:8080"],
                &["10.0.0.1", "11.0.0.1:8080", "ten.example:8080"],
            ),
            (&["[fd00::/8]"], &["[fd12::1]:1"], &["[fe00::1]", "10.0.0.1"]),
            (&[], &[], &["a.example", "127.0.0.1"]),
        ];
        for (patterns, matching, others) in rows {
            let set = set(patterns);
            let found = |text: &str| {
                set.matching(Authority::parse(text.as_bytes()).unwrap(), Port::HTTP)
                    .is_some()
            };
            for text in *matching {
                assert!(found(text), "{patterns:?} matches {text}");
            }
            for text in *others {
                assert!(!found(text), "{patterns:?} does not match {text}");
            }
        }
    }

    #[test]
    fn malformed_patterns_come_with_a_fix() {
        let rows: &[(&str, Option<&str>)] = &[
            ("*", None),
            ("**", None),
            ("*.com", None),
            ("**.local", None),
            ("a.*.example", None),
            ("*a.example", None),
            ("*.*.example.com", None),
            ("*.127.0.0.1", None),
            ("", None),
            ("a.example:", None),
            ("a.example:0", None),
            ("a.example:99999", None),
            ("http://a.example", Some("a.example")),
            ("http://localhost:80/", Some("localhost:80")),
            ("http://", None),
            ("a.example/path", Some("a.example")),
            ("127.1", None),
            ("::1", Some("[::1]")),
            ("fd00::/8", Some("[fd00::/8]")),
            ("[127.0.0.1]", Some("127.0.0.1")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("[fd12::/8]", Some("[fd00::/8]")),
            (
                "B\u{fc}cher.example",
                cfg!(feature = "authoring").then_some("xn--bcher-kva.example"),
            ),
        ];
        for (text, fix) in rows {
            let error = HostPattern::parse(text).unwrap_err();
            assert_eq!(error.fix().as_deref(), *fix, "{text}: {error}");
        }
    }

    #[test]
    fn covered_entries_are_found() {
        let rows: &[(&str, &str, bool)] = &[
            ("a.example", "A.example", true),
            ("a.example", "a.example:80", true),
            ("a.example:80", "a.example", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "**.example.com", false),
            ("**.example.com", "*.example.com", true),
            ("**.example.com", "*.a.example.com", true),
            ("**.example.com", "**.a.example.com:1", true),
            ("10.0.0.0/8", "10.0.0.1", true),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("127.0.0.1", "[::ffff:127.0.0.1]", false),
        ];
        for (earlier, later, covered) in rows {
            let later_pattern = HostPattern::parse(later).unwrap();
            assert_eq!(
                set(&[earlier]).covering(&later_pattern).is_some(),
                *covered,
                "{earlier} {later}"
            );
            assert!(!covered || later_pattern.overlaps(&HostPattern::parse(earlier).unwrap()));
        }
    }
}
