//! host [":" port], and the scheme under which it is read.
//!
//! Decides whether bytes are an authority and whether two are the same. Which authorities are allowed is for `host`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use crate::address::{parse_ipv4, parse_ipv6};

/// `http` or `https`: of a connection, or the effective one behind TLS termination.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// RFC 9110 §4.2.1, default port 80.
    Http,
    /// RFC 9110 §4.2.2, default port 443.
    Https,
}

impl Scheme {
    /// The port that an authority without one means.
    #[must_use]
    pub const fn default_port(self) -> Port {
        match self {
            Self::Http => Port::HTTP,
            Self::Https => Port::HTTPS,
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme of that name, without case (RFC 3986 §3.1).
    #[must_use]
    pub const fn parse(text: &[u8]) -> Option<Self> {
        if text.eq_ignore_ascii_case(b"http") {
            Some(Self::Http)
        } else if text.eq_ignore_ascii_case(b"https") {
            Some(Self::Https)
        } else {
            None
        }
    }
}

/// What is before the first `://`, and what is behind it. Not by `split_once`, which can search for any text and brings more code than this file has.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let at_colon = |(at, _): (usize, &str)| {
        let (scheme, rest) = text.split_at_checked(at)?;
        Some((scheme, rest.strip_prefix("://")?))
    };
    text.match_indices(':').find_map(at_colon)
}

/// A TCP port, 1–65535.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Port(NonZeroU16);

impl Port {
    /// 80.
    pub const HTTP: Self = Self(NonZeroU16::MIN.saturating_add(79));
    /// 443.
    pub const HTTPS: Self = Self(NonZeroU16::MIN.saturating_add(442));

    /// Parses 1 to 5 digits without a leading zero, 1–65535.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || digits.len() > 5 || digits.first() == Some(&b'0') {
            return None;
        }
        let mut value: u32 = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value
                .checked_mul(10)?
                .checked_add(u32::from(digit.wrapping_sub(b'0')))?;
        }
        u16::try_from(value).ok().and_then(NonZeroU16::new).map(Self)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host name: ASCII letters, digits, `-`, `_` and `.`; labels of 1–63 bytes, at most 253 in all (RFC 1035 §2.3.4); its last label
