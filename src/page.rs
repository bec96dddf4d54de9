//! A page in a browser: whether it may start under the name that it was opened under, and what it may ask for.
//!
//! Decides by `hosts.allow`, and by `egress` before any look-up: a browser tells a page no address. URLs come as the browser's own parser wrote them,
//! which is also the parser that the request goes by.

use serde::{Deserialize, Serialize};

use crate::authority::{Authority, Host, Scheme, split_scheme};
use crate::egress::{DestinationKey, Egress, EgressIdentityDocument, EgressReason, EgressVerdictDocument, Refusal};
use crate::guard::Guard;
use crate::request::{RequestDocumentError, read_object};
use crate::verdict::{
    Decision, Detail, EffectiveAuthority, Failure, Identity, Mode, Reason, Verdict, VerdictDocument, write_escaped,
};

/// The longest URL that a page may ask for, in bytes.
const MAX_URL: usize = 64 * 1024;

/// Schemes whose contents the browser has at hand: nothing goes out.
const LOCAL_SCHEMES: [&str; 3] = ["about", "blob", "data"];

/// A page, or one of its requests, in JSON. Unknown and duplicate fields are errors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageDocument {
    /// Copied into the verdict.
    #[serde(default)]
    pub id: Option<String>,
    /// The origin of the page, as `self.origin` has it: `null` if it is opaque.
    pub origin: String,
    /// What the page asks for, or null: nothing yet, the page itself is to be judged.
    #[serde(default)]
    pub url: Option<String>,
    /// The URL whose answer redirected there, or null.
    #[serde(default)]
    pub from: Option<String>,
    /// The names of the headers that the page sets.
    #[serde(default)]
    pub headers: Vec<String>,
}

impl PageDocument {
    /// Reads a page from JSON.
    ///
    /// # Errors
    /// [`RequestDocumentError`] with the column where reading stopped; it quotes no value.
    pub fn from_json(json: &[u8]) -> Result<Self, RequestDocumentError> {
        read_object(json)
    }
}

/// The verdict on a page, or on one of its requests.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PageVerdictDocument {
    /// The page itself: all of it that was asked about, or what refuses it and with it all of its requests.
    Page(VerdictDocument),
    /// A request of a page that may start.
    Request(EgressVerdictDocument),
}

impl PageVerdictDocument {
    /// Allow or deny.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Page(verdict) => verdict.decision,
            Self::Request(verdict) => verdict.decision,
        }
    }

    /// The verdict as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and nulls only: serializing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Guard {
    /// Judges a page by the name that it stands under, and, with a URL, a request of it. A page asks its own origin for what it likes, and others by the
    /// rules for outbound requests; what reaches no network has no identity.
    #[must_use]
    pub fn judge_page(&self, document: &PageDocument) -> PageVerdictDocument {
        let id = document.id.as_deref();
        let page = self.judge_origin(&document.origin);
        let is_let_through =
            |failure: &Failure<'_>| self.policy().mode() == Mode::Report && !failure.reason().is_always_enforced();
        let is_refused = page.failure.as_ref().is_some_and(|failure| !is_let_through(failure));
        match (&document.url, page.key) {
            (Some(url), Some(own)) if !is_refused => {
                let (destination, judged) = self.judge_asked(&own, url, document);
                PageVerdictDocument::Request(self.egress_verdict(id, destination, judged.err()))
            }
            _ => {
                let decision = if is_refused { Decision::Deny } else { Decision::Allow };
                let identity = Identity {
                    host: page.host.filter(|_| page.failure.is_none()),
                    ..Identity::default()
                };
                let verdict = Verdict::new(&self.policy().provenance, decision, page.failure, identity, false);
                PageVerdictDocument::Page(verdict.document(id))
            }
        }
    }

    fn judge_origin<'a>(&self, origin: &'a str) -> Page<'a> {
        let refused = |failure| Page {
            host: None,
            key: None,
            failure: Some(failure),
        };
        let quoting = |what| Detail::quoting_authority("origin ", origin.as_bytes(), what);
        if origin == "null" {
            let detail = Detail::text("the page's origin is opaque: it stands under no name");
            return refused(Failure::new(Reason::HostMissing, detail));
        }
        let Some((scheme, rest)) = split_scheme(origin) else {
            return refused(Failure::new(Reason::HostMalformed, quoting(" is malformed")));
        };
        let Some(scheme) = Scheme::parse(scheme.as_bytes()) else {
            return refused(Failure::new(Reason::HostMissing, quoting(" stands under no name")));
        };
        let Ok(authority) = Authority::parse(rest.as_bytes()) else {
            return refused(Failure::new(Reason::HostMalformed, quoting(" is malformed")));
        };
        let entry = self.policy().hosts.allow.matching(authority, scheme.default_port());
        let detail = Detail::quoting_authority("host ", rest.as_bytes(), " is not allowed");
        Page {
            host: Some(EffectiveAuthority { authority, scheme }),
            key: Some(DestinationKey::new(scheme, authority)),
            failure: match entry {
                Some(_) => None,
                None => Some(Failure::new(Reason::HostNotAllowed, detail).by("hosts.allow")),
            },
        }
    }

    /// Where a request goes, if it goes anywhere, and whether it may.
    fn judge_asked(
        &self,
        own: &DestinationKey,
        url: &str,
        document: &PageDocument,
    ) -> (Option<EgressIdentityDocument>, Result<(), Refusal>) {
        if url
            .split_once(':')
            .is_some_and(|(scheme, _)| LOCAL_SCHEMES.contains(&scheme))
        {
            return (None, Ok(()));
        }
        match Asked::read(url) {
            Err(refusal) => (None, Err(refusal)),
            Ok(asked) => {
                let judged = self.judge_destination(own, &asked.key, document);
                (Some(asked.identity()), judged)
            }
        }
    }

    fn judge_destination(
        &self,
        own: &DestinationKey,
        key: &DestinationKey,
        document: &PageDocument,
    ) -> Result<(), Refusal> {
        let from = match &document.from {
            Some(url) => Some(Asked::read(url).map_err(|_| Refusal::malformed_from())?.key),
            None => None,
        };
        if key == own {
            // Back from elsewhere is a redirect like any other; from one's own to one's own is nobody's business.
            let from = from.filter(|from| from != own);
            let none = Egress::default();
            let egress = self.policy().egress.as_ref().unwrap_or(&none);
            return egress.judge_redirect(key, from.as_ref()).map(|_| ());
        }
        let egress = self.egress_rules()?;
        egress.judge_destination(key)?;
        let is_cross_origin = egress.judge_redirect(key, from.as_ref())?;
        egress.judge_credentials(key, &document.headers, is_cross_origin)
    }
}

