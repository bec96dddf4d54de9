//! The host check, as slow and as plain as it can be written.

use hostbound::{Scheme, Version};

/// What of a policy the host check reads.
#[derive(Clone, Debug)]
pub struct Rules {
    pub allow: Vec<Pattern>,
    pub scheme: Option<Scheme>,
}

#[derive(Clone, Debug)]
pub struct Pattern {
    pub what: What,
    pub port: Option<u16>,
}

#[derive(Clone, Debug)]
pub enum What {
    Exact(Host),
    /// `*.name`
    OneLabel(String),
    /// `**.name`
    AnyLabels(String),
    /// An address and the number of its leading bits that count.
    Network(Host, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Host {
    Name(String),
    V4([u8; 4]),
    V6([u16; 8]),
}

#[derive(Clone, Debug)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

/// What of a request the host check reads. The method is GET.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub version: Version,
    pub connection: Scheme,
    pub hosts: Vec<Vec<u8>>,
    pub authorities: Vec<Vec<u8>>,
    pub target: Target,
}

#[derive(Clone, Debug)]
pub enum Target {
    Origin,
    /// The scheme with `://`, the authority, what follows it.
    Absolute(&'static str, Vec<u8>, &'static str),
}

/// `identity.host`, or the reason.
pub fn judge(rules: &Rules, exchange: &Exchange) -> Result<String, &'static str> {
    let multiplexed = match exchange.version {
        Version::Http10 | Version::Http11 => false,
        Version::Http2 | Version::Http3 => true,
    };
    // Contract §1, rules 2 and 4.
    let mut absolute = Vec::new();
    if let Target::Absolute(_, authority, _) = &exchange.target {
        if multiplexed
            || authority
                .iter()
                .any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#')
        {
            return Err("request_malformed");
        }
        // The authority ends where the path or the query begins (RFC 3986 §3.2).
        let end = authority.iter().position(|byte| *byte == b'/' || *byte == b'?');
        absolute.push(authority[..end.unwrap_or(authority.len())].to_vec());
    }
    let fields = || exchange.hosts.iter().chain(&exchange.authorities);
    if !multiplexed && !exchange.authorities.is_empty() {
        return Err("request_malformed");
    }
    if fields().flatten().any(|byte| b"\r\n\0".contains(byte)) {
        return Err("request_malformed");
    }
    // Contract §2: count, comma, grammar, agreement, allowlist.
    if fields().next().is_none() {
        return Err("host_missing");
    }
    if exchange.hosts.len() > 1 || exchange.authorities.len() > 1 || fields().flatten().any(|byte| *byte == b',') {
        return Err("host_duplicate");
    }
    let mut authorities = Vec::new();
    for value in fields().chain(&absolute) {
        authorities.push(authority(value).ok_or("host_malformed")?);
    }
    let scheme = rules.scheme.unwrap_or(exchange.connection);
    let default = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    let first = &authorities[0];
    for other in &authorities {
        if first.host != other.host || first.port.unwrap_or(default) != other.port.unwrap_or(default) {
            return Err("authority_mismatch");
        }
    }
    if !rules.allow.iter().any(|pattern| matches(pattern, first, default)) {
        return Err("host_not_allowed");
    }
    Ok(match first.port {
        Some(port) if port != default => format!("{}:{port}", text(&first.host)),
        _ => text(&first.host),
    })
}

/// RFC 9110 §7.2: host [":" port].
pub fn authority(value: &[u8]) -> Option<Authority> {
    let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
    let (host, rest) = match value.strip_prefix('[') {
        Some(literal) => {
            let (address, rest) = literal.split_once(']')?;
            (Host::V6(ipv6(address)?), rest)
        }
        None => {
            let end = value.find(':').unwrap_or(value.len());
            (name(&value[..end])?, &value[end..])
        }
    };
    let port = match rest {
        "" => None,
        _ => Some(port(rest.strip_prefix(':')?)?),
    };
    Some(Authority { host, port })
}

fn port(digits: &str) -> Option<u16> {
    let port = digits.parse::<u16>().ok()?;
    (port != 0 && port.to_string() == digits).then_some(port)
}

fn name(value: &str) -> Option<Host> {
    let name = value.strip_suffix('.').unwrap_or(value).to_lowercase();
    if let Some(address) = ipv4(&name) {
        return Some(Host::V4(address));
    }
    let labels: Vec<&str> = name.split('.').collect();
    for label in &labels {
        let legal = |char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '_');
        if !(1..=63).contains(&label.len()) || !label.chars().all(legal) {
            return None;
        }
    }
    let last = *labels.last()?;
    let hex = |char: char| char.is_ascii_hexdigit();
    if last.chars().all(|char| char.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(hex))
    {
        return None;
    }
    (name.len() <= 253).then_some(Host::Name(name))
}

/// RFC 3986 §3.2.2, `IPv4address`.
fn ipv4(value: &str) -> Option<[u8; 4]> {
    let mut octets = Vec::new();
    for part in value.split('.') {
        let octet = part.parse::<u8>().ok()?;
        if octet.to_string() != part {
            return None;
        }
        octets.push(octet);
    }
    octets.try_into().ok()
}

