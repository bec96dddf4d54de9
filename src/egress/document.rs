//! The JSON forms of an outbound request and of the verdict on it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::EgressReason;
use super::destination::Refusal;
use crate::guard::Guard;
use crate::request::{RequestDocumentError, read_object};
use crate::verdict::{Decision, Mode};

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

impl Guard {
    /// The verdict on a request to a destination, or to one that is known not well enough to be let through in report mode.
    pub(crate) fn egress_verdict(
        &self,
        id: Option<&str>,
        destination: Option<EgressIdentityDocument>,
        refusal: Option<Refusal>,
    ) -> EgressVerdictDocument {
        // Without a destination there is nothing that could be allowed and reported.
        let is_reported = self.policy().mode() == Mode::Report && destination.is_some();
        let is_allowed = refusal
            .as_ref()
            .is_none_or(|refusal| is_reported && !refusal.reason.is_always_enforced());
        let (denied, reported) = if is_allowed { (None, refusal) } else { (refusal, None) };
        EgressVerdictDocument {
            id: id.map(str::to_owned),
            decision: if is_allowed { Decision::Allow } else { Decision::Deny },
            status: is_allowed.then_some(200),
            check: denied.as_ref().map(|_| "egress"),
            reason: denied.as_ref().map(|refusal| refusal.reason),
            public_reason: denied.as_ref().map(|refusal| refusal.reason),
            rule: denied.as_ref().and_then(|refusal| refusal.rule.clone()),
            detail: denied.map(|refusal| refusal.detail),
            mode: self.policy().mode().as_str(),
            policy: self.policy().digest().to_owned(),
            identity: destination.filter(|_| is_allowed),
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
}
