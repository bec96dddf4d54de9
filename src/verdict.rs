//! What a judgement says: decision, check, reason, and who was proved to ask.
//!
//! Decides nothing itself; it holds the public codes and turns an outcome into the JSON form.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::authority::{Authority, Scheme};
use crate::policy::Policy;

/// Allow or deny.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The request may be served.
    Allow,
    /// The request must be answered with the verdict's status, and nothing else.
    Deny,
}

/// A stage of the judgement. The order of the variants is the order in which they run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Is it a request by the grammar at all?
    Request,
    /// Is it meant for a host that this service answers as?
    Host,
    /// Does it come from an address that may connect?
    Peer,
    /// Was it started by a page that may start it?
    Origin,
    /// Is there a route for it?
    Route,
}

impl Check {
    /// Every check, in the order in which they run.
    pub const ALL: [Self; 5] = [Self::Request, Self::Host, Self::Peer, Self::Origin, Self::Route];

    /// The stable name, as in a verdict's `check`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Host => "host",
            Self::Peer => "peer",
            Self::Origin => "origin",
            Self::Route => "route",
        }
    }
}

/// Why a request was denied. Names and codes are public API: added when needed, never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Not a request by RFC 9110 and RFC 9112, or beyond the limits.
    RequestMalformed,
    /// A header that may occur once occurs twice, or under a second spelling.
    HeaderDuplicate,
    /// No Host (RFC 9112 §3.2), and no `:authority` (RFC 9113 §8.3.1).
    HostMissing,
    /// Not host [":" port] (RFC 9110 §7.2).
    HostMalformed,
    /// More than one Host, or a list in it (RFC 9112 §3.2).
    HostDuplicate,
    /// Host, `:authority` and the target's authority disagree.
    AuthorityMismatch,
    /// A well-formed host that the policy does not list.
    HostNotAllowed,
    /// The transport peer is not listed, or not known.
    PeerNotAllowed,
    /// Not a serialized origin (RFC 6454 §7).
    OriginMalformed,
    /// The Origin is not listed; or there is none and the policy wants one.
    OriginNotAllowed,
    /// Sec-Fetch-Site names a relation that the policy does not list.
    FetchSiteNotAllowed,
    /// No route matches, or the path's normal forms disagree on which one does.
    RouteNotAllowed,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::RequestMalformed,
        Self::HeaderDuplicate,
        Self::HostMissing,
        Self::HostMalformed,
        Self::HostDuplicate,
        Self::AuthorityMismatch,
        Self::HostNotAllowed,
        Self::PeerNotAllowed,
        Self::OriginMalformed,
        Self::OriginNotAllowed,
        Self::FetchSiteNotAllowed,
        Self::RouteNotAllowed,
    ];

    /// The stable name, as in a verdict's `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestMalformed => "request_malformed",
            Self::HeaderDuplicate => "header_duplicate",
            Self::HostMissing => "host_missing",
            Self::HostMalformed => "host_malformed",
            Self::HostDuplicate => "host_duplicate",
            Self::AuthorityMismatch => "authority_mismatch",
            Self::HostNotAllowed => "host_not_allowed",
            Self::PeerNotAllowed => "peer_not_allowed",
            Self::OriginMalformed => "origin_malformed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::FetchSiteNotAllowed => "fetch_site_not_allowed",
            Self::RouteNotAllowed => "route_not_allowed",
        }
    }

    /// The stable number, 1…255, in the integer form of a verdict ([`Verdict::code`]).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::RequestMalformed => 1,
            Self::HeaderDuplicate => 2,
            Self::HostMissing => 10,
            Self::HostMalformed => 11,
            Self::HostDuplicate => 12,
            Self::AuthorityMismatch => 13,
            Self::HostNotAllowed => 14,
            Self::PeerNotAllowed => 20,
            Self::OriginMalformed => 30,
            Self::OriginNotAllowed => 31,
            Self::FetchSiteNotAllowed => 32,
            Self::RouteNotAllowed => 40,
        }
    }

    /// The check that gives this reason.
    #[must_use]
    pub const fn check(self) -> Check {
        match self {
            Self::RequestMalformed | Self::HeaderDuplicate => Check::Request,
            Self::HostMissing
            | Self::HostMalformed
            | Self::HostDuplicate
            | Self::AuthorityMismatch
            | Self::HostNotAllowed => Check::Host,
            Self::PeerNotAllowed => Check::Peer,
            Self::OriginMalformed | Self::OriginNotAllowed | Self::FetchSiteNotAllowed => {
                Check::Origin
            }
            Self::RouteNotAllowed => Check::Route,
        }
    }

    /// What the client may know. The reasons of these checks tell no secret.
    #[must_use]
    pub const fn public(self) -> &'static str {
        self.as_str()
    }

    /// The HTTP status: 400 for what is no request or has no usable host, 421 (RFC 9110 §15.5.20) for a host
    /// that is not served here, 403 for the rest. `hosts.denied_status` may turn 421 into 403.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::HostNotAllowed => 421,
            Self::PeerNotAllowed
            | Self::OriginMalformed
            | Self::OriginNotAllowed
            | Self::FetchSiteNotAllowed
            | Self::RouteNotAllowed => 403,
            _ => 400,
        }
    }

    /// True for what report mode denies all the same: check `request` and every 400 of `host`.
    #[must_use]
    pub const fn is_always_enforced(self) -> bool {
        self.status() == 400
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The first check that failed, and why.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    pub(crate) reason: Reason,
    pub(crate) status: u16,
    pub(crate) rule: Option<&'a str>,
    pub(crate) detail: Detail<'a>,
}