/// RFC 3986 §3.2.2, `IPv6address`.
fn ipv6(value: &str) -> Option<[u16; 8]> {
    let Some((before, after)) = value.split_once("::") else {
        return groups(value, true)?.try_into().ok();
    };
    let mut left = groups(before, false)?;
    let right = groups(after, true)?;
    // `::` stands for at least one group. A second one leaves an empty group behind, which `groups` refuses.
    if left.len() + right.len() > 7 {
        return None;
    }
    left.resize(8 - right.len(), 0);
    left.extend(right);
    left.try_into().ok()
}

fn groups(value: &str, at_the_end: bool) -> Option<Vec<u16>> {
    let mut groups = Vec::new();
    if value.is_empty() {
        return Some(groups);
    }
    let parts: Vec<&str> = value.split(':').collect();
    for (index, part) in parts.iter().enumerate() {
        if part.contains('.') {
            // An IPv4 address can only stand in the last 32 bits.
            if !at_the_end || index + 1 != parts.len() {
                return None;
            }
            let [a, b, c, d] = ipv4(part)?;
            groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else {
            if !(1..=4).contains(&part.len()) || !part.chars().all(|char| char.is_ascii_hexdigit()) {
                return None;
            }
            groups.push(u16::from_str_radix(part, 16).ok()?);
        }
    }
    Some(groups)
}

fn matches(pattern: &Pattern, authority: &Authority, default: u16) -> bool {
    let port = match pattern.port {
        None => true,
        Some(port) => authority.port.unwrap_or(default) == port,
    };
    port && match &pattern.what {
        What::Exact(host) => *host == authority.host,
        What::OneLabel(base) => labels_before(&authority.host, base) == Some(1),
        What::AnyLabels(base) => labels_before(&authority.host, base).is_some_and(|count| count >= 1),
        What::Network(network, length) => is_within(&authority.host, network, *length),
    }
}

fn labels_before(host: &Host, base: &str) -> Option<usize> {
    let Host::Name(name) = host else { return None };
    let (name, base): (Vec<_>, Vec<_>) = (name.split('.').collect(), base.split('.').collect());
    name.ends_with(&base).then(|| name.len() - base.len())
}

fn is_within(host: &Host, network: &Host, length: usize) -> bool {
    let (host, network) = (bits(host), bits(network));
    host.len() == network.len() && !host.is_empty() && host[..length] == network[..length]
}

fn bits(host: &Host) -> String {
    match host {
        Host::Name(_) => String::new(),
        Host::V4(octets) => octets.iter().map(|octet| format!("{octet:08b}")).collect(),
        Host::V6(groups) => groups.iter().map(|group| format!("{group:016b}")).collect(),
    }
}

/// Normalized: lower case, IPv6 by RFC 5952 in brackets.
pub fn text(host: &Host) -> String {
    match host {
        Host::Name(name) => name.clone(),
        Host::V4([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        Host::V6(groups) => format!("[{}]", rfc5952(groups)),
    }
}

fn rfc5952(groups: &[u16; 8]) -> String {
    // §5: the prefix that says that an IPv4 address is inside.
    if let [0, 0, 0, 0, 0, 0xffff, high, low] = *groups {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return format!("::ffff:{a}.{b}.{c}.{d}");
    }
    let hex = |groups: &[u16]| {
        groups
            .iter()
            .map(|group| format!("{group:x}"))
            .collect::<Vec<_>>()
            .join(":")
    };
    // §4.2: the longest run of zeros, at least two, the first of equals.
    for length in (2..=8).rev() {
        for start in 0..=8 - length {
            if groups[start..start + length].iter().all(|group| *group == 0) {
                return format!("{}::{}", hex(&groups[..start]), hex(&groups[start + length..]));
            }
        }
    }
    hex(groups)
}

impl Pattern {
    /// As a policy writes it.
    pub fn text(&self) -> String {
        let what = match &self.what {
            What::Exact(host) => text(host),
            What::OneLabel(base) => format!("*.{base}"),
            What::AnyLabels(base) => format!("**.{base}"),
            What::Network(network, length) => match text(network).strip_suffix(']') {
                Some(open) => format!("{open}/{length}]"),
                None => format!("{}/{length}", text(network)),
            },
        };
        self.port.map_or(what.clone(), |port| format!("{what}:{port}"))
    }

    /// True if every authority that matches `other` matches this one: a policy that lists it earlier is refused.
    pub fn covers(&self, other: &Self) -> bool {
        (self.port.is_none() || self.port == other.port)
            && match (&self.what, &other.what) {
                (What::Exact(host), What::Exact(other)) => host == other,
                (What::Exact(host), What::Network(other, length)) => host == other && bits(other).len() == *length,
                (What::OneLabel(base), What::Exact(other)) => labels_before(other, base) == Some(1),
                (What::OneLabel(base), What::OneLabel(other)) => base == other,
                (What::AnyLabels(base), What::Exact(other)) => {
                    labels_before(other, base).is_some_and(|count| count >= 1)
                }
                (What::AnyLabels(base), What::OneLabel(other) | What::AnyLabels(other)) => {
                    labels_before(&Host::Name(other.clone()), base).is_some()
                }
                (What::Network(network, length), What::Exact(other)) => is_within(other, network, *length),
                (What::Network(network, length), What::Network(other, other_length)) => {
                    length <= other_length && is_within(other, network, *length)
                }
                _ => false,
            }
    }
}