/// is no number (WHATWG URL, "ends in a number"). One trailing dot is dropped. Equality is without case.
#[derive(Clone, Copy)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The longest name, in bytes.
    pub const MAX: usize = 253;

    /// The bytes as they were received, without a trailing dot.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name in lower case, on the stack.
    #[must_use]
    pub fn lower(self) -> LowerName {
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(self.0) {
            *to = from.to_ascii_lowercase();
        }
        // INVARIANT: a name has 1 to 253 bytes.
        LowerName {
            bytes,
            length: u8::try_from(self.0.len()).unwrap_or(u8::MAX),
        }
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Name<'_> {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower = self.lower();
        f.write_str(std::str::from_utf8(lower.as_bytes()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// A [`Name`] in lower case.
#[derive(Clone, Copy, Debug)]
pub struct LowerName {
    bytes: [u8; Name::MAX],
    length: u8,
}

impl LowerName {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// A host: a name or an address. IPv4-mapped IPv6 is IPv6, and never equals the IPv4 address inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host<'a> {
    /// A name to look up.
    Name(Name<'a>),
    /// An IPv4 literal.
    Ipv4(Ipv4Addr),
    /// An IPv6 literal.
    Ipv6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Parses a host without a port: a name, a dotted quad, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// [`AuthorityError`] says which rule is broken.
    pub fn parse(input: &'a [u8]) -> Result<Self, AuthorityError> {
        match input {
            [b'[', literal @ .., b']'] => parse_ipv6(literal).map(Self::Ipv6).ok_or(AuthorityError::Ipv6),
            [b'[', ..] => Err(AuthorityError::Ipv6),
            _ => parse_name_or_ipv4(input),
        }
    }

    /// The address, if this is a literal.
    #[must_use]
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ipv4(address) => Some(IpAddr::V4(address)),
            Self::Ipv6(address) => Some(IpAddr::V6(address)),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

/// host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2), without userinfo.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    host: Host<'a>,
    port: Option<Port>,
}

impl<'a> Authority<'a> {
    /// Parses an authority. Takes time linear in the shorter of the input and 260 bytes.
    ///
    /// # Errors
    /// [`AuthorityError`] says which rule is broken.
    pub fn parse(input: &'a [u8]) -> Result<Self, AuthorityError> {
        let colon = match input {
            [] => return Err(AuthorityError::Empty),
            // Only after the bracket can a colon start the port.
            [b'[', ..] => input
                .iter()
                .position(|byte| *byte == b']')
                .and_then(|bracket| bracket.checked_add(1))
                .ok_or(AuthorityError::Ipv6)?,
            // A name and its trailing dot end by byte 254.
            _ => input
                .iter()
                .take(256)
                .position(|byte| *byte == b':')
                .unwrap_or(input.len()),
        };
        let (host, rest) = input.split_at_checked(colon).ok_or(AuthorityError::Ipv6)?;
        let port = match rest {
            [] => None,
            [b':', digits @ ..] => Some(Port::parse(digits).ok_or(AuthorityError::Port)?),
            _ => return Err(AuthorityError::Ipv6),
        };
        Ok(Self {
            host: Host::parse(host)?,
            port,
        })
    }

    /// The host.
    #[must_use]
    pub const fn host(self) -> Host<'a> {
        self.host
    }

    /// The port, if one is written.
    #[must_use]
    pub const fn port(self) -> Option<Port> {
        self.port
    }

    /// The same host with that port.
    #[cfg(feature = "page")]
    #[must_use]
    pub(crate) const fn with_port(self, port: Port) -> Self {
        Self {
            host: self.host,
            port: Some(port),
        }
    }

    /// True if both mean the same host and port under the scheme: an absent port is the scheme's default (RFC 9110 §4.2.3).
    #[must_use]
    pub fn same(self, other: Self, scheme: Scheme) -> bool {
        let default = scheme.default_port();
        self.host == other.host && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

/// Which rule an authority breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthorityError {
    /// Nothing there.
    Empty,
    /// A byte that is no letter, digit, `-`, `_` or `.`.
    Character,
    /// A label of 0 or more than 63 bytes, or a name of more than 253.
    Length,
    /// The last label is a number, but the whole is no dotted quad.
    Number,
    /// Brackets without an IPv6 address inside, or with something after them.
    Ipv6,
    /// No port from 1 to 65535 after the colon.
    Port,
}

impl AuthorityError {
    /// The rule, as the end of a sentence about the input.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => " is empty",
            Self::Character => " has a character that no host name has",
            Self::Length => " has a label or a length out of bounds",
            Self::Number => " ends in a number but is no IPv4 address",
            Self::Ipv6 => " has brackets without an IPv6 address",
            Self::Port => " has no port from 1 to 65535 after the colon",
        }
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().trim_start())
    }
}

impl std::error::Error for AuthorityError {}

fn parse_name_or_ipv4(input: &[u8]) -> Result<Host<'_>, AuthorityError> {
    let name = input.strip_suffix(b".").unwrap_or(input);
    if name.is_empty() {
        return Err(if input.is_empty() {
            AuthorityError::Empty
        } else {
            AuthorityError::Length
        });
    }
    if name.len() > Name::MAX {
        return Err(AuthorityError::Length);
    }
    let mut last_label = name;
    for label in name.split(|byte| *byte == b'.') {
        if !label
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        {
            return Err(AuthorityError::Character);
        }
        if label.is_empty() || label.len() > 63 {
            return Err(AuthorityError::Length);
        }
        last_label = label;
    }
    if is_number(last_label) {
        return parse_ipv4(name).map(Host::Ipv4).ok_or(AuthorityError::Number);
    }
    Ok(Host::Name(Name(name)))
}

