//! What a token claims (RFC 7519 §4), held against a section of the policy.

use super::jws::Object;
use super::section::TokenSection;
use crate::request::Timestamp;
use crate::tree::Value;
use crate::verdict::{Detail, Failure, Reason};

/// 9999-12-31T23:59:59Z.
const MAX_DATE: i64 = 253_402_300_799;

/// What the claims proved.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) dates: Dates,
}

/// `exp`, `nbf` and `iat`, as far as they are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    expires: Date,
    not_before: Date,
    issued: Date,
}

#[derive(Clone, Copy, Debug)]
enum Date {
    Absent,
    Malformed,
    At(u64),
}

/// The claims that every section looks at, found in one pass.
#[derive(Default)]
struct Registered<'p, 'x> {
    issuer: Option<&'p Object<'x>>,
    audience: Option<&'p Object<'x>>,
    expires: Option<&'p Object<'x>>,
    not_before: Option<&'p Object<'x>>,
    issued: Option<&'p Object<'x>>,
    subject: Option<&'p Object<'x>>,
    id: Option<&'p Object<'x>>,
    client_id: Option<&'p Object<'x>>,
    authorized_party: Option<&'p Object<'x>>,
    confirmation: Option<&'p Object<'x>>,
    scope: Option<&'p Object<'x>>,
    scp: Option<&'p Object<'x>>,
}

impl<'p, 'x> Registered<'p, 'x> {
    fn of(payload: &'p Object<'x>) -> Self {
        let mut found = Self::default();
        for member in payload.entries() {
            let place = match &*member.key {
                "iss" => &mut found.issuer,
                "aud" => &mut found.audience,
                "exp" => &mut found.expires,
                "nbf" => &mut found.not_before,
                "iat" => &mut found.issued,
                "sub" => &mut found.subject,
                "jti" => &mut found.id,
                "client_id" => &mut found.client_id,
                "azp" => &mut found.authorized_party,
                "cnf" => &mut found.confirmation,
                "scope" => &mut found.scope,
                "scp" => &mut found.scp,
                _ => continue,
            };
            *place = Some(&member.node);
        }
        found
    }

    fn dates(&self) -> Dates {
        let date = |node: Option<&Object<'_>>| node.map_or(Date::Absent, Date::of);
        Dates {
            expires: date(self.expires),
            not_before: date(self.not_before),
            issued: date(self.issued),
        }
    }
}

impl Dates {
    /// `exp`; 0 if there is none.
    pub(super) const fn expires(self) -> u64 {
        match self.expires {
            Date::At(seconds) => seconds,
            Date::Absent | Date::Malformed => 0,
        }
    }
}

/// Judges the claims (contract §12, step 10), but for the scopes that a route wants.
pub(super) fn judge<'a>(
    payload: &Object<'_>,
    section: &'a TokenSection,
    now: Timestamp,
) -> Result<Claims, Failure<'a>> {
    let rules = &section.rules;
    let fail = |reason, what, rule: &'a str| Failure::new(reason, Detail::text(what)).by(rule);
    let missing = |what| fail(Reason::ClaimMissing, what, rules.section.as_str());
    let malformed = |what| fail(Reason::ClaimMalformed, what, rules.section.as_str());

    let found = Registered::of(payload);
    let issuer = found.issuer.ok_or_else(|| missing("`iss` is missing"))?;
    let issuer = issuer.as_str().ok_or_else(|| malformed("`iss` is no string"))?;
    if issuer != section.issuer {
        return Err(fail(Reason::IssuerMismatch, "`iss` is another issuer", &rules.issuer));
    }
    let audience = found.audience.ok_or_else(|| missing("`aud` is missing"))?;
    let is_meant = is_any(audience, &section.audience);
    if !is_meant.ok_or_else(|| malformed("`aud` is neither a string nor a list of strings"))? {
        return Err(fail(
            Reason::AudienceMismatch,
            "`aud` is another audience",
            &rules.audience,
        ));
    }

    let dates = found.dates();
    judge_times(dates, section, now)?;
    for name in &section.required_claims {
        if payload.get(name).is_none_or(|node| matches!(node.value, Value::Null)) {
            return Err(fail(
                Reason::ClaimMissing,
                "a required claim is missing",
                &rules.required_claims,
            ));
        }
    }
    let strings = [found.subject, found.id, found.client_id, found.authorized_party];
    if strings.into_iter().flatten().any(|node| node.as_str().is_none()) {
        return Err(malformed("`sub`, `jti`, `client_id` or `azp` is no string"));
    }
    for (name, values) in &section.expect {
        let by = |reason, what| fail(reason, what, rules.expect.as_str());
        let node = payload
            .get(name)
            .ok_or_else(|| by(Reason::ClaimMissing, "an expected claim is missing"))?;
        let text = node
            .as_str()
            .ok_or_else(|| by(Reason::ClaimMalformed, "an expected claim is no string"))?;
        if !values.iter().any(|value| value == text) {
            return Err(by(Reason::ClaimMismatch, "an expected claim has another value"));
        }
    }
    if found.confirmation.is_some() {
        let what = "the token is bound to its holder by `cnf`, which is not checked";
        return Err(fail(Reason::TokenBindingMissing, what, &rules.section));
    }
    let scopes = scopes(found.scope, found.scp)
        .ok_or_else(|| malformed("`scope` or `scp` is no list of scopes, or they differ"))?;
    Ok(Claims {
        subject: found.subject.and_then(Object::as_str).map(str::to_owned),
        scopes,
        dates,
    })
}

