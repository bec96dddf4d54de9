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

/// A payload, and those of its members that every section looks at, found in one pass.
pub(super) struct Members<'p, 'x> {
    all: &'p Object<'x>,
    issuer: Option<&'p Object<'x>>,
    audience: Option<&'p Object<'x>>,
    pub(super) dates: Dates,
    subject: Option<&'p Object<'x>>,
    /// `jti`, `client_id` and `azp`: as `sub`, strings wherever they occur.
    strings: [Option<&'p Object<'x>>; 3],
    confirmation: Option<&'p Object<'x>>,
    scope: Option<&'p Object<'x>>,
    scp: Option<&'p Object<'x>>,
}

impl<'p, 'x> Members<'p, 'x> {
    pub(super) fn of(all: &'p Object<'x>) -> Self {
        let [mut issuer, mut audience, mut subject, mut id, mut client_id, mut party] = [None; 6];
        let [
            mut expires,
            mut not_before,
            mut issued,
            mut confirmation,
            mut scope,
            mut scp,
        ] = [None; 6];
        for member in all.entries() {
            let place = match &*member.key {
                "iss" => &mut issuer,
                "aud" => &mut audience,
                "exp" => &mut expires,
                "nbf" => &mut not_before,
                "iat" => &mut issued,
                "sub" => &mut subject,
                "jti" => &mut id,
                "client_id" => &mut client_id,
                "azp" => &mut party,
                "cnf" => &mut confirmation,
                "scope" => &mut scope,
                "scp" => &mut scp,
                _ => continue,
            };
            *place = Some(&member.node);
        }
        Self {
            all,
            issuer,
            audience,
            dates: Dates {
                expires: Date::of(expires),
                not_before: Date::of(not_before),
                issued: Date::of(issued),
            },
            subject,
            strings: [id, client_id, party],
            confirmation,
            scope,
            scp,
        }
    }
}

/// One rule of step 10 (contract §12), but for scopes. Each stands alone, so that a trace can go on past one that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    Issuer,
    Audience,
    Expiry,
    NotBefore,
    IssuedAt,
    Period,
    MaxLifetime,
    MaxAge,
    Required,
    Strings,
    Expected,
    Binding,
}

impl Rule {
    /// In the order in which they are judged.
    pub(super) const ALL: [Self; 12] = [
        Self::Issuer,
        Self::Audience,
        Self::Expiry,
        Self::NotBefore,
        Self::IssuedAt,
        Self::Period,
        Self::MaxLifetime,
        Self::MaxAge,
        Self::Required,
        Self::Strings,
        Self::Expected,
        Self::Binding,
    ];

    /// What of the claims can change its answer from one second to the next.
    const TIMES: [Self; 5] = [
        Self::Expiry,
        Self::NotBefore,
        Self::IssuedAt,
        Self::MaxLifetime,
        Self::MaxAge,
    ];

    pub(super) fn judge<'a>(
        self,
        payload: &Members<'_, '_>,
        section: &'a TokenSection,
        now: Timestamp,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Issuer => judge_issuer(payload, section),
            Self::Audience => judge_audience(payload, section),
            Self::Expiry | Self::NotBefore | Self::IssuedAt | Self::Period | Self::MaxLifetime | Self::MaxAge => {
                self.judge_time(payload.dates, section, now)
            }
            Self::Required => {
                let is_absent = |name: &String| {
                    payload
                        .all
                        .get(name)
                        .is_none_or(|node| matches!(node.value, Value::Null))
                };
                if section.required_claims.iter().any(is_absent) {
                    let what = "a required claim is missing";
                    return Err(fail(Reason::ClaimMissing, what, &section.rules.required_claims));
                }
                Ok(())
            }
            Self::Strings => {
                let strings = payload.strings.iter().flatten().chain(&payload.subject);
                if strings.into_iter().any(|node| node.as_str().is_none()) {
                    return Err(malformed("`sub`, `jti`, `client_id` or `azp` is no string", section));
                }
                Ok(())
            }
            Self::Expected => judge_expected(payload, section),
            Self::Binding => {
                if payload.confirmation.is_some() {
                    let what = "the token is bound to its holder by `cnf`, which is not checked";
                    return Err(fail(Reason::TokenBindingMissing, what, &section.rules.section));
                }
                Ok(())
            }
        }
    }

    /// One of [`Self::TIMES`], or the period.
    fn judge_time<'a>(self, dates: Dates, section: &'a TokenSection, now: Timestamp) -> Result<(), Failure<'a>> {
        let rules = &section.rules;
        let latest = now.0.saturating_add(section.clock_tolerance);
        let early = || {
            let what = "the token is not valid yet";
            Err(fail(Reason::TokenNotYetValid, what, &rules.clock_tolerance))
        };
        match self {
            Self::Expiry => {
                if now.0 >= dates.expiry(section)?.saturating_add(section.clock_tolerance) {
                    let what = "the token has expired";
                    return Err(fail(Reason::TokenExpired, what, &rules.clock_tolerance));
                }
                Ok(())
            }
            Self::NotBefore => match dates.not_before.read(section)? {
                Some(not_before) if not_before > latest => early(),
                _ => Ok(()),
            },
            Self::IssuedAt => match dates.issued.read(section)? {
                None if section.max_lifetime.is_some() || section.max_age.is_some() => {
                    Err(missing("`iat` is missing", section))
                }
                Some(issued) if issued > latest => early(),
                _ => Ok(()),
            },
            Self::Period => {
                let Some(expires) = dates.expires.read(section)? else {
                    return Ok(());
                };
                if dates.issued.read(section)?.is_some_and(|issued| expires <= issued) {
                    return Err(malformed("the token expires before it was issued", section));
                }
                if dates
                    .not_before
                    .read(section)?
                    .is_some_and(|not_before| expires <= not_before)
                {
                    return Err(malformed("the token expires before it is valid", section));
                }
                Ok(())
            }
            Self::MaxLifetime => {
                let (Some(most), Some(issued)) = (section.max_lifetime, dates.issued.read(section)?) else {
                    return Ok(());
                };
                let expires = dates.expiry(section)?;
                if expires.saturating_sub(issued) > most {
                    let what = "the token lives too long";
                    return Err(fail(Reason::TokenLifetimeTooLong, what, &rules.max_lifetime));
                }
                Ok(())
            }
            Self::MaxAge => {
                let (Some(most), Some(issued)) = (section.max_age, dates.issued.read(section)?) else {
                    return Ok(());
                };
                if now.0.saturating_sub(issued) > most {
                    let what = "the token was issued too long ago";
                    return Err(fail(Reason::TokenTooOld, what, &rules.max_age));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Judges the claims, but for the scopes that a route wants.
pub(super) fn judge<'a>(
    payload: &Members<'_, '_>,
    section: &'a TokenSection,
    now: Timestamp,
) -> Result<Claims, Failure<'a>> {
    for rule in Rule::ALL {
        rule.judge(payload, section, now)?;
    }
    Ok(Claims {
        subject: payload.subject.and_then(Object::as_str).map(str::to_owned),
        scopes: read_scopes(payload, section)?,
        dates: payload.dates,
    })
}

/// That the token counts now.
pub(super) fn judge_times<'a>(dates: Dates, section: &'a TokenSection, now: Timestamp) -> Result<(), Failure<'a>> {
    let mut times = Rule::TIMES.into_iter();
    times.try_for_each(|rule| rule.judge_time(dates, section, now))
}

