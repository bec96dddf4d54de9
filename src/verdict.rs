//! What a judgement says: decision, check, reason, and who was proved to ask.
//!
//! Decides nothing itself.

mod document;
mod forward;
mod log;
mod provenance;
mod reason;

use std::fmt;
use std::sync::Arc;

pub use document::{
    IdentityDocument, ReportDocument, SignatureIdentityDocument, TokenIdentityDocument, VerdictDocument,
};
pub use forward::{IDENTITY_PREFIX, is_identity_header};
pub use provenance::Mode;
pub(crate) use provenance::Provenance;
pub use reason::{Check, Reason};
use serde::Serialize;

use crate::authority::{Authority, Scheme};
#[cfg(feature = "tokens")]
use crate::token::Payload;

/// Allow or deny.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The request may be served.
    Allow,
    /// The request must be answered with the verdict's status, and nothing else.
    Deny,
}

impl Decision {
    /// `allow` or `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// The first check that failed, and why.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    pub(crate) reason: Reason,
    pub(crate) status: u16,
    pub(crate) rule: Option<&'a str>,
    pub(crate) detail: Detail<'a>,
    /// In seconds, for a 503.
    pub(crate) retry_after: Option<u64>,
    /// The scopes that were needed, for a challenge.
    pub(crate) scope: Option<&'a str>,
}

impl<'a> Failure<'a> {
    pub(crate) const fn new(reason: Reason, detail: Detail<'a>) -> Self {
        Self {
            reason,
            status: reason.status(),
            rule: None,
            detail,
            retry_after: None,
            scope: None,
        }
    }

    pub(crate) const fn by(self, rule: &'a str) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }

    pub(crate) const fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    #[cfg(feature = "tokens")]
    pub(crate) const fn needing(self, scope: &'a str) -> Self {
        Self {
            scope: Some(scope),
            ..self
        }
    }

    pub(crate) const fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The setting of the policy that decided, as a dotted path.
    #[must_use]
    pub const fn rule(&self) -> Option<&'a str> {
        self.rule
    }

    /// One line for the operator.
    #[must_use]
    pub const fn detail(&self) -> Detail<'a> {
        self.detail
    }
}

/// One line for the operator: at most 96 bytes of the request, quoted, bytes outside 0x20–0x7e as `\xNN`,
/// a cut marked `...`. Never a query, a credential or a secret.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'a> {
    before: &'static str,
    quoted: Quoted<'a>,
    after: &'static str,
}

/// What of the request a detail quotes.
#[derive(Clone, Copy, Debug)]
enum Quoted<'a> {
    Nothing,
    Text(&'a [u8]),
    /// What should be an authority or an origin: where it is none, it may hold a password or a query, which are left out.
    Authority(&'a [u8]),
}

impl<'a> Detail<'a> {
    /// The most bytes of a request that are quoted.
    pub const QUOTED_BYTES: usize = 96;

    pub(crate) const fn text(text: &'static str) -> Self {
        Self {
            before: text,
            quoted: Quoted::Nothing,
            after: "",
        }
    }

    pub(crate) const fn quoting_authority(before: &'static str, quoted: &'a [u8], after: &'static str) -> Self {
        Self {
            before,
            quoted: Quoted::Authority(quoted),
            after,
        }
    }

    pub(crate) const fn quoting(before: &'static str, quoted: &'a [u8], after: &'static str) -> Self {
        Self {
            before,
            quoted: Quoted::Text(quoted),
            after,
        }
    }
}

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.before)?;
        match self.quoted {
            Quoted::Nothing => {}
            Quoted::Text(text) => {
                f.write_str("`")?;
                write_escaped(f, text, Self::QUOTED_BYTES)?;
                f.write_str("`")?;
            }
            Quoted::Authority(text) => {
                let end = text.iter().position(|byte| matches!(byte, b'?' | b'#'));
                let shown = end.and_then(|end| text.get(..end)).unwrap_or(text);
                let start = shown.iter().rposition(|byte| *byte == b'@');
                let (cut, shown) = match start.and_then(|start| shown.get(start..)) {
                    Some(after) => ("...", after),
                    None => ("", shown),
                };
                write!(f, "`{cut}")?;
                write_escaped(f, shown, Self::QUOTED_BYTES)?;
                f.write_str(if end.is_some() { "...`" } else { "`" })?;
            }
        }
        f.write_str(self.after)
    }
}

