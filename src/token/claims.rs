//! What a token claims (RFC 7519 §4), held against a section of the policy.

use super::section::TokenSection;
use crate::request::Timestamp;
use crate::tree::{Node, Value};
use crate::verdict::{Detail, Failure, Reason};

/// 9999-12-31T23:59:59Z.
const MAX_DATE: i64 = 253_402_300_799;

/// Claims that are strings wherever they occur.
const STRINGS: [&str; 4] = ["sub", "jti", "client_id", "azp"];

/// What the claims proved.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: Option<String>,
    pub(super) scopes: Vec<String>,
    /// `exp`.
    pub(super) expires: u64,
}

/// One rule of step 10 (contract §12), but for scopes. Each stands alone, so that a trace can go on past one that fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    Issuer,
    Audience,
    Expiry,
    NotBefore,
    IssuedAt,
    MaxLifetime,
    MaxAge,
    Required,
    Strings,
    Expected,
    Binding,
}

impl Rule {
    /// In the order in which they are judged.
    pub(super) const ALL: [Self; 11] = [
        Self::Issuer,
        Self::Audience,
        Self::Expiry,
        Self::NotBefore,
        Self::IssuedAt,
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
        payload: &Node,
        section: &'a TokenSection,
        now: Timestamp,
    ) -> Result<(), Failure<'a>> {
        let rules = &section.rules;
        let dates = Dates { payload, section };
        let latest = now.0.saturating_add(section.clock_tolerance);
        let early = || {
            let what = "the token is not valid yet";
            Err(fail(Reason::TokenNotYetValid, what, &rules.clock_tolerance))
        };
        match self {
            Self::Issuer => judge_issuer(payload, section),
            Self::Audience => judge_audience(payload, section),
            Self::Expiry => {
                if now.0 >= dates.expiry()?.saturating_add(section.clock_tolerance) {
                    let what = "the token has expired";
                    return Err(fail(Reason::TokenExpired, what, &rules.clock_tolerance));
                }
                Ok(())
            }
            Self::NotBefore => match dates.of("nbf")? {
                Some(not_before) if not_before > latest => early(),
                _ => Ok(()),
            },
            Self::IssuedAt => match dates.of("iat")? {
                None if section.max_lifetime.is_some() || section.max_age.is_some() => {
                    Err(missing("`iat` is missing", section))
                }
                Some(issued) if issued > latest => early(),
                _ => Ok(()),
            },
            Self::MaxLifetime => {
                let (Some(most), Some(issued)) = (section.max_lifetime, dates.of("iat")?) else {
                    return Ok(());
                };
                let expires = dates.expiry()?;
                if expires <= issued {
                    return Err(malformed("the token expires before it was issued", section));
                }
                if expires.saturating_sub(issued) > most {
                    let what = "the token lives too long";
                    return Err(fail(Reason::TokenLifetimeTooLong, what, &rules.max_lifetime));
                }
                Ok(())
            }
            Self::MaxAge => {
                let (Some(most), Some(issued)) = (section.max_age, dates.of("iat")?) else {
                    return Ok(());
                };
                if now.0.saturating_sub(issued) > most {
                    let what = "the token was issued too long ago";
                    return Err(fail(Reason::TokenTooOld, what, &rules.max_age));
                }
                Ok(())
            }
            Self::Required => {
                let is_absent = |name: &String| payload.get(name).is_none_or(|node| matches!(node.value, Value::Null));
                if section.required_claims.iter().any(is_absent) {
                    let what = "a required claim is missing";
                    return Err(fail(Reason::ClaimMissing, what, &rules.required_claims));
                }
                Ok(())
            }
            Self::Strings => {
                let is_other = |name: &&str| payload.get(name).is_some_and(|node| node.as_str().is_none());
                if STRINGS.iter().any(is_other) {
                    return Err(malformed("`sub`, `jti`, `client_id` or `azp` is no string", section));
                }
                Ok(())
            }
            Self::Expected => judge_expected(payload, section),
            Self::Binding => {
                if payload.get("cnf").is_some() {
                    let what = "the token is bound to its holder by `cnf`, which is not checked";
                    return Err(fail(Reason::TokenBindingMissing, what, &rules.section));
                }
                Ok(())
            }
        }
    }
}

