//! One outbound request before the rules: URL, destination, redirect, credentials, addresses, pins, in that order.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Position, Url};

use super::{DestinationKey, Egress, EgressReason, Listing, Redirects};
use crate::address::AddressRules;
use crate::authority::{Authority, Host, Port, Scheme};
use crate::guard::Guard;
use crate::request::{RequestDocumentError, read_object};
use crate::verdict::{Decision, Detail, Mode, write_escaped};

/// The longest URL, in bytes.
const MAX_URL: usize = 8 * 1024;

/// An outbound request, in JSON. Unknown and duplicate fields are errors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressDocument {
    /// Copied into the verdict.
    #[serde(default)]
    pub id: Option<String>,
    /// Where to.
    pub url: String,
    /// What the host resolved to, or null: not looked up yet.
    #[serde(default)]
    pub addresses: Option<Vec<IpAddr>>,
    /// The URL whose answer redirected here, or null.
    #[serde(default)]
    pub from: Option<String>,
    /// The names of the headers that would be sent.
    #[serde(default)]
    pub headers: Vec<String>,
    /// `sha256/` and base64 of the SPKI of every certificate that the server presented, or null: no handshake yet.
    #[serde(default)]
    pub pins: Option<Vec<String>>,
}

impl EgressDocument {
    /// Reads one outbound request from JSON.
    ///
    /// # Errors
    /// [`RequestDocumentError`] with the column where reading stopped; it quotes no value.
    pub fn from_json(json: &[u8]) -> Result<Self, RequestDocumentError> {
        read_object(json)
    }
}

/// The verdict on an outbound request: always all fields, in this order, null where not applicable.
#[derive(Clone, Debug, Serialize)]
pub struct EgressVerdictDocument {
    /// The request's id.
    pub id: Option<String>,
    /// Allow or deny.
    pub decision: Decision,
    /// 200 on allow; null on deny: there is no answer to give.
    pub status: Option<u16>,
    /// `egress`, or null.
    pub check: Option<&'static str>,
    /// Why.
    pub reason: Option<EgressReason>,
    /// The same.
    pub public_reason: Option<EgressReason>,
    /// The setting that decided, as a dotted path.
    pub rule: Option<String>,
    /// One line for the operator, without query and userinfo.
    pub detail: Option<String>,
    /// `enforce` or `report`.
    pub mode: &'static str,
    /// The policy's digest.
    pub policy: String,
    /// Where to connect; null on deny.
    pub identity: Option<EgressIdentityDocument>,
    /// In report mode, what would have refused the request.
    pub reported: Vec<EgressReportDocument>,
}