impl<'a> Failure<'a> {
    pub(crate) const fn new(reason: Reason, detail: Detail<'a>) -> Self {
        Self { reason, status: reason.status(), rule: None, detail }
    }

    pub(crate) const fn by(self, rule: &'a str) -> Self {
        Self { rule: Some(rule), ..self }
    }

    pub(crate) const fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
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
    quoted: Option<&'a [u8]>,
    after: &'static str,
}

impl<'a> Detail<'a> {
    /// The most bytes of a request that are quoted.
    pub const QUOTED_BYTES: usize = 96;

    pub(crate) const fn text(text: &'static str) -> Self {
        Self { before: text, quoted: None, after: "" }
    }

    pub(crate) const fn quoting(
        before: &'static str,
        quoted: &'a [u8],
        after: &'static str,
    ) -> Self {
        Self { before, quoted: Some(quoted), after }
    }
}

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.before)?;
        if let Some(quoted) = self.quoted {
            f.write_str("`")?;
            write_escaped(f, quoted)?;
            f.write_str("`")?;
        }
        f.write_str(self.after)
    }
}

pub(crate) fn write_escaped(f: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    for byte in bytes.iter().take(Detail::QUOTED_BYTES) {
        match byte {
            0x20..=0x7e => f.write_char(char::from(*byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    if bytes.len() > Detail::QUOTED_BYTES {
        f.write_str("...")?;
    }
    Ok(())
}

/// Who was proved to ask, and for what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    pub(crate) host: Option<EffectiveAuthority<'a>>,
    pub(crate) route: Option<&'a str>,
    pub(crate) preflight: bool,
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
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'a> {
    policy: &'a Policy,
    decision: Decision,
    failure: Option<Failure<'a>>,
    identity: Identity<'a>,
    loopback_peer: bool,
}

impl<'a> Verdict<'a> {
    pub(crate) const fn new(
        policy: &'a Policy,
        decision: Decision,
        failure: Option<Failure<'a>>,
        identity: Identity<'a>,
        loopback_peer: bool,
    ) -> Self {
        Self { policy, decision, failure, identity, loopback_peer }
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
        self.is_allowed().then_some(self.identity)
    }

    /// The HTTP status to answer with: 200 means "serve it".
    #[must_use]
    pub fn status(&self) -> u16 {
        self.denied().map_or(200, |failure| failure.status)
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
        let Some(failure) = self.denied() else { return String::new() };
        let public = failure.reason.public();
        if !(self.policy.explains_to_client() && self.loopback_peer) {
            return format!("{public}\n");
        }
        let place = failure.rule.map_or_else(String::new, |rule| match self.policy.place_of(rule) {
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
            mode: self.policy.mode().as_str(),
            policy: self.policy.digest().to_owned(),
            identity: self.identity().map(|identity| IdentityDocument {
                host: identity.host.map(|host| host.to_string()),
                route: identity.route.map(Into::into),
                preflight: identity.preflight,
                signature: None,
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
    /// What a signature proved. No policy can ask for one yet.
    pub signature: Option<Unproved>,
    /// What a token proved. No policy can ask for one yet.
    pub token: Option<Unproved>,
}

/// A proof that cannot be given yet: this type has no value, so its field is always null.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Unproved {}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_grouped_by_check() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.check()));
    }

    #[test]
    fn detail_is_bounded_and_printable() {
        let long = [0xff_u8; 5000];
        let detail = Detail::quoting("host ", &long, " is not allowed").to_string();
        assert_eq!(detail.len(), "host `` is not allowed".len() + 96 * 4 + 3);
        assert!(detail.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    }
}