/// Judges the claims, but for the scopes that a route wants.
pub(super) fn judge<'a>(payload: &Node, section: &'a TokenSection, now: Timestamp) -> Result<Claims, Failure<'a>> {
    for rule in Rule::ALL {
        rule.judge(payload, section, now)?;
    }
    Ok(Claims {
        subject: payload.get("sub").and_then(Node::as_str).map(str::to_owned),
        scopes: read_scopes(payload, section)?,
        expires: Dates { payload, section }.expiry()?,
    })
}

/// That the token counts now.
pub(super) fn judge_times<'a>(payload: &Node, section: &'a TokenSection, now: Timestamp) -> Result<(), Failure<'a>> {
    let mut times = Rule::TIMES.into_iter();
    times.try_for_each(|rule| rule.judge(payload, section, now))
}

fn judge_issuer<'a>(payload: &Node, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    let issuer = payload.get("iss").ok_or_else(|| missing("`iss` is missing", section))?;
    let issuer = issuer
        .as_str()
        .ok_or_else(|| malformed("`iss` is no string", section))?;
    if issuer != section.issuer {
        let what = "`iss` is another issuer";
        return Err(fail(Reason::IssuerMismatch, what, &section.rules.issuer));
    }
    Ok(())
}

fn judge_audience<'a>(payload: &Node, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    let audience = payload.get("aud").ok_or_else(|| missing("`aud` is missing", section))?;
    let audience = strings(audience).filter(|audience| !audience.is_empty());
    let what = "`aud` is neither a string nor a list of strings";
    let audience = audience.ok_or_else(|| malformed(what, section))?;
    let is_listed = |one: &&str| section.audience.iter().any(|listed| listed == one);
    if !audience.iter().any(is_listed) {
        let what = "`aud` is another audience";
        return Err(fail(Reason::AudienceMismatch, what, &section.rules.audience));
    }
    Ok(())
}

fn judge_expected<'a>(payload: &Node, section: &'a TokenSection) -> Result<(), Failure<'a>> {
    for (name, values) in &section.expect {
        let by = |reason, what| fail(reason, what, &section.rules.expect);
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
    Ok(())
}

/// The scopes of a token, in order, each once.
pub(super) fn read_scopes<'a>(payload: &Node, section: &'a TokenSection) -> Result<Vec<String>, Failure<'a>> {
    let what = "`scope` or `scp` is no list of scopes, or they differ";
    scopes(payload).ok_or_else(|| malformed(what, section))
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

/// The times of a token.
pub(super) struct Dates<'p, 'a> {
    pub(super) payload: &'p Node,
    pub(super) section: &'a TokenSection,
}

impl<'a> Dates<'_, 'a> {
    pub(super) fn of(&self, name: &str) -> Result<Option<u64>, Failure<'a>> {
        let read = |node| date(node).ok_or_else(|| malformed("a time is no integer of Unix seconds", self.section));
        self.payload.get(name).map(read).transpose()
    }

    fn expiry(&self) -> Result<u64, Failure<'a>> {
        self.of("exp")?.ok_or_else(|| missing("`exp` is missing", self.section))
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

/// NumericDate (RFC 7519 §2), in whole seconds.
fn date(node: &Node) -> Option<u64> {
    let seconds = node.as_integer().filter(|seconds| (0..=MAX_DATE).contains(seconds))?;
    u64::try_from(seconds).ok()
}

/// A string, or a list of strings.
fn strings(node: &Node) -> Option<Vec<&str>> {
    match &node.value {
        Value::String(text) => Some(vec![text]),
        Value::List(items) => items.iter().map(Node::as_str).collect(),
        _ => None,
    }
}

/// The scopes of `scope` or `scp`, in order, each once; none if either is malformed, or they differ.
fn scopes(payload: &Node) -> Option<Vec<String>> {
    let scope = match payload.get("scope") {
        None => None,
        Some(node) => Some(names(node.as_str()?)?),
    };
    let scp = match payload.get("scp") {
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
