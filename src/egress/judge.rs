//! One outbound request before the rules: URL, destination, redirect, credentials, addresses, pins, in that order.

use std::net::IpAddr;

use url::{Position, Url};

use super::destination::Refusal;
use super::{DestinationKey, Egress, EgressDocument, EgressIdentityDocument, EgressReason, EgressVerdictDocument};
use crate::address::AddressRules;
use crate::authority::{Authority, Host, Port, Scheme};
use crate::guard::Guard;
use crate::verdict::{Detail, write_escaped};

/// The longest URL, in bytes.
const MAX_URL: usize = 8 * 1024;

impl Guard {
    /// Judges an outbound request: before the look-up with `addresses` null, after it with them, and once more with `pins` where
    /// [`Guard::needs_pins`] says so.
    #[must_use]
    pub fn judge_egress(&self, document: &EgressDocument) -> EgressVerdictDocument {
        match Outbound::parse(&document.url) {
            Err(refusal) => self.egress_verdict(document.id.as_deref(), None, Some(refusal)),
            Ok(outbound) => {
                let judged = self.egress_rules().and_then(|egress| egress.judge(&outbound, document));
                self.egress_verdict(document.id.as_deref(), Some(outbound.identity(document)), judged.err())
            }
        }
    }

    /// The pins of the URL's destination; empty if it has none. With pins, a request must be judged again after the handshake.
    #[must_use]
    pub fn pins(&self, url: &str) -> &[String] {
        self.destination(url).map_or(&[], |destination| &destination.pins)
    }

    /// The file with the certificate authorities of the URL's destination, if it has its own.
    #[must_use]
    pub fn certificate_authorities(&self, url: &str) -> Option<&str> {
        self.destination(url)?.ca.as_deref()
    }

    /// The file with the client certificate and key for the URL's destination, if it has one.
    #[must_use]
    pub fn client_certificate(&self, url: &str) -> Option<&str> {
        self.destination(url)?.client_certificate.as_deref()
    }

    /// True if a header carries a credential, and must be removed on a redirect to another origin.
    #[must_use]
    pub fn is_credential(&self, header: &str) -> bool {
        match self.policy().egress.as_ref() {
            Some(egress) => egress.is_credential(header),
            None => Egress::default().is_credential(header),
        }
    }

    fn destination(&self, url: &str) -> Option<&super::Destination> {
        let outbound = Outbound::parse(url).ok()?;
        self.policy().egress.as_ref()?.destinations.get(&outbound.key.bytes())
    }
}

/// A URL that every parser reads alike.
struct Outbound {
    url: Url,
    key: DestinationKey,
    /// Without brackets.
    host: String,
    address: Option<IpAddr>,
}

impl Outbound {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = |detail: &str| Refusal::new(EgressReason::UrlMalformed, None, detail);
        if text.len() > MAX_URL {
            return Err(malformed("the URL is longer than 8 KiB"));
        }
        let mut url = Url::parse(text).map_err(|error| malformed(&format!("the URL is malformed: {error}")))?;
        let Some(scheme) = Scheme::parse(url.scheme().as_bytes()) else {
            let mut detail = String::from("scheme `");
            // Writing to a string cannot fail.
            let _ = write_escaped(&mut detail, url.scheme().as_bytes(), Detail::QUOTED_BYTES);
            return Err(Refusal::new(
                EgressReason::SchemeNotAllowed,
                Some("egress.allow"),
                detail + "` is not allowed",
            ));
        };
        let (authority_text, rest) =
            split(text, url.scheme()).ok_or_else(|| malformed("the URL does not start with its scheme and `://`"))?;
        if authority_text.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::new(
                EgressReason::UserinfoNotAllowed,
                None,
                "the URL has a user name or password",
            ));
        }
        if text.contains(['\\', ' ', '\t', '\r', '\n']) {
            return Err(malformed("the URL has a backslash or white space"));
        }
        // WHATWG repairs much; what it repaired, another parser may read otherwise.
        let serialized = &url[Position::BeforePath..];
        let has_empty_path = !rest.starts_with('/') && serialized.strip_prefix('/') == Some(rest);
        if rest != serialized && !has_empty_path {
            return Err(malformed("the URL's path or query is not in its normal form"));
        }
        let host_text = url
            .host_str()
            .ok_or_else(|| malformed("the URL has no host"))?
            .to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        if !is_spelled_alike(authority_text, &host_text, port) {
            return Err(malformed("the URL's host or port is not in its normal form"));
        }
        let authority =
            Authority::parse(host_text.as_bytes()).map_err(|error| malformed(&format!("the URL's host {error}")))?;
        let address = authority.host().address();
        let port = Port::parse(port.to_string().as_bytes()).ok_or_else(|| malformed("the URL has port 0"))?;
        let key = DestinationKey {
            scheme,
            host: authority.host().to_string().into(),
            port,
        };
        let host = match authority.host() {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        url.set_fragment(None);
        if host_text.ends_with('.') && url.set_host(Some(&host)).is_err() {
            return Err(malformed("the URL's host is malformed"));
        }
        Ok(Self {
            url,
            key,
            host,
            address,
        })
    }

    fn identity(&self, document: &EgressDocument) -> EgressIdentityDocument {
        EgressIdentityDocument {
            url: self.url.to_string(),
            host: self.host.clone(),
            port: self.key.port.into(),
            addresses: document.addresses.clone(),
        }
    }
}