/// WHATWG URL, "ends in a number checker": such a name is an IPv4 address to a browser, whatever it looks like.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        _ => label.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str) -> Result<String, AuthorityError> {
        Authority::parse(input.as_bytes()).map(|authority| match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_string(),
        })
    }

    #[test]
    fn authorities_parse_by_the_grammar() {
        use AuthorityError::{Character, Empty, Ipv6, Length, Number, Port};
        let rows: &[(&str, Result<&str, AuthorityError>)] = &[
            // case, trailing dot, underscore
            ("EXAMPLE.com", Ok("example.com")),
            ("example.com.", Ok("example.com")),
            ("example.com.:80", Ok("example.com:80")),
            ("my_service", Ok("my_service")),
            ("example.com..", Err(Length)),
            (".example.com", Err(Length)),
            (".", Err(Length)),
            ("", Err(Empty)),
            (":80", Err(Empty)),
            // port
            ("a:1", Ok("a:1")),
            ("a:65535", Ok("a:65535")),
            ("a:65536", Err(Port)),
            ("a:99999", Err(Port)),
            ("a:0", Err(Port)),
            ("a:080", Err(Port)),
            ("a:", Err(Port)),
            ("a:-1", Err(Port)),
            ("a:+80", Err(Port)),
            ("a:0x50", Err(Port)),
            ("a:80:80", Err(Port)),
            ("a:80.evil.com", Err(Port)),
            ("a:@evil.com", Err(Port)),
            // characters
            ("a@b", Err(Character)),
            ("a/b", Err(Character)),
            ("a\\b", Err(Character)),
            ("a%6d", Err(Character)),
            ("a b", Err(Character)),
            ("b\u{fc}cher", Err(Character)),
            ("*.a", Err(Character)),
            // addresses
            ("127.0.0.1", Ok("127.0.0.1")),
            ("127.0.0.1.", Ok("127.0.0.1")),
            ("127.1", Err(Number)),
            ("2130706433", Err(Number)),
            ("0x7f000001", Err(Number)),
            ("0x", Err(Number)),
            ("a.0X7F", Err(Number)),
            ("a.0xg", Ok("a.0xg")),
            ("127.0.0.01", Err(Number)),
            ("10.0.2.555", Err(Number)),
            ("1.2.3.4.5", Err(Number)),
            ("1.2.3.a", Ok("1.2.3.a")),
            ("[::1]", Ok("[::1]")),
            ("[0:0::1]:8000", Ok("[::1]:8000")),
            ("[::FFFF:127.0.0.1]", Ok("[::ffff:127.0.0.1]")),
            ("[::1", Err(Ipv6)),
            ("[::1]x", Err(Ipv6)),
            ("[::1%25lo]", Err(Ipv6)),
            ("[127.0.0.1]", Err(Ipv6)),
            ("[localhost]", Err(Ipv6)),
            ("[]", Err(Ipv6)),
            ("[::1].", Err(Ipv6)),
            ("::1", Err(Port)),
        ];
        for (input, want) in rows {
            assert_eq!(shown(input), want.map(Into::into), "{input}");
        }
    }

    #[test]
    fn lengths_are_bounded_at_63_and_253() {
        let label = |length| "a".repeat(length);
        assert!(shown(&label(63)).is_ok());
        assert_eq!(shown(&label(64)), Err(AuthorityError::Length));
        let name = [label(63), label(63), label(63), label(61)].join(".");
        assert_eq!(name.len(), 253);
        assert!(shown(&name).is_ok());
        assert!(shown(&format!("{name}.:65535")).is_ok());
        assert_eq!(shown(&format!("{name}a")), Err(AuthorityError::Length));
    }

    #[test]
    fn sameness_is_by_value() {
        let same = |a: &str, b: &str, scheme| {
            Authority::parse(a.as_bytes())
                .unwrap()
                .same(Authority::parse(b.as_bytes()).unwrap(), scheme)
        };
        assert!(same("A.example", "a.example.:80", Scheme::Http));
        assert!(!same("a.example", "a.example:80", Scheme::Https));
        assert!(same("[::0:1]:443", "[::1]", Scheme::Https));
        assert!(!same("[::ffff:127.0.0.1]", "127.0.0.1", Scheme::Http));
    }
}
