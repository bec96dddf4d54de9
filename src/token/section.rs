//! One `tokens` section of the policy.

use std::sync::Arc;

use super::{JwsAlgorithm, KeySet};
use crate::secret::{Secret, SecretReference};

/// What a policy wants of tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenSection {
    /// As identities share it.
    pub(crate) name: Arc<str>,
    /// The same.
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<JwsAlgorithm>,
    /// As [`normal_type`] makes them; the empty one admits an absent `typ`.
    pub(crate) types: Vec<String>,
    pub(crate) source: TokenSource,
    /// The thumbprints of the keys that count; empty: all of the set.
    pub(crate) pins: Vec<String>,
    /// Whether what was found of a token counts for its later uses.
    pub(crate) is_cached: bool,
    pub(crate) required_claims: Vec<String>,
    /// A claim, and the values that it may have.
    pub(crate) expect: Vec<(String, Vec<String>)>,
    /// In seconds.
    pub(crate) max_lifetime: Option<u64>,
    /// In seconds.
    pub(crate) max_age: Option<u64>,
    /// In seconds.
    pub(crate) clock_tolerance: u64,
    pub(crate) from: TokenPlace,
    pub(crate) rules: TokenRules,
}

/// What vouches for tokens: keys, or a server that is asked.
#[derive(Clone, Debug)]
pub(crate) enum TokenSource {
    Inline(Arc<KeySet>),
    /// The face reads it.
    File(KeyFile),
    /// The face fetches it.
    Url(String),
    Introspection(Introspection),
}

/// A server that says what a token is worth (RFC 7662).
#[derive(Clone, Debug)]
pub(crate) struct Introspection {
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) secret: Secret,
}

/// A file with keys, and where the policy names it.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    pub(crate) reference: SecretReference,
    pub(crate) path: String,
}

/// Where a request carries its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TokenPlace {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer,
    /// The whole value of a header, named in lower case.
    Header(String),
    Cookie(String),
}

/// The dotted paths that verdicts name.
#[derive(Clone, Debug)]
pub(crate) struct TokenRules {
    pub(crate) section: String,
    pub(crate) types: String,
    pub(crate) algorithms: String,
    /// Of the keys, or of the server that is asked.
    pub(crate) source: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) max_lifetime: String,
    pub(crate) max_age: String,
    pub(crate) clock_tolerance: String,
    pub(crate) required_claims: String,
    pub(crate) expect: String,
}

impl TokenRules {
    pub(crate) fn new(section: &str, source: &TokenSource) -> Self {
        let rule = |key: &str| format!("tokens.{section}.{key}");
        Self {
            section: format!("tokens.{section}"),
            types: rule("types"),
            algorithms: rule("algorithms"),
            source: rule(match source {
                TokenSource::Introspection(_) => "introspection",
                _ => "keys",
            }),
            issuer: rule("issuer"),
            audience: rule("audience"),
            max_lifetime: rule("max_lifetime"),
            max_age: rule("max_age"),
            clock_tolerance: rule("clock_tolerance"),
            required_claims: rule("required_claims"),
            expect: rule("expect"),
        }
    }
}

/// A media type as `typ` spells it: without case, and without a leading `application/` (RFC 7515 §4.1.9).
pub(crate) fn normal_type(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
}

/// True if a `typ` is that type, which is as [`normal_type`] makes it.
pub(super) fn is_type(text: &str, normal: &str) -> bool {
    const PREFIX: &str = "application/";
    let is_prefixed = text
        .get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    let rest = if is_prefixed {
        text.get(PREFIX.len()..)
    } else {
        Some(text)
    };
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(normal))
}
