//! What other servers answer: key sets that were fetched, and what an opaque token is worth. Decides whether an answer can be used at all.

use super::jws::{Payload, object};
use super::key_set::{KeySet, KeySetErrors, MAX_KEY_SET};

/// The longest answer that is read, in bytes: 64 KiB.
pub const MAX_ANSWER: usize = MAX_KEY_SET;

/// What a server answered.
#[derive(Clone, Copy)]
pub struct TokenAnswer<'x> {
    /// The status of HTTP.
    pub status: u16,
    /// `content-type`.
    pub content_type: Option<&'x str>,
    /// The whole body, or its first [`MAX_ANSWER`] bytes and one more.
    pub body: &'x [u8],
}

/// The same, with a body of its own.
#[derive(Clone)]
pub struct OwnedAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// `content-type`.
    pub content_type: Option<String>,
    /// The whole body, or its first [`MAX_ANSWER`] bytes and one more.
    pub body: Vec<u8>,
}

impl OwnedAnswer {
    /// The answer, to be judged.
    #[must_use]
    pub fn borrowed(&self) -> TokenAnswer<'_> {
        TokenAnswer {
            status: self.status,
            content_type: self.content_type.as_deref(),
            body: &self.body,
        }
    }
}

impl std::fmt::Debug for OwnedAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.borrowed().fmt(f)
    }
}

/// Why an answer cannot be used. Says nothing of its body but where a key set is wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnswerError {
    /// There was none: the server was not reached, or not allowed, or too slow.
    None,
    /// Another status than 200.
    Status(u16),
    /// Not JSON by its `content-type`.
    ContentType,
    /// Longer than [`MAX_ANSWER`].
    TooLarge,
    /// A key set that may not be used.
    Keys(KeySetErrors),
    /// A key set that has no key for any of the listed algorithms.
    Unfit,
    /// Not UTF-8, or no answer of RFC 7662.
    Form,
}

impl std::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no answer"),
            Self::Status(status) => write!(f, "an answer with status {status}"),
            Self::ContentType => f.write_str("an answer whose content-type is not JSON"),
            Self::TooLarge => f.write_str("an answer of more than 64 KiB"),
            Self::Keys(errors) => write!(f, "a key set that may not be used: {errors}"),
            Self::Unfit => f.write_str("a key set that has no key for a listed algorithm"),
            Self::Form => f.write_str("an answer that is not UTF-8, or no JSON object with a boolean `active`"),
        }
    }
}

impl AnswerError {
    /// What is wrong with the answer of a server that is asked about a token.
    const fn trouble(&self) -> &'static str {
        match self {
            Self::Status(_) => "the server that knows tokens answers with another status than 200",
            Self::ContentType | Self::Keys(_) | Self::Unfit | Self::Form => {
                "the server that knows tokens gives no answer of RFC 7662"
            }
            Self::TooLarge => "the server that knows tokens gives an answer of more than 64 KiB",
            Self::None => "the server that knows tokens gives no answer",
        }
    }
}

impl std::error::Error for AnswerError {}

impl std::fmt::Debug for TokenAnswer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The body of an answer that is JSON, by what its head says.
fn json<'x>(answer: Option<TokenAnswer<'x>>, types: &[&str]) -> Result<&'x [u8], AnswerError> {
    let answer = answer.ok_or(AnswerError::None)?;
    if answer.status != 200 {
        return Err(AnswerError::Status(answer.status));
    }
    // RFC 9110 §8.3.1: without case, parameters after a semicolon.
    let essence = answer
        .content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim_matches([' ', '\t']);
    if !types.iter().any(|listed| listed.eq_ignore_ascii_case(essence)) {
        return Err(AnswerError::ContentType);
    }
    if answer.body.len() > MAX_ANSWER {
        return Err(AnswerError::TooLarge);
    }
    Ok(answer.body)
}

/// The keys of an answer that count, and the thumbprints of those that a log names: with pins the others, without all.
pub(super) fn keys(answer: Option<TokenAnswer<'_>>, pins: &[String]) -> Result<(KeySet, Vec<String>), AnswerError> {
    let body = json(answer, &["application/json", "application/jwk-set+json"])?;
    let text = std::str::from_utf8(body).map_err(|_| AnswerError::Form)?;
    let read = if pins.is_empty() {
        KeySet::unpinned(text)
    } else {
        KeySet::pinned(text, pins)
    };
    read.map_err(AnswerError::Keys)
}

/// What a server says of a token (RFC 7662 §2.2).
#[derive(Clone, Debug, Default)]
pub(crate) struct Introspected {
    /// An object whose `active` is a boolean; none if there was no answer that can be used.
    pub(super) claims: Option<Payload>,
    /// The length of the answer, in bytes.
    pub(super) length: usize,
    /// For the operator: what was wrong with the answer, if it cannot be used.
    pub(super) trouble: &'static str,
}

impl Introspected {
    pub(crate) fn read(answer: Option<TokenAnswer<'_>>) -> (Self, Result<(), AnswerError>) {
        let read = json(answer, &["application/json"]).and_then(|body| {
            let claims = object(body).ok_or(AnswerError::Form)?;
            let has_active = claims.get("active").is_some_and(|active| active.as_bool().is_some());
            if !has_active {
                return Err(AnswerError::Form);
            }
            Ok(Self {
                claims: Some(Payload::new(body.to_vec())),
                length: body.len(),
                trouble: "",
            })
        });
        match read {
            Ok(introspected) => (introspected, Ok(())),
            Err(error) => {
                let unusable = Self {
                    trouble: error.trouble(),
                    ..Self::default()
                };
                (unusable, Err(error))
            }
        }
    }
}
