//! Tokens: JSON Web Signatures and the key sets that verify them.
//!
//! Decides whether a key may be used at all ([`KeySet`]), whether a token is signed by one of them ([`Jws`]), and what it proves for a route.

mod algorithm;
#[cfg(feature = "tokens")]
mod answer;
#[cfg(feature = "tokens")]
mod claims;
#[cfg(feature = "tokens")]
mod credential;
mod curve;
mod der;
#[cfg(feature = "tokens")]
mod judge;
mod jws;
mod key;
mod key_set;
mod roca;
#[cfg(feature = "tokens")]
mod section;
#[cfg(feature = "tokens")]
mod store;
#[cfg(test)]
mod third_party;
#[cfg(feature = "tokens")]
mod trace;

pub use algorithm::JwsAlgorithm;
#[cfg(feature = "tokens")]
pub(crate) use answer::Introspected;
#[cfg(feature = "tokens")]
pub use answer::{AnswerError, MAX_ANSWER, OwnedAnswer, TokenAnswer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
#[cfg(feature = "tokens")]
pub(crate) use claims::is_scope;
#[cfg(feature = "tokens")]
pub(crate) use der::ecdsa_signature;
#[cfg(feature = "tokens")]
pub(crate) use judge::{Evidence, TokenContext, TokenStep, judge, token_of};
#[cfg(feature = "tokens")]
pub(crate) use jws::Payload;
#[cfg(all(feature = "wasm", feature = "tokens"))]
pub(crate) use jws::Unverified;
pub use jws::{Jws, JwsError, MAX_TOKEN};
pub use key::{KeyError, VerificationKey};
pub use key_set::{KeySet, KeySetError, KeySetErrors, MAX_KEY_SET};
#[cfg(feature = "tokens")]
pub(crate) use section::{Introspection, KeyFile, TokenPlace, TokenRules, TokenSection, TokenSource, normal_type};
#[cfg(feature = "tokens")]
pub use store::{KeysKept, TokenStore};
#[cfg(feature = "tokens")]
pub(crate) use trace::{Found, TokenFinding, trace};

/// Unpadded base64url with zero unused bits (RFC 7515 §2): one spelling for each sequence of bytes.
pub(crate) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
