//! What is judged before any look-up: the destination, a redirect that leads there, and the credentials that would go with it.

use super::{DestinationKey, Egress, EgressReason, Listing, Redirects};
use crate::authority::{Authority, Scheme};
use crate::guard::Guard;
use crate::verdict::{Detail, write_escaped};

/// Why a request must not go out.
pub(crate) struct Refusal {
    pub(crate) reason: EgressReason,
    pub(crate) rule: Option<String>,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: EgressReason, rule: Option<&str>, detail: impl Into<String>) -> Self {
        Self {
            reason,
            rule: rule.map(Into::into),
            detail: detail.into(),
        }
    }

    pub(crate) fn malformed_from() -> Self {
        Self::new(
            EgressReason::UrlMalformed,
            Some("egress.redirects"),
            "the URL that redirected here is malformed",
        )
    }
}

impl Guard {
    /// The rules; without the section everything is refused.
    pub(crate) fn egress_rules(&self) -> Result<&Egress, Refusal> {
        let refusal = || {
            Refusal::new(
                EgressReason::DestinationNotAllowed,
                Some("egress"),
                "the policy has no egress section",
            )
        };
        self.policy().egress.as_ref().ok_or_else(refusal)
    }
}

impl Egress {
    /// Whether the destination is listed.
    pub(crate) fn judge_destination(&self, key: &DestinationKey) -> Result<(), Refusal> {
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
    pub(crate) fn judge_redirect(&self, key: &DestinationKey, from: Option<&DestinationKey>) -> Result<bool, Refusal> {
        let Some(from) = from else { return Ok(false) };
        let is_cross_origin = from != key;
        let detail = if from.scheme == Scheme::Https && key.scheme == Scheme::Http {
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

    /// Whether each credential header is bound to the destination, and was meant for it in the first place.
    pub(crate) fn judge_credentials(
        &self,
        key: &DestinationKey,
        headers: &[String],
        is_cross_origin: bool,
    ) -> Result<(), Refusal> {
        let listed = self.credentials.get(&key.bytes()).map_or(&[][..], Vec::as_slice);
        let own = self
            .destinations
            .get(&key.bytes())
            .map_or(&[][..], |destination| &destination.credentials);
        for header in headers.iter().filter(|header| self.is_credential(header)) {
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
}