impl Egress {
    fn judge(&self, outbound: &Outbound, document: &EgressDocument) -> Result<(), Refusal> {
        let key = &outbound.key;
        self.judge_destination(key)?;
        let from = match &document.from {
            Some(url) => Some(Outbound::parse(url).map_err(|_| Refusal::malformed_from())?.key),
            None => None,
        };
        let is_cross_origin = self.judge_redirect(key, from.as_ref())?;
        self.judge_credentials(key, &document.headers, is_cross_origin)?;
        self.judge_addresses(outbound, document)?;
        self.judge_pins(outbound, document)
    }

    fn judge_addresses(&self, outbound: &Outbound, document: &EgressDocument) -> Result<(), Refusal> {
        let (rules, index) = self.address_rules(outbound);
        let refused = |reason, detail: String| {
            let rule = match index {
                Some(index) => format!("egress.destinations[{index}].addresses"),
                None => "egress.addresses".to_owned(),
            };
            Err(Refusal {
                reason,
                rule: Some(rule),
                detail,
            })
        };
        if document.addresses.as_ref().is_some_and(Vec::is_empty) {
            return refused(
                EgressReason::AddressMissing,
                format!("`{}` has no address", outbound.host),
            );
        }
        if let Some(literal) = outbound.address {
            // A literal that is listed is its own listing; there is nothing to look up.
            return match &document.addresses {
                Some(addresses) if addresses.as_slice() != [literal] => refused(
                    EgressReason::AddressNotAllowed,
                    format!("an IP literal is its own address, {literal}"),
                ),
                _ if self.lists(&outbound.key) => Ok(()),
                _ => rules
                    .allows(literal)
                    .or_else(|error| refused(EgressReason::AddressNotAllowed, error.to_string())),
            };
        }
        let Some(addresses) = &document.addresses else {
            return Ok(());
        };
        for address in addresses {
            if let Err(error) = rules.allows(*address) {
                return refused(EgressReason::AddressNotAllowed, error.to_string());
            }
        }
        Ok(())
    }

    /// The rules for a destination's addresses, and which destination has its own.
    fn address_rules(&self, outbound: &Outbound) -> (&AddressRules, Option<usize>) {
        let own = self.destinations.get(&outbound.key.bytes());
        own.and_then(|destination| Some((destination.addresses.as_ref()?, Some(destination.index))))
            .unwrap_or((&self.addresses, None))
    }

    fn judge_pins(&self, outbound: &Outbound, document: &EgressDocument) -> Result<(), Refusal> {
        let (Some(destination), Some(presented)) = (self.destinations.get(&outbound.key.bytes()), &document.pins)
        else {
            return Ok(());
        };
        if destination.pins.is_empty() || presented.iter().any(|pin| destination.pins.contains(pin)) {
            return Ok(());
        }
        let rule = format!("egress.destinations[{}].pins", destination.index);
        let detail = format!("`{}` presented no public key that is pinned", outbound.host);
        Err(Refusal {
            reason: EgressReason::PinMismatch,
            rule: Some(rule),
            detail,
        })
    }
}

/// The authority as it is written, and what follows it, without the fragment's absence mattering.
fn split<'a>(text: &'a str, scheme: &str) -> Option<(&'a str, &'a str)> {
    let rest = text.strip_prefix(scheme)?.strip_prefix("://")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    rest.split_at_checked(end)
}

/// True if the authority is the parsed host and port, up to the case of the host, a default port written out, and U-labels for A-labels.
fn is_spelled_alike(written: &str, host: &str, port: u16) -> bool {
    let (written_host, written_port) = match written.rsplit_once(':') {
        Some((host, digits)) if !digits.contains(']') => (host, Some(digits)),
        _ => (written, None),
    };
    if let Some(digits) = written_port
        && Port::parse(digits.as_bytes()).map(u16::from) != Some(port)
    {
        return false;
    }
    if written_host.is_ascii() {
        return written_host.eq_ignore_ascii_case(host);
    }
    // Only real U-labels: what UTS 46 maps to other characters (full width, soft hyphen) does not come back.
    let (unicode, errors) = idna::domain_to_unicode(host);
    errors.is_ok() && unicode == written_host.to_lowercase()
}
