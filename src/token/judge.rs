//! A request's token, held against what its route wants (contract §12).

use std::sync::Arc;

use super::claims::{self, Claims};
use super::credential;
use super::jws::{JwsError, Parts};
use super::key_set::KeySet;
use super::section::{TokenSection, normal_type};
use crate::request::{Request, Timestamp};
use crate::tree::Node;
use crate::verdict::{Detail, Failure, Reason, TokenIdentity};

/// What a token is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenContext<'s, 'a> {
    /// The sections of which one must fit, with their keys, as far as these were read.
    pub(crate) sections: &'s [(&'a TokenSection, Option<&'a KeySet>)],
    pub(crate) request: Request<'a>,
    pub(crate) now: Timestamp,
    pub(crate) scopes: &'a [String],
    /// The same, as a challenge names them.
    pub(crate) scope_text: &'a str,
}

/// What a request's token proved.
pub(crate) fn judge<'a>(context: &TokenContext<'_, 'a>) -> Result<Arc<TokenIdentity>, Failure<'a>> {
    // INVARIANT: the compiler gives every route that asks for tokens at least one section.
    let Some((first, _)) = context.sections.first().copied() else {
        return Err(Failure::new(
            Reason::TokenMissing,
            Detail::text("no section is asked for"),
        ));
    };
    let fail = |reason, what, rule: &'a str| Failure::new(reason, Detail::text(what)).by(rule);
    let token = credential::token(&context.request, &first.from).map_err(|reason| {
        let what = match reason {
            Reason::TokenMissing => "there is no token",
            _ => "the token is malformed, or there are two credentials",
        };
        fail(reason, what, first.rules.section.as_str())
    })?;
    let by_form = |error: JwsError| match error {
        JwsError::HeaderNotUnderstood => fail(
            Reason::TokenHeaderNotUnderstood,
            "the token's header has a member that is not understood",
            first.rules.section.as_str(),
        ),
        _ => fail(
            Reason::TokenMalformed,
            "the token is malformed",
            first.rules.section.as_str(),
        ),
    };
    let parts = Parts::read(token).map_err(by_form)?;
    let payload = parts.json_payload().map_err(by_form)?;
    let jws = parts.header().map_err(by_form)?;

    let (section, keys) = match context.sections {
        [only] => *only,
        several => chosen(several, &payload, first)?,
    };
    let rules = &section.rules;
    let kind = jws.kind().map_or_else(String::new, normal_type);
    let is_listed = section.types.contains(&kind) && (jws.kind().is_none() || !kind.is_empty());
    if !is_listed {
        return Err(fail(
            Reason::TokenTypeNotAllowed,
            "the token's `typ` is not listed",
            &rules.types,
        ));
    }
    let unknown = || {
        fail(
            Reason::TokenKeyUnknown,
            "no key is known for the token",
            rules.keys.as_str(),
        )
    };
    let verified = keys
        .ok_or(JwsError::KeyUnknown)
        .and_then(|keys| jws.verify(keys, &section.algorithms));
    verified.map_err(|error| match error {
        JwsError::AlgorithmNotAllowed => fail(
            Reason::TokenAlgorithmNotAllowed,
            "the token's algorithm is not allowed, or not with its key",
            rules.algorithms.as_str(),
        ),
        JwsError::KeyUnknown => unknown(),
        _ => fail(
            Reason::TokenSignatureMismatch,
            "the token's signature is not that of its key",
            rules.keys.as_str(),
        ),
    })?;
    let Claims { subject, scopes } = claims::judge(&payload, section, context.now, context.scopes, context.scope_text)?;
    Ok(Arc::new(TokenIdentity {
        name: section.name.clone(),
        issuer: section.issuer.clone(),
        subject,
        scopes,
        claims: payload,
    }))
}

/// The section of the token's own issuer: never tried, chosen.
fn chosen<'a>(
    several: &[(&'a TokenSection, Option<&'a KeySet>)],
    payload: &Node,
    first: &'a TokenSection,
) -> Result<(&'a TokenSection, Option<&'a KeySet>), Failure<'a>> {
    let fail = |reason, what| Failure::new(reason, Detail::text(what)).by(first.rules.section.as_str());
    let issuer = payload
        .get("iss")
        .ok_or_else(|| fail(Reason::ClaimMissing, "`iss` is missing"))?;
    let issuer = issuer
        .as_str()
        .ok_or_else(|| fail(Reason::ClaimMalformed, "`iss` is no string"))?;
    let found = several.iter().find(|(section, _)| section.issuer == issuer);
    found.copied().ok_or_else(|| {
        Failure::new(Reason::IssuerMismatch, Detail::text("`iss` is none of the issuers"))
            .by(first.rules.issuer.as_str())
    })
}
