//! Origins (RFC 6454), and the rules for who may start a request: the Origin header, else fetch metadata.
//!
//! Origin equal to Host proves nothing under rebinding: the host check comes first, always.

use std::net::IpAddr;

use crate::address::Network;
use crate::authority::{Authority, AuthorityError, Host, Port, Scheme};
use crate::request::Head;
use crate::table::Table;
use crate::verdict::{Detail, EffectiveAuthority, Failure, Reason};

/// The values of Sec-Fetch-Site (W3C Fetch Metadata §2.5).
pub(crate) const FETCH_SITES: [&str; 4] = ["same-origin", "same-site", "cross-site", "none"];

/// A serialized origin.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// `null`: a sandboxed frame, a local file, a redirect across origins.
    Null,
    /// scheme "://" host [":" port].
    Tuple {
        /// The scheme, in the case in which it came.
        scheme: &'a [u8],
        /// The host and port.
        authority: Authority<'a>,
    },
}

impl<'a> Origin<'a> {
    /// Parses a serialized origin (RFC 6454 §6.2): no path, no trailing slash, no list.
    ///
    /// # Errors
    /// [`OriginError`] says which part is malformed.
    pub fn parse(input: &'a [u8]) -> Result<Self, OriginError> {
        if input == b"null" {
            return Ok(Self::Null);
        }
        let end = input
            .iter()
            .take(40)
            .position(|byte| *byte == b':')
            .ok_or(OriginError::Scheme)?;
        let (scheme, rest) = input.split_at_checked(end).ok_or(OriginError::Scheme)?;
        let is_scheme = scheme.len() <= 32
            && scheme.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let authority = rest
            .strip_prefix(b"://")
            .filter(|_| is_scheme)
            .ok_or(OriginError::Scheme)?;
        let authority = Authority::parse(authority).map_err(OriginError::Authority)?;
        Ok(Self::Tuple { scheme, authority })
    }
}

/// Why bytes are no [`Origin`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OriginError {
    /// Neither `null` nor a scheme and `://`.
    Scheme,
    /// What follows is no host [":" port].
    Authority(AuthorityError),
}

/// The port that an origin of the scheme means when it has none.
fn default_port(scheme: &[u8]) -> Option<Port> {
    if [&b"http"[..], b"ws"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        Some(Port::HTTP)
    } else if [&b"https"[..], b"wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        Some(Port::HTTPS)
    } else {
        None
    }
}

/// The `origins` section.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) is_checked: bool,
    pub(crate) allow: OriginSet,
    /// Which of [`FETCH_SITES`] are allowed.
    pub(crate) fetch_site: Vec<&'static str>,
    pub(crate) navigate: bool,
    pub(crate) allows_absent: bool,
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            is_checked: true,
            allow: OriginSet {
                allows_self: true,
                ..OriginSet::default()
            },
            fetch_site: vec!["same-origin", "none"],
            navigate: true,
            allows_absent: true,
        }
    }
}

/// Why a request passed the origin check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OriginPass {
    Unchecked,
    Listed,
    OwnOrigin,
    FetchSite,
    Navigation,
    Absent,
}

impl Origins {
    /// Check `origin`. Without an effective authority `self` matches nothing.
    pub(crate) fn judge<'a>(
        &self,
        head: &Head<'a>,
        effective: Option<EffectiveAuthority<'_>>,
    ) -> Result<OriginPass, Failure<'a>> {
        if !self.is_checked {
            return Ok(OriginPass::Unchecked);
        }
        if let Some(value) = head.origin {
            return self.judge_origin(value, effective);
        }
        if let Some(site) = head.fetch_site {
            return self.judge_fetch_site(site, head);
        }
        if self.allows_absent {
            return Ok(OriginPass::Absent);
        }
        let detail = Detail::text("neither Origin nor Sec-Fetch-Site");
        Err(Failure::new(Reason::OriginNotAllowed, detail).by("origins.absent"))
    }

    fn judge_origin<'a>(
        &self,
        value: &'a [u8],
        effective: Option<EffectiveAuthority<'_>>,
    ) -> Result<OriginPass, Failure<'a>> {
        let origin = Origin::parse(value).map_err(|_| {
            Failure::new(
                Reason::OriginMalformed,
                Detail::quoting_authority("origin ", value, " is malformed"),
            )
        })?;
        if self.allow.allows_self && effective.is_some_and(|effective| is_own_origin(origin, effective)) {
            return Ok(OriginPass::OwnOrigin);
        }
        if self.allow.contains(origin) {
            return Ok(OriginPass::Listed);
        }
        let detail = Detail::quoting_authority("origin ", value, " is not allowed");
        Err(Failure::new(Reason::OriginNotAllowed, detail).by("origins.allow"))
    }

    fn judge_fetch_site<'a>(&self, site: &'a [u8], head: &Head<'a>) -> Result<OriginPass, Failure<'a>> {
        if self.fetch_site.iter().any(|allowed| allowed.as_bytes() == site) {
            return Ok(OriginPass::FetchSite);
        }
        let is_navigation = matches!(head.method, b"GET" | b"HEAD")
            && head.fetch_mode == Some(b"navigate")
            && head.fetch_dest == Some(b"document")
            && !head.is_websocket;
        if self.navigate && is_navigation {
            return Ok(OriginPass::Navigation);
        }
        let detail = Detail::quoting("sec-fetch-site ", site, " is not allowed");
        Err(Failure::new(Reason::FetchSiteNotAllowed, detail).by("origins.fetch_site"))
    }
}