/// What is known of a page by its origin.
struct Page<'a> {
    host: Option<EffectiveAuthority<'a>>,
    key: Option<DestinationKey>,
    failure: Option<Failure<'a>>,
}

/// An absolute URL as a browser writes it (WHATWG URL §4.5): nothing in it is left to repair.
struct Asked {
    /// Without fragment.
    url: String,
    key: DestinationKey,
    /// Without brackets.
    host: String,
}

impl Asked {
    fn read(text: &str) -> Result<Self, Refusal> {
        let malformed = |detail: &str| Refusal::new(EgressReason::UrlMalformed, None, detail);
        if text.len() > MAX_URL {
            return Err(malformed("the URL is longer than 64 KiB"));
        }
        let (name, _) = text.split_once(':').ok_or_else(|| malformed("the URL has no scheme"))?;
        let Some(scheme) = scheme_of(name) else {
            let mut detail = String::from("scheme `");
            // Writing to a string cannot fail.
            let _ = write_escaped(&mut detail, name.as_bytes(), Detail::QUOTED_BYTES);
            detail.push_str("` is not allowed");
            return Err(Refusal::new(
                EgressReason::SchemeNotAllowed,
                Some("egress.allow"),
                detail,
            ));
        };
        let rest = text.strip_prefix(name).and_then(|rest| rest.strip_prefix("://"));
        let rest = rest.ok_or_else(|| malformed("the URL does not start with its scheme and `://`"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority_text, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority_text.contains('@') {
            return Err(Refusal::new(
                EgressReason::UserinfoNotAllowed,
                None,
                "the URL has a user name or password",
            ));
        }
        let target = target.split_once('#').map_or(target, |(target, _)| target);
        let is_written = |byte: u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>');
        if !target.starts_with('/') || !target.bytes().all(is_written) {
            return Err(malformed("the URL's path or query is not in its normal form"));
        }
        let authority = Authority::parse(authority_text.as_bytes())
            .map_err(|error| malformed(&format!("the URL's host {error}")))?;
        let key = DestinationKey::new(scheme, authority);
        let port = match key.port {
            port if port == scheme.default_port() => String::new(),
            port => format!(":{port}"),
        };
        Ok(Self {
            url: format!("{name}://{}{port}{target}", key.host),
            host: match authority.host() {
                Host::Ipv6(address) => address.to_string(),
                other => other.to_string(),
            },
            key,
        })
    }

    fn identity(self) -> EgressIdentityDocument {
        EgressIdentityDocument {
            url: self.url,
            host: self.host,
            port: self.key.port.into(),
            addresses: None,
        }
    }
}

/// A WebSocket is opened by a request over http or https (WHATWG WebSockets §3.1), and is judged as one.
fn scheme_of(name: &str) -> Option<Scheme> {
    match name {
        "http" | "ws" => Some(Scheme::Http),
        "https" | "wss" => Some(Scheme::Https),
        _ => None,
    }
}
