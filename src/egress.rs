//! Where requests may go out to: the rules of the `egress` section, and what they say of one request.
//!
//! Decides in two steps, before any look-up (`destination`) and after it (`judge`); connects nowhere and looks nothing up. DNS can be made to lie about a listed name, so the
//! addresses are judged as the name is, and the face connects to those and no others.

#[cfg(feature = "page")]
mod destination;
#[cfg(feature = "page")]
mod document;
#[cfg(feature = "egress")]
mod judge;
mod reason;
#[cfg(feature = "egress")]
mod target;

#[cfg(feature = "page")]
use std::borrow::Cow;

use crate::address::AddressRules;
use crate::authority::{Authority, Port, Scheme};
use crate::host::{HostPattern, HostSet};
use crate::origin::Origin;
use crate::table::Table;

#[cfg(feature = "page")]
pub(crate) use destination::Refusal;
#[cfg(feature = "page")]
pub use document::{EgressDocument, EgressIdentityDocument, EgressReportDocument, EgressVerdictDocument};
pub use reason::EgressReason;

/// Headers that carry a credential whatever the policy says, in lower case.
#[cfg(feature = "page")]
pub(crate) const CREDENTIAL_HEADERS: [&str; 9] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "signature",
    "signature-input",
    "webhook-signature",
    "x-api-key",
    "x-api-signature",
    "x-signature",
];

/// What happens to an answer that redirects.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Redirects {
    None,
    #[default]
    SameOrigin,
    Allowed,
}

/// Scheme, host and port, normalized: two are equal if they are the same origin (RFC 6454 §5).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct DestinationKey {
    pub(crate) scheme: Scheme,
    /// The host as [`crate::authority::Host`] displays it.
    pub(crate) host: Box<str>,
    pub(crate) port: Port,
}

impl DestinationKey {
    pub(crate) fn new(scheme: Scheme, authority: Authority<'_>) -> Self {
        let port = authority.port().unwrap_or(scheme.default_port());
        Self {
            scheme,
            host: authority.host().to_string().into(),
            port,
        }
    }

    /// The key of an exact http or https origin.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Origin::Tuple { scheme, authority } = Origin::parse(text.as_bytes()).ok()? else {
            return None;
        };
        Some(Self::new(Scheme::parse(scheme)?, authority))
    }

    /// Stands for it in a table.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.host.as_bytes().to_vec();
        bytes.extend(u16::from(self.port).to_be_bytes());
        bytes.push(u8::from(self.scheme == Scheme::Https));
        bytes
    }

    /// The pattern that matches this origin's host alone.
    pub(crate) fn pattern(&self) -> Option<HostPattern> {
        HostPattern::parse(&self.host).ok()
    }
}

/// One entry of `egress.destinations`.
#[cfg_attr(
    not(feature = "egress"),
    expect(dead_code, reason = "only outbound requests read all of it")
)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Destination {
    /// Of what.
    pub(crate) origin: Option<DestinationKey>,
    /// Which entry.
    pub(crate) index: usize,
    /// None: as the section says.
    pub(crate) addresses: Option<AddressRules>,
    pub(crate) pins: Vec<String>,
    pub(crate) ca: Option<String>,
    pub(crate) client_certificate: Option<String>,
    pub(crate) credentials: Vec<String>,
}

/// The `egress` section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Egress {
    /// The listed hosts under any scheme and port; under each scheme and any port; under each scheme and port.
    any_scheme: HostSet,
    any_port: [HostSet; 2],
    exact: [HostSet; 2],
    pub(crate) destinations: Table<Destination>,
    pub(crate) addresses: AddressRules,
    pub(crate) redirects: Redirects,
    /// The headers bound to each origin, in lower case.
    pub(crate) credentials: Table<Vec<String>>,
    /// Every header that carries a credential somewhere.
    pub(crate) credential_names: Table<()>,
}

/// How far a destination is listed.
#[cfg(feature = "page")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listing {
    NoHost,
    OtherScheme,
    OtherPort,
    Listed,
}

impl Egress {
    /// Adds an entry of `egress.allow`; its pattern has a port.
    ///
    /// # Errors
    /// The index, among the entries of this scheme, of one that covers it.
    pub(crate) fn allow(&mut self, scheme: Scheme, pattern: &HostPattern) -> Result<(), usize> {
        for_scheme(&mut self.exact, scheme).insert(pattern)?;
        let any_port = pattern.without_port();
        // Covered here means only that another port is listed too.
        let _ = for_scheme(&mut self.any_port, scheme).insert(&any_port);
        let _ = self.any_scheme.insert(&any_port);
        Ok(())
    }

    /// Remembers headers that carry a credential.
    pub(crate) fn name_credentials(&mut self, headers: &[String]) {
        for header in headers {
            self.credential_names.insert(header.as_bytes(), ());
        }
    }

    /// True if an entry covers every request to the origin.
    pub(crate) fn lists(&self, key: &DestinationKey) -> bool {
        let Some(pattern) = key.pattern() else { return false };
        let [http, https] = &self.exact;
        let set = match key.scheme {
            Scheme::Http => http,
            Scheme::Https => https,
        };
        set.covering(&pattern.with_port(key.port)).is_some() || self.destinations.contains(&key.bytes())
    }

    #[cfg(feature = "page")]
    pub(crate) fn listing(&self, scheme: Scheme, authority: Authority<'_>, key: &DestinationKey) -> Listing {
        let [http, https] = &self.exact;
        let [any_http, any_https] = &self.any_port;
        let (exact, any_port) = match scheme {
            Scheme::Http => (http, any_http),
            Scheme::Https => (https, any_https),
        };
        let default = scheme.default_port();
        if self.destinations.contains(&key.bytes()) || exact.matching(authority, default).is_some() {
            Listing::Listed
        } else if any_port.matching(authority, default).is_some() || self.has_destination(Some(scheme), &key.host) {
            Listing::OtherPort
        } else if self.any_scheme.matching(authority, default).is_some() || self.has_destination(None, &key.host) {
            Listing::OtherScheme
        } else {
            Listing::NoHost
        }
    }

    #[cfg(feature = "page")]
    fn has_destination(&self, scheme: Option<Scheme>, host: &str) -> bool {
        let is_near = |key: &DestinationKey| &*key.host == host && scheme.is_none_or(|scheme| scheme == key.scheme);
        self.destinations
            .iter()
            .any(|(_, destination)| destination.origin.as_ref().is_some_and(is_near))
    }

    /// True if a header carries a credential: by its name alone, or because the policy binds it to some origin.
    #[cfg(feature = "page")]
    pub(crate) fn is_credential(&self, header: &str) -> bool {
        let is_lower = !header.bytes().any(|byte| byte.is_ascii_uppercase());
        let name = if is_lower {
            Cow::Borrowed(header)
        } else {
            Cow::Owned(header.to_ascii_lowercase())
        };
        CREDENTIAL_HEADERS.contains(&&*name) || self.credential_names.contains(name.as_bytes())
    }
}

fn for_scheme(sets: &mut [HostSet; 2], scheme: Scheme) -> &mut HostSet {
    let [http, https] = sets;
    match scheme {
        Scheme::Http => http,
        Scheme::Https => https,
    }
}