/// That the token has the scopes that a route wants; `text` is how a challenge names them.
pub(super) fn judge_scopes<'a>(scopes: &[String], needed: &'a [String], text: &'a str) -> Result<(), Failure<'a>> {
    if needed.iter().all(|scope| scopes.contains(scope)) {
        return Ok(());
    }
    let detail = Detail::text("the token lacks a scope of the route");
    Err(Failure::new(Reason::ScopeInsufficient, detail)
        .by("routes")
        .needing(text))
}

/// That the token counts now: what of the claims can change its answer from one second to the next.
pub(super) fn judge_times<'a>(dates: Dates, section: &'a TokenSection, now: Timestamp) -> Result<(), Failure<'a>> {
    let rules = &section.rules;
    let fail = |reason, what, rule: &'a str| Failure::new(reason, Detail::text(what)).by(rule);
    let missing = |what| fail(Reason::ClaimMissing, what, rules.section.as_str());
    let malformed = |what| fail(Reason::ClaimMalformed, what, rules.section.as_str());
    let date = |date| match date {
        Date::Absent => Ok(None),
        Date::Malformed => Err(malformed("a time is no integer of Unix seconds")),
        Date::At(seconds) => Ok(Some(seconds)),
    };
    let latest = now.0.saturating_add(section.clock_tolerance);
    let expires = date(dates.expires)?.ok_or_else(|| missing("`exp` is missing"))?;
    if now.0 >= expires.saturating_add(section.clock_tolerance) {
        return Err(fail(
            Reason::TokenExpired,
            "the token has expired",
            &rules.clock_tolerance,
        ));
    }
    let early = || {
        fail(
            Reason::TokenNotYetValid,
            "the token is not valid yet",
            rules.clock_tolerance.as_str(),
        )
    };
    if let Some(not_before) = date(dates.not_before)?
        && not_before > latest
    {
        return Err(early());
    }
    let issued = date(dates.issued)?;
    let needs_issued = section.max_lifetime.is_some() || section.max_age.is_some();
    if issued.is_none() && needs_issued {
        return Err(missing("`iat` is missing"));
    }
    if let Some(issued) = issued {
        if issued > latest {
            return Err(early());
        }
        if let Some(most) = section.max_lifetime {
            if expires <= issued {
                return Err(malformed("the token expires before it was issued"));
            }
            if expires.saturating_sub(issued) > most {
                return Err(fail(
                    Reason::TokenLifetimeTooLong,
                    "the token lives too long",
                    &rules.max_lifetime,
                ));
            }
        }
        if section.max_age.is_some_and(|most| now.0.saturating_sub(issued) > most) {
            return Err(fail(
                Reason::TokenTooOld,
                "the token was issued too long ago",
                &rules.max_age,
            ));
        }
    }
    Ok(())
}

impl Date {
    /// NumericDate (RFC 7519 §2), in whole seconds.
    fn of(node: &Object<'_>) -> Self {
        let seconds = node.as_integer().filter(|seconds| (0..=MAX_DATE).contains(seconds));
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or(Self::Malformed, Self::At)
    }
}

/// Whether one of a string, or of a list of at least one string, is listed; none of anything else.
fn is_any(node: &Object<'_>, listed: &[String]) -> Option<bool> {
    let is_listed = |one: &str| listed.iter().any(|other| other == one);
    match &node.value {
        Value::String(text) => Some(is_listed(text)),
        Value::List(items) if !items.is_empty() => items
            .iter()
            .try_fold(false, |any, item| Some(is_listed(item.as_str()?) || any)),
        _ => None,
    }
}

/// The scopes of `scope` or `scp`, in order, each once; none if either is malformed, or they differ.
fn scopes(scope: Option<&Object<'_>>, scp: Option<&Object<'_>>) -> Option<Vec<String>> {
    let scope = match scope {
        None => None,
        Some(node) => Some(names(node.as_str()?)?),
    };
    let scp = match scp {
        None => None,
        Some(node) => Some(match &node.value {
            Value::String(text) => names(text)?,
            Value::List(items) => items.iter().map(|item| item.as_str()).collect::<Option<Vec<_>>>()?,
            _ => return None,
        }),
    };
    if let (Some(scope), Some(scp)) = (&scope, &scp) {
        let is_within = |one: &[&str], other: &[&str]| one.iter().all(|name| other.contains(name));
        if !is_within(scope, scp) || !is_within(scp, scope) {
            return None;
        }
    }
    let mut scopes: Vec<String> = Vec::new();
    for name in scope.or(scp).unwrap_or_default() {
        if !scopes.iter().any(|other| other == name) {
            scopes.push(name.to_owned());
        }
    }
    Some(scopes)
}

/// Names between single spaces.
fn names(text: &str) -> Option<Vec<&str>> {
    text.split(' ')
        .map(|name| Some(name).filter(|name| is_scope(name)))
        .collect()
}

/// RFC 6749 §3.3.
pub(crate) fn is_scope(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