/// At most `limit` bytes, those outside 0x20–0x7e as `\xNN`, a cut marked `...`.
pub(crate) fn write_escaped(f: &mut impl fmt::Write, bytes: &[u8], limit: usize) -> fmt::Result {
    for byte in bytes.iter().take(limit) {
        match byte {
            0x20..=0x7e => f.write_char(char::from(*byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    if bytes.len() > limit {
        f.write_str("...")?;
    }
    Ok(())
}

/// Who was proved to ask, and for what.
#[derive(Clone, Debug, Default)]
pub struct Identity<'a> {
    pub(crate) host: Option<EffectiveAuthority<'a>>,
    pub(crate) route: Option<&'a str>,
    pub(crate) preflight: bool,
    pub(crate) signature: Option<SignatureIdentity<'a>>,
    pub(crate) token: Option<Arc<TokenIdentity>>,
}

impl<'a> Identity<'a> {
    /// The authority that passed the host check; none for an exempt request.
    #[must_use]
    pub const fn host(&self) -> Option<EffectiveAuthority<'a>> {
        self.host
    }

    /// The name of the route that was selected.
    #[must_use]
    pub const fn route(&self) -> Option<&'a str> {
        self.route
    }

    /// True if this was judged as a CORS preflight.
    #[must_use]
    pub const fn preflight(&self) -> bool {
        self.preflight
    }

    /// Who signed the request; none if no signature was asked for, or in report mode.
    #[must_use]
    pub const fn signature(&self) -> Option<SignatureIdentity<'a>> {
        self.signature
    }

    /// What a token proved; none if no token was asked for, or in report mode.
    #[must_use]
    pub fn token(&self) -> Option<&TokenIdentity> {
        self.token.as_deref()
    }
}

/// The identity that a token proves.
#[derive(Debug)]
pub struct TokenIdentity {
    pub(crate) name: Arc<str>,
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Option<String>,
    pub(crate) scopes: Vec<String>,
    #[cfg(feature = "tokens")]
    pub(crate) claims: Payload,
}

impl TokenIdentity {
    /// The section's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The scopes, in order, each once.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

/// The one identity that a signature proves.
#[derive(Clone, Copy, Debug)]
pub struct SignatureIdentity<'a> {
    pub(crate) name: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) nonce: Option<&'a str>,
}

impl<'a> SignatureIdentity<'a> {
    /// The section's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The id of the key that signed.
    #[must_use]
    pub const fn key_id(&self) -> &'a str {
        self.key_id
    }

    /// The nonce, or the id of a webhook; none where the profile has none.
    #[must_use]
    pub const fn nonce(&self) -> Option<&'a str> {
        self.nonce
    }
}

/// An authority that passed the host check, with the scheme under which it is read. Displays normalized: lower case,
/// IPv6 canonical (RFC 5952), the scheme's default port left out.
#[derive(Clone, Copy, Debug)]
pub struct EffectiveAuthority<'a> {
    pub(crate) authority: Authority<'a>,
    pub(crate) scheme: Scheme,
}

impl fmt::Display for EffectiveAuthority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.authority.host())?;
        match self.authority.port() {
            Some(port) if port != self.scheme.default_port() => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// The whole answer to one request. Borrows from the guard and the request; [`Verdict::document`] is the owned form.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    provenance: &'a Provenance,
    decision: Decision,
    failure: Option<Failure<'a>>,
    identity: Identity<'a>,
    loopback_peer: bool,
}

impl<'a> Verdict<'a> {
    pub(crate) const fn new(
        provenance: &'a Provenance,
        decision: Decision,
        failure: Option<Failure<'a>>,
        identity: Identity<'a>,
        loopback_peer: bool,
    ) -> Self {
        Self {
            provenance,
            decision,
            failure,
            identity,
            loopback_peer,
        }
    }

    /// Allow or deny.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }

    /// True if the request may be served.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }

    /// The failure that denied the request.
    #[must_use]
    pub fn denied(&self) -> Option<Failure<'a>> {
        self.failure.filter(|_| !self.is_allowed())
    }

    /// The failure that would have denied the request, had the policy not been in report mode.
    #[must_use]
    pub fn reported(&self) -> Option<Failure<'a>> {
        self.failure.filter(|_| self.is_allowed())
    }

    /// Who was proved to ask; nothing on a denial.
    #[must_use]
    pub fn identity(&self) -> Option<Identity<'a>> {
        self.is_allowed().then(|| self.identity.clone())
    }

    /// The HTTP status to answer with: 200 means "serve it".
    #[must_use]
    pub fn status(&self) -> u16 {
        self.denied().map_or(200, |failure| failure.status)
    }

    /// The value of `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3): on a 401, and on a 403 for want of a scope.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let failure = self.denied()?;
        match (failure.reason, failure.reason.check()) {
            (Reason::ScopeInsufficient, _) => {
                let scope = failure.scope.unwrap_or_default();
                Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            (Reason::TokenKeysUnavailable, _) => None,
            (Reason::TokenMissing, _) => Some("Bearer".into()),
            (_, Check::Token | Check::Claims) => Some("Bearer error=\"invalid_token\"".into()),
            _ => (failure.status == 401).then(|| "Signature".into()),
        }
    }

    /// The value of `Retry-After` on a 503, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.denied().and_then(|failure| failure.retry_after)
    }

    /// The verdict as one integer, 0 for a plain allow.
    ///
    /// Bits 0–7: [`Reason::code`] of the failure, denied or reported; bits 8–17: the status to answer with (0 on allow);
    /// bit 18: denied. Higher bits are 0 and reserved.
    #[must_use]
    pub fn code(&self) -> u32 {
        let Some(failure) = self.failure else { return 0 };
        let reason = u32::from(failure.reason.code());
        match self.decision {
            Decision::Allow => reason,
            Decision::Deny => reason | (u32::from(failure.status) << 8) | (1 << 18),
        }
    }

    /// The text of the response to a denied request, ending in a line feed; empty on allow. One line with the public reason; with
    /// `explain_to_client`, and for peers on loopback only, a second with the detail and the line of the policy.
    #[must_use]
    pub fn client_text(&self) -> String {
        let Some(failure) = self.denied() else {
            return String::new();
        };
        let public = failure.reason.public();
        if !(self.provenance.explain_to_client && self.loopback_peer) {
            return format!("{public}\n");
        }
        let place = failure
            .rule
            .map_or_else(String::new, |rule| match self.provenance.place_for_clients(rule) {
                Some(place) => format!(" ({rule}, {place})"),
                None => format!(" ({rule}, by default)"),
            });
        format!("{public}\n{}{place}\n", failure.detail)
    }

    /// The owned form, with the request's id.
    #[must_use]
    pub fn document(&self, id: Option<&str>) -> VerdictDocument {
        let denied = self.denied();
        VerdictDocument {
            id: id.map(Into::into),
            decision: self.decision,
            status: self.status(),
            check: denied.map(|failure| failure.reason.check()),
            reason: denied.map(|failure| failure.reason),
            public_reason: denied.map(|failure| failure.reason.public()),
            rule: denied.and_then(|failure| failure.rule).map(Into::into),
            detail: denied.map(|failure| failure.detail.to_string()),
            mode: self.provenance.mode.as_str(),
            policy: self.provenance.digest.clone(),
            identity: self.identity().map(|identity| IdentityDocument {
                host: identity.host.map(|host| host.to_string()),
                route: identity.route.map(Into::into),
                preflight: identity.preflight,
                signature: identity.signature.map(|signature| SignatureIdentityDocument {
                    name: signature.name().into(),
                    key_id: signature.key_id().into(),
                    nonce: signature.nonce().map(Into::into),
                }),
                #[cfg(feature = "tokens")]
                token: identity.token.as_ref().map(|token| TokenIdentityDocument {
                    name: token.name().to_owned(),
                    issuer: token.issuer().to_owned(),
                    subject: token.subject.clone(),
                    scopes: token.scopes.clone(),
                    claims: token.claims.to_json(),
                }),
                #[cfg(not(feature = "tokens"))]
                token: None,
            }),
            reported: self
                .reported()
                .map(|failure| ReportDocument {
                    check: failure.reason.check(),
                    reason: failure.reason,
                    status: failure.status,
                    rule: failure.rule.map(Into::into),
                    detail: failure.detail.to_string(),
                })
                .into_iter()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_are_left_out() {
        for (text, want) in [
            ("evil.test:80", "`evil.test:80`"),
            ("user:hunter2@localhost", "`...@localhost`"),
            ("localhost/?token=s3cret", "`localhost/...`"),
            ("https://u:p@a.example/cb?code=s3cret@x", "`...@a.example/cb...`"),
            ("a#b", "`a...`"),
        ] {
            assert_eq!(Detail::quoting_authority("", text.as_bytes(), "").to_string(), want);
        }
    }

    #[test]
    fn detail_is_bounded_and_printable() {
        let long = [0xff_u8; 5000];
        let detail = Detail::quoting("host ", &long, " is not allowed").to_string();
        assert_eq!(detail.len(), "host `` is not allowed".len() + 96 * 4 + 3);
        assert!(detail.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    }
}