/// The origin of the authority under its effective scheme; on a plain connection also under https, since TLS may have ended before us.
fn is_own_origin(origin: Origin<'_>, effective: EffectiveAuthority<'_>) -> bool {
    let Origin::Tuple { scheme, authority } = origin else {
        return false;
    };
    let Some(scheme) = Scheme::parse(scheme) else {
        return false;
    };
    let is_under = scheme == effective.scheme || (scheme == Scheme::Https && effective.scheme == Scheme::Http);
    is_under && authority.same(effective.authority, scheme)
}

/// The entries of `origins.allow`.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginSet {
    pub(crate) allows_self: bool,
    allows_null: bool,
    names: Table<Vec<SchemeAndPort>>,
    addresses: Table<Vec<SchemeAndPort>, Network>,
}

type SchemeAndPort = (Box<[u8]>, Option<Port>);

impl OriginSet {
    /// Adds `self`, `null` or an origin. `Ok(false)` if it was there.
    pub(crate) fn insert(&mut self, text: &str) -> Result<bool, OriginError> {
        if text == "self" {
            return Ok(!std::mem::replace(&mut self.allows_self, true));
        }
        match Origin::parse(text.as_bytes())? {
            Origin::Null => Ok(!std::mem::replace(&mut self.allows_null, true)),
            Origin::Tuple { scheme, authority } => {
                let port = authority.port().or_else(|| default_port(scheme));
                let entry = (scheme.to_ascii_lowercase().into(), port);
                let add = |entries: &mut Vec<SchemeAndPort>| {
                    let is_new = !entries.contains(&entry);
                    if is_new {
                        entries.push(entry);
                    }
                    is_new
                };
                Ok(match authority.host() {
                    Host::Name(name) => self.names.update(name.lower().as_bytes(), add),
                    Host::Ipv4(address) => self.addresses.update(&Network::single(address.into()), add),
                    Host::Ipv6(address) => self.addresses.update(&Network::single(address.into()), add),
                })
            }
        }
    }

    fn contains(&self, origin: Origin<'_>) -> bool {
        let Origin::Tuple { scheme, authority } = origin else {
            return self.allows_null;
        };
        let entries = match authority.host() {
            Host::Name(name) => self.names.get(name.lower().as_bytes()),
            Host::Ipv4(address) => self.addresses.get(&Network::single(IpAddr::V4(address))),
            Host::Ipv6(address) => self.addresses.get(&Network::single(IpAddr::V6(address))),
        };
        let port = authority.port().or_else(|| default_port(scheme));
        entries.is_some_and(|entries| {
            entries
                .iter()
                .any(|(listed, listed_port)| listed.eq_ignore_ascii_case(scheme) && *listed_port == port)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_parse_strictly() {
        for text in [
            "null",
            "http://a.example",
            "HTTPS://A.example:8443",
            "http://[::1]:3000",
            "chrome-extension://abcdefgh",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            "vscode-webview://a",
            "http://127.0.0.1",
        ] {
            assert!(Origin::parse(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            "",
            "Null",
            "a.example",
            "http://",
            "http:///",
            "http://a.example/",
            "http://a.example,http://b.example",
            "http://a.example http://b.example",
            "http://u@a.example",
            "://a.example",
            "1http://a.example",
            "http:/a.example",
            "http://a.example:0",
            "http://127.1",
            "http://a.example?x",
            "file://",
            "http://a_b/",
        ] {
            assert!(Origin::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn listed_origins_are_compared_by_value() {
        let mut set = OriginSet::default();
        for text in [
            "https://a.example",
            "http://[0::1]:3000",
            "app://b.example",
            "https://a.example:8443",
        ] {
            assert_eq!(set.insert(text), Ok(true), "{text}");
        }
        assert_eq!(set.insert("HTTPS://A.example:443"), Ok(false));
        let contains = |text: &str| set.contains(Origin::parse(text.as_bytes()).unwrap());
        for text in [
            "https://a.example:443",
            "https://A.EXAMPLE.",
            "http://[::1]:3000",
            "APP://b.example",
            "https://a.example:8443",
        ] {
            assert!(contains(text), "{text}");
        }
        for text in [
            "http://a.example",
            "https://b.a.example",
            "http://[::1]",
            "app://b.example:1",
            "null",
            "wss://a.example",
        ] {
            assert!(!contains(text), "{text}");
        }
    }

    #[test]
    fn own_origin_follows_the_effective_scheme() {
        let own = |origin: &str, authority: &str, scheme| {
            let effective = EffectiveAuthority {
                authority: Authority::parse(authority.as_bytes()).unwrap(),
                scheme,
            };
            is_own_origin(Origin::parse(origin.as_bytes()).unwrap(), effective)
        };
        use Scheme::{Http, Https};
        for (origin, authority, scheme, want) in [
            ("http://a.example", "a.example", Http, true),
            ("http://a.example:80", "a.example", Http, true),
            ("http://a.example", "A.example.:80", Http, true),
            ("https://a.example", "a.example", Http, true),
            ("https://a.example", "a.example:443", Http, true),
            ("https://a.example:8443", "a.example:8443", Http, true),
            ("https://a.example", "a.example:8443", Http, false),
            ("http://a.example:3000", "a.example", Http, false),
            ("http://a.example", "a.example", Https, false),
            ("https://a.example", "a.example", Https, true),
            ("http://b.example", "a.example", Http, false),
            ("null", "a.example", Http, false),
        ] {
            assert_eq!(own(origin, authority, scheme), want, "{origin} {authority} {scheme:?}");
        }
    }
}
