//! The JSON form of a verdict.

use serde::Serialize;

use super::{Check, Decision, Reason};

/// The JSON form of a verdict: always all fields, in this order, null where not applicable.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictDocument {
    /// The request's id.
    pub id: Option<String>,
    /// Allow or deny.
    pub decision: Decision,
    /// 200, or the status to answer with.
    pub status: u16,
    /// The check that failed.
    pub check: Option<Check>,
    /// Why.
    pub reason: Option<Reason>,
    /// What the client may know of it.
    pub public_reason: Option<&'static str>,
    /// The setting that decided, as a dotted path.
    pub rule: Option<String>,
    /// One line for the operator; see [`Detail`].
    pub detail: Option<String>,
    /// `enforce` or `report`.
    pub mode: &'static str,
    /// The policy's digest, `sha256:` and 64 hex digits.
    pub policy: String,
    /// Who was proved to ask; null on deny.
    pub identity: Option<IdentityDocument>,
    /// In report mode, what would have denied the request.
    pub reported: Vec<ReportDocument>,
}

impl VerdictDocument {
    /// The verdict as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and nulls only: serializing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The JSON form of an [`Identity`].
#[derive(Clone, Debug, Serialize)]
pub struct IdentityDocument {
    /// The normalized effective authority.
    pub host: Option<String>,
    /// The route's name.
    pub route: Option<String>,
    /// True for a CORS preflight.
    pub preflight: bool,
    /// What a signature proved.
    pub signature: Option<SignatureIdentityDocument>,
    /// What a token proved.
    pub token: Option<TokenIdentityDocument>,
}

/// The JSON form of a [`SignatureIdentity`](super::SignatureIdentity).
#[derive(Clone, Debug, Serialize)]
pub struct SignatureIdentityDocument {
    /// The section's name.
    pub name: String,
    /// The id of the key that signed.
    pub key_id: String,
    /// The nonce, or the id of a webhook; null where the profile has none.
    pub nonce: Option<String>,
}

/// The JSON form of a [`TokenIdentity`](super::TokenIdentity).
#[cfg(feature = "tokens")]
#[derive(Clone, Debug, Serialize)]
pub struct TokenIdentityDocument {
    /// The section's name.
    pub name: String,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: Option<String>,
    /// The scopes, in order, each once.
    pub scopes: Vec<String>,
    /// The payload.
    pub claims: serde_json::Value,
}

/// Without the feature `tokens` no policy asks for one: this type has no value, so its field is always null.
#[cfg(not(feature = "tokens"))]
#[derive(Clone, Debug, Serialize)]
pub enum TokenIdentityDocument {}

/// The JSON form of a reported [`Failure`].
#[derive(Clone, Debug, Serialize)]
pub struct ReportDocument {
    /// The check that failed.
    pub check: Check,
    /// Why.
    pub reason: Reason,
    /// The status that enforce mode would have answered.
    pub status: u16,
    /// The setting that decided.
    pub rule: Option<String>,
    /// One line for the operator.
    pub detail: String,
}