impl EgressVerdictDocument {
    /// The verdict as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and nulls only: serializing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Where an allowed request goes. The face connects to exactly this.
#[derive(Clone, Debug, Serialize)]
pub struct EgressIdentityDocument {
    /// The URL, normalized, without fragment.
    pub url: String,
    /// The host to look up and to name in Host and SNI: lower case, without brackets and trailing dot.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The addresses that were judged, or null.
    pub addresses: Option<Vec<IpAddr>>,
}

/// What would have refused the request, had the policy not been in report mode.
#[derive(Clone, Debug, Serialize)]
pub struct EgressReportDocument {
    /// `egress`.
    pub check: &'static str,
    /// Why.
    pub reason: EgressReason,
    /// Null.
    pub status: Option<u16>,
    /// The setting that decided.
    pub rule: Option<String>,
    /// One line for the operator.
    pub detail: String,
}

struct Refusal {
    reason: EgressReason,
    rule: Option<String>,
    detail: String,
}

impl Refusal {
    fn new(reason: EgressReason, rule: Option<&str>, detail: impl Into<String>) -> Self {
        Self {
            reason,
            rule: rule.map(Into::into),
            detail: detail.into(),
        }
    }
}

impl Guard {
    /// Judges an outbound request: before the look-up with `addresses` null, after it with them, and once more with `pins` where
    /// [`Guard::needs_pins`] says so.
    #[must_use]
    pub fn judge_egress(&self, document: &EgressDocument) -> EgressVerdictDocument {
        let refused = match Outbound::parse(&document.url) {
            Err(refusal) => (None, Some(refusal)),
            Ok(outbound) => {
                let refusal = self.rules().and_then(|egress| egress.judge(&outbound, document)).err();
                (Some(outbound), refusal)
            }
        };
        let (outbound, refusal) = refused;
        // Without a destination there is nothing that could be allowed and reported.
        let is_reported = self.policy().mode() == Mode::Report && outbound.is_some();
        let is_allowed = refusal
            .as_ref()
            .is_none_or(|refusal| is_reported && !refusal.reason.is_always_enforced());
        let (denied, reported) = if is_allowed { (None, refusal) } else { (refusal, None) };
        EgressVerdictDocument {
            id: document.id.clone(),
            decision: if is_allowed { Decision::Allow } else { Decision::Deny },
            status: is_allowed.then_some(200),
            check: denied.as_ref().map(|_| "egress"),
            reason: denied.as_ref().map(|refusal| refusal.reason),
            public_reason: denied.as_ref().map(|refusal| refusal.reason),
            rule: denied.as_ref().and_then(|refusal| refusal.rule.clone()),
            detail: denied.map(|refusal| refusal.detail),
            mode: self.policy().mode().as_str(),
            policy: self.policy().digest().to_owned(),
            identity: outbound
                .filter(|_| is_allowed)
                .map(|outbound| outbound.identity(document)),
            reported: reported
                .map(|refusal| EgressReportDocument {
                    check: "egress",
                    reason: refusal.reason,
                    status: None,
                    rule: refusal.rule,
                    detail: refusal.detail,
                })
                .into_iter()
                .collect(),
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

    fn rules(&self) -> Result<&Egress, Refusal> {
        let refusal = || {
            Refusal::new(
                EgressReason::DestinationNotAllowed,
                Some("egress"),
                "the policy has no egress section",
            )
        };
        self.policy().egress.as_ref().ok_or_else(refusal)
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
        self.judge_destination(outbound)?;
        let is_cross_origin = self.judge_redirect(outbound, document)?;
        self.judge_credentials(outbound, document, is_cross_origin)?;
        self.judge_addresses(outbound, document)?;
        self.judge_pins(outbound, document)
    }

    fn judge_destination(&self, outbound: &Outbound) -> Result<(), Refusal> {
        let key = &outbound.key;
        // What displays as a host parses as one.
        let Ok(authority) = Authority::parse(key.host.as_bytes()) else {
            return Err(Refusal::new(
                EgressReason::UrlMalformed,
                None,
                "the URL's host is malformed",
            ));
        };
        let authority = authority.with_port(key.port);
        let (reason, detail) = match self.listing(key.scheme, authority, key) {
            Listing::Listed => return Ok(()),
            Listing::NoHost => (
                EgressReason::DestinationNotAllowed,
                format!("host `{}` is not allowed", key.host),
            ),
            Listing::OtherScheme => {
                let scheme = key.scheme.as_str();
                (
                    EgressReason::SchemeNotAllowed,
                    format!("scheme `{scheme}` is not allowed for `{}`", key.host),
                )
            }
            Listing::OtherPort => (
                EgressReason::PortNotAllowed,
                format!("port {} is not allowed for `{}`", key.port, key.host),
            ),
        };
        Err(Refusal::new(reason, Some("egress.allow"), detail))
    }

    /// Whether the request follows a redirect to another origin.
    fn judge_redirect(&self, outbound: &Outbound, document: &EgressDocument) -> Result<bool, Refusal> {
        let Some(from) = &document.from else { return Ok(false) };
        let from = Outbound::parse(from).map_err(|_| {
            Refusal::new(
                EgressReason::UrlMalformed,
                Some("egress.redirects"),
                "the URL that redirected here is malformed",
            )
        })?;
        let is_cross_origin = from.key != outbound.key;
        let detail = if from.key.scheme == Scheme::Https && outbound.key.scheme == Scheme::Http {
            "a redirect from https to http"
        } else if self.redirects == Redirects::None {
            "a redirect"
        } else if self.redirects == Redirects::SameOrigin && is_cross_origin {
            "a redirect to another origin"
        } else {
            return Ok(is_cross_origin);
        };
        Err(Refusal::new(
            EgressReason::RedirectNotAllowed,
            Some("egress.redirects"),
            detail,
        ))
    }

    fn judge_credentials(
        &self,
        outbound: &Outbound,
        document: &EgressDocument,
        is_cross_origin: bool,
    ) -> Result<(), Refusal> {
        let listed = self
            .credentials
            .get(&outbound.key.bytes())
            .map_or(&[][..], Vec::as_slice);
        let own = self
            .destinations
            .get(&outbound.key.bytes())
            .map_or(&[][..], |destination| &destination.credentials);
        for header in document.headers.iter().filter(|header| self.is_credential(header)) {
            let is_bound = listed.iter().chain(own).any(|bound| bound.eq_ignore_ascii_case(header));
            if is_cross_origin || !is_bound {
                let mut detail = String::from("credential header `");
                // Writing to a string cannot fail.
                let _ = write_escaped(&mut detail, header.as_bytes(), Detail::QUOTED_BYTES);
                detail.push_str(if is_cross_origin {
                    "` after a redirect to another origin"
                } else {
                    "` is not bound to this origin"
                });
                return Err(Refusal::new(
                    EgressReason::CredentialsNotAllowed,
                    Some("egress.credentials"),
                    detail,
                ));
            }
        }
        Ok(())
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