fn judge_issuer<'a>(payload: &Members<'_, '_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    let issuer = payload.issuer.ok_or_else(|| missing("`iss` is missing", section))?;
    let issuer = issuer
        .as_str()
        .ok_or_else(|| malformed("`iss` is no string", section))?;
    if *issuer != *section.issuer {
        let what = "`iss` is another issuer";
        return Err(fail(Reason::IssuerMismatch, what, &section.rules.issuer));
    }
    Ok(())
}

fn judge_audience<'a>(payload: &Members<'_, '_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    let audience = payload.audience.ok_or_else(|| missing("`aud` is missing", section))?;
    let what = "`aud` is neither a string nor a list of strings";
    if !is_any(audience, &section.audience).ok_or_else(|| malformed(what, section))? {
        let what = "`aud` is another audience";
        return Err(fail(Reason::AudienceMismatch, what, &section.rules.audience));
    }
    Ok(())
}

fn judge_expected<'a>(payload: &Members<'_, '_>, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    for (name, values) in &section.expect {
        let by = |reason, what| fail(reason, what, &section.rules.expect);
        let node = payload
            .all
            .get(name)
            .ok_or_else(|| by(Reason::ClaimMissing, "an expected claim is missing"))?;
        let text = node
            .as_str()
            .ok_or_else(|| by(Reason::ClaimMalformed, "an expected claim is no string"))?;
        if !values.iter().any(|value| value == text) {
            return Err(by(Reason::ClaimMismatch, "an expected claim has another value"));
        }
    }
    Ok(())
}

/// The scopes of a token, in order, each once.
pub(super) fn read_scopes<'a>(
    payload: &Members<'_, '_>,
    section: &'a TokenSection,
) -> Result<Vec<String>, Failure<'a>> {
    let what = "`scope` or `scp` is no list of scopes, or they differ";
    scopes(payload.scope, payload.scp).ok_or_else(|| malformed(what, section))
}

fn fail<'a>(reason: Reason, what: &'static str, rule: &'a str) -> Failure<'a> {
    Failure::new(reason, Detail::text(what)).by(rule)
}

fn missing<'a>(what: &'static str, section: &'a TokenSection) -> Failure<'a> {
    fail(Reason::ClaimMissing, what, &section.rules.section)
}

fn malformed<'a>(what: &'static str, section: &'a TokenSection) -> Failure<'a> {
    fail(Reason::ClaimMalformed, what, &section.rules.section)
}

/// The times of a token, as far as they are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    /// `exp`.
    pub(super) expires: Date,
    /// `nbf`.
    pub(super) not_before: Date,
    /// `iat`.
    pub(super) issued: Date,
}

/// NumericDate (RFC 7519 §2), in whole seconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Date {
    Absent,
    Malformed,
    At(u64),
}

impl Dates {
    fn expiry(self, section: &TokenSection) -> Result<u64, Failure<'_>> {
        let expires = self.expires.read(section)?;
        expires.ok_or_else(|| missing("`exp` is missing", section))
    }
}

impl Date {
    fn of(node: Option<&Object<'_>>) -> Self {
        let Some(node) = node else { return Self::Absent };
        let seconds = node.as_integer().filter(|seconds| (0..=MAX_DATE).contains(seconds));
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or(Self::Malformed, Self::At)
    }

    fn read(self, section: &TokenSection) -> Result<Option<u64>, Failure<'_>> {
        match self {
            Self::Malformed => Err(malformed("a time is no integer of Unix seconds", section)),
            other => Ok(other.seconds()),
        }
    }

    pub(super) const fn seconds(self) -> Option<u64> {
        match self {
            Self::At(seconds) => Some(seconds),
            Self::Absent | Self::Malformed => None,
        }
    }
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
